"""The template and the zips of a stage as files, without credentials and without a cloud."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Function, Job
from devbridge.deploy.request import Request
from devbridge.deploy.settings import settings_of
from devbridge.deploy.synth import Assets, Template
from devbridge.deploy.synth.app import synth
from devbridge.errors import DevbridgeError, InvalidValue
from devbridge.packing.container import image_uri
from devbridge.packing.zips import Asset
from devbridge.transport.base import Endpoint

ACCOUNT: Final = "123456789012"
"""Stands for the account's number, as in AWS's documentation."""
REGION: Final = "us-east-1"
TEMPLATE: Final = "template.json"
MANIFEST: Final = "manifest.json"
ZIPS: Final = "zips"
"""The folder with one folder a zip."""
_PLAIN_HTTP: Final = "http://127.0.0.1"
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Nowhere:
    """An account that nobody asks: what a template needs to know of one, made up."""

    region: str = REGION
    account: str = ACCOUNT
    local: bool = False
    """Made for the embedded cloud: plain HTTP, and code for this very machine."""

    @property
    def endpoint_url(self) -> str | None:
        """One of plain HTTP for the embedded cloud; None for AWS."""
        return _PLAIN_HTTP if self.local else None

    @property
    def principal_arn(self) -> str:
        """A made-up user."""
        return f"arn:aws:iam::{self.account}:user/developer"

    def client(self, service: str) -> Any:
        """A client whose every operation raises DevbridgeError, but for what is made up."""
        return _Unasked(service)

    def iot_endpoint(self) -> Endpoint:
        """A made-up broker."""
        return Endpoint(f"example-ats.iot.{self.region}.amazonaws.com", self.region)

    def explained(self) -> AbstractContextManager[None]:
        """Nothing: who asks nobody is refused nothing."""
        return nullcontext()


_MADE_UP: Final[Mapping[str, Any]] = {
    "describe_vpcs": {"Vpcs": [{"VpcId": "vpc-0123456789abcdef0"}]},
    "describe_subnets": {
        "Subnets": [
            {"SubnetId": f"subnet-0123456789abcdef{n}", "AvailabilityZone": zone}
            for n, zone in enumerate(("a", "b"))
        ]
    },
    "describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-0123456789abcdef0"}]},
}
"""What an account has that templates name, by what it would be asked."""


@dataclass(frozen=True, slots=True)
class _Unasked:
    service: str

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation in _MADE_UP:
            return lambda **_asked: _MADE_UP[operation]
        raise DevbridgeError(f"{self.service}: there is no cloud to ask for {operation}")


def template_only(request: Request) -> Template:
    """The template without its zips: each has its construct's name instead of its hash.

    Raises:
        InvalidValue, AppFailed: as `synth`.
        InterpreterError: as `settings_of`.
    """
    app, cloud = request.app, request.cloud
    jobs = app.of_type(Job)
    settings = settings_of(request)
    assets = Assets(
        bucket=names.asset_bucket(cloud.account, cloud.region),
        stub=_key("the stubs"),
        invoker=_key("the invokers"),
        function_stub=_key("the stubs of functions"),
        functions={each.name: _key(str(each)) for each in app.of_type(Function)},
        jobs={job.name: _key(str(job)) for job in jobs if not job.container},
        packages={job.name: _key(f"packages of {job}") for job in jobs if not job.container},
        images={job.name: image_uri(job, cloud, request.stage) for job in jobs if job.container},
    )
    return synth(app, settings, assets)


def _key(label: str) -> str:
    return f"{folder_name(label)}.zip"


def folder_name(label: str) -> str:
    """``Function 'api-start'`` -> ``Function-api-start``"""
    return _UNSAFE.sub("-", label).strip("-")


def pretty(template: Template) -> str:
    """The template's text, for people and `diff`."""
    return json.dumps(json.loads(template.body), indent=2, sort_keys=True) + "\n"


def write(out: Path, app: str, template: Template, assets: Sequence[Asset] | None) -> None:
    """Write the template, a list of the zips, and their contents, to a folder.

    What an earlier call has written there is replaced; other files are left alone.

    Args:
        app: its name, which the zips' keys begin with.
        assets: None when the zips were not packed.

    Raises:
        InvalidValue: the folder is something else, or cannot be written.
    """
    try:
        _clear(out)
        listed = {
            folder_name(asset.label): {
                "label": asset.label,
                "key": names.asset(app, asset.key),
                "bytes": asset.size,
            }
            for asset in assets or ()
        }
        manifest = {"template": TEMPLATE, "hash": template.hash, "zips": listed}
        (out / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        (out / TEMPLATE).write_text(pretty(template))
        for asset in assets or ():
            _unpack(asset, out / ZIPS / folder_name(asset.label))
    except OSError as error:
        raise InvalidValue(
            f"{error.filename or out} cannot be written: {error.strerror}",
            where="--out",
            remedy="name a folder of yours",
        ) from error


def _clear(out: Path) -> None:
    """Make the folder ready.

    Raises:
        InvalidValue: it has files, and none that tells of an earlier call.
    """
    there = out.exists() or out.is_symlink()
    if there and not (out.is_dir() and ((out / MANIFEST).is_file() or not any(out.iterdir()))):
        raise InvalidValue(
            f"{out} is not empty and was not made by devbridge synth",
            where="--out",
            remedy="name a new or an empty folder; nothing was written",
        )
    out.mkdir(parents=True, exist_ok=True)
    if (out / ZIPS).exists():
        shutil.rmtree(out / ZIPS)
    (out / TEMPLATE).unlink(missing_ok=True)


def _unpack(asset: Asset, folder: Path) -> None:
    folder.mkdir(parents=True)
    with asset.open() as body, zipfile.ZipFile(body) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
