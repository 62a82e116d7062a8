"""Settings: what a stage's template is made for, as far as the cloud and the laptop decide it."""

from __future__ import annotations

import sys
from pathlib import Path

from devbridge.deploy.access import Access
from devbridge.deploy.package import is_tls
from devbridge.deploy.principal import trusted_principal
from devbridge.deploy.synth import Settings
from devbridge.interpreter import verify_interpreter
from devbridge.names import Mode


def settings_of(cloud: Access, *, stage: str, mode: Mode, python: str, offline: str) -> Settings:
    """What to synthesize the stage's template with.

    Args:
        python: version of the app's interpreter: `version_of`.
        offline: what the stubs do when no daemon is connected: queue, error or cloud.
    """
    dev = mode == "dev"
    return Settings(
        stage=stage,
        principal_arn=trusted_principal(cloud.principal_arn, cloud.client("iam")) if dev else "",
        iot_host=cloud.iot_endpoint().host.partition(":")[0] if dev else "",
        python=python,
        mode=mode,
        offline=offline,
        tls=is_tls(cloud.endpoint_url),
    )


def version_of(python: Path) -> str:
    """The version of an interpreter, e.g. ``3.11``; only one that is not this one is run for it.

    Raises:
        InterpreterError: it does not run, or is too old.
    """
    if python == Path(sys.executable):
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    return verify_interpreter(python).minor
