"""The code of an app's functions; and what takes its place while one of them is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devbridge import names
from devbridge.constructs import App, Function
from devbridge.deploy.access import Access
from devbridge.deploy.stacks import deployed_template, find, is_unusable
from devbridge.deploy.synth import Settings
from devbridge.deploy.synth.placement import has_code, is_live
from devbridge.errors import BuildError, DevbridgeError, HandlerNotFound
from devbridge.languages.base import Packer
from devbridge.languages.known import language_of
from devbridge.packing.zips import Asset

Broken = Callable[[Function, DevbridgeError, bool], None]
"""Told of a function, why it cannot be packed, and whether a version of it is deployed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Code of functions that is deployed, and stays."""

    keys: dict[str, str] = field(default_factory=dict)
    """By the function's name."""
    versions: dict[str, str] = field(default_factory=dict)
    """S3 versions by key."""


def pack_functions(
    app: App, cloud: Access, settings: Settings, packer: Packer, broken: Broken | None
) -> tuple[dict[str, Asset], Kept]:
    """The zips of the functions whose code is in the cloud, by their names. With `broken`, one that
    cannot be packed stays as it is deployed, or, if it never was, answers with the error.

    Raises:
        BuildError, HandlerNotFound: a function cannot be packed, and there is no `broken`.
    """
    made: dict[str, Asset] = {}
    failed: dict[Function, DevbridgeError] = {}
    for function in app.of_type(Function):
        if not has_code(function, settings):
            continue
        try:
            if missing := app.missing.get(str(function.handler)):
                raise missing
            made[function.name] = packer.function_asset(function)
        except (BuildError, HandlerNotFound) as error:
            if broken is None:
                raise
            failed[function] = error
    kept = Kept()
    there = _deployed(cloud, app, settings.stage) if failed else {}
    for function, why in failed.items():
        copy = names.COPY if is_live(function, settings) else ""
        now = there.get(names.logical(function, copy), {})
        code = now.get("Code", {})
        stays = now.get("Handler") == str(function.handler) and "S3Key" in code
        if stays:
            kept.keys[function.name] = code["S3Key"]
            if version := code.get("S3ObjectVersion"):
                kept.versions[code["S3Key"]] = version
        else:
            made[function.name] = language_of(function).broken(function, why)
        if broken is not None:
            broken(function, why, stays)
    return made, kept


def _deployed(cloud: Access, app: App, stage: str) -> Mapping[str, Mapping[str, Any]]:
    """The properties of the stage's resources, by their ids in the template."""
    stack, found = find(cloud, app.name, stage)
    if found is None or is_unusable(found):
        return {}
    resources = deployed_template(cloud, stack)["Resources"]
    return {name: resource.get("Properties", {}) for name, resource in resources.items()}
