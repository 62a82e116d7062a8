"""Settings: what a stage's template is made for, as far as the cloud and the laptop decide it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from devbridge import names
from devbridge.constructs import Construct, FileSystem, Job
from devbridge.deploy.checks import check_timeouts, say_hints
from devbridge.deploy.networks import default_network, zones_of
from devbridge.deploy.package import is_tls
from devbridge.deploy.principal import trusted_principal
from devbridge.deploy.request import Request
from devbridge.deploy.synth import Settings, in_cloud
from devbridge.deploy.synth.compute.known import compute_of
from devbridge.deploy.synth.file_systems import is_there
from devbridge.deploy.synth.stack import Network
from devbridge.interpreter import verify_interpreter


def settings_of(request: Request) -> Settings:
    """What to synthesize the stage's template with.

    Raises:
        InvalidValue: no stage can have that name, a job's timeout is too short for it, or a job
            needs a network and there is no default VPC.
        InterpreterError: the app's interpreter does not run, or is too old.
    """
    names.stack(request.app.name, request.stage)  # said before anything is asked
    check_timeouts(request)
    say_hints(request)
    cloud, dev = request.cloud, request.mode == "dev"
    python = version_of(request.python)
    settings = Settings(
        stage=request.stage,
        principal_arn=trusted_principal(cloud.principal_arn, cloud.client("iam")) if dev else "",
        iot_host=cloud.iot_endpoint().host.partition(":")[0] if dev else "",
        python=python,
        mode=request.mode,
        offline=request.offline,
        schedules=request.schedules,
        tls=is_tls(cloud.endpoint_url),
    )
    network, zones = _network(request, settings), _zones(request, settings)
    return replace(settings, network=network, zones=zones)


def _network(request: Request, settings: Settings) -> Network | None:
    """The default VPC, if something is put there.

    Raises:
        InvalidValue: there is none.
    """
    jobs = [job for job in request.app.of_type(Job) if in_cloud(job, settings)]
    needy: list[Construct] = [job for job in jobs if compute_of(job).networked(job)]
    systems = [files for files in request.app.of_type(FileSystem) if files.vpc is None]
    needy += [files for files in systems if is_there(files, settings)]
    return default_network(request.cloud, needy) if needy else None


def _zones(request: Request, settings: Settings) -> Mapping[str, str]:
    """Those of the subnets of VPCs that file systems name, where one may have several."""
    found = [files for files in request.app.of_type(FileSystem) if is_there(files, settings)]
    given = [files.vpc.subnets for files in found if files.vpc and len(files.vpc.subnets) > 1]
    return zones_of(request.cloud, [each for subnets in given for each in subnets]) if given else {}


def version_of(python: Path) -> str:
    """The version of an interpreter, e.g. ``3.11``; only one that is not this one is run for it.

    Raises:
        InterpreterError: it does not run, or is too old.
    """
    if python == Path(sys.executable):
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    return verify_interpreter(python).minor
