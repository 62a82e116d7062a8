"""The values of an app's secrets: SSM parameters of type SecureString, in no template.

Each is ``/devbridge/<app>/<stage>/secrets/<name>``, encrypted with the secret's key, or with the
account's for SSM.
"""

from __future__ import annotations

import itertools
from typing import Final

from devbridge import names
from devbridge.constructs import App, Job, Secret
from devbridge.deploy.access import Access
from devbridge.deploy.references import dump
from devbridge.deploy.refusals import explained
from devbridge.errors import InvalidValue, NotFound, did_you_mean
from devbridge.resources import SECRETS

MAX_BYTES: Final = 4096
"""Bytes that a value of SSM's standard tier may have."""
VARIABLE: Final = SECRETS
"""What tells the runner which secrets of `environment` to fetch at the start of a run."""
_AT_ONCE: Final = 10
"""Names that DeleteParameters takes."""


def parameters(job: Job, stage: str) -> str:
    """The value of `VARIABLE`: which variable is given the value of which SSM parameter."""
    app = job.app.name
    found = {key: names.secret(app, stage, secret.name) for key, secret in job.secrets.items()}
    return dump(found)


def defined(app: App, name: str) -> Secret:
    """The app's secret of that name.

    Raises:
        NotFound: there is none; the error lists those there are.
    """
    found = {secret.name: secret for secret in app.of_type(Secret)}
    if name not in found:
        raise NotFound(
            f"the app {app.name!r} has no secret {name!r}{did_you_mean(name, found)}",
            where=str(app.where),
            remedy=f"use one of its secrets: {', '.join(sorted(found))}"
            if found
            else f"define it in app.py: Secret(app, {name!r})",
        )
    return found[name]


def set_secret(
    cloud: Access,
    app_name: str,
    stage: str,
    name: str,
    value: str,
    encryption_key: str | None = None,
) -> None:
    """Store a secret's value, in place of the one that it may have.

    Args:
        encryption_key: the ARN of a KMS key; None for the account's key for SSM.

    Raises:
        InvalidValue: the value is empty, or over 4096 bytes: SSM's standard tier allows no more.
    """
    size = len(value.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= MAX_BYTES:
        raise InvalidValue(
            f"the secret's value has {size} bytes",
            where=f"secret {name!r}",
            remedy=f"it may have 1 to {MAX_BYTES} bytes (SSM); put anything larger into a bucket",
        )
    ssm = cloud.client("ssm")
    parameter_name = names.secret(app_name, stage, name)
    key = {"KeyId": encryption_key} if encryption_key else {}
    ssm.put_parameter(Name=parameter_name, Value=value, Type="SecureString", Overwrite=True, **key)
    # PutParameter refuses tags together with Overwrite.
    tags = {"devbridge:app": app_name, "devbridge:stage": stage}
    ssm.add_tags_to_resource(
        ResourceType="Parameter",
        ResourceId=parameter_name,
        Tags=[{"Key": key, "Value": tag} for key, tag in tags.items()],
    )


def get_secret(cloud: Access, app_name: str, stage: str, name: str) -> str:
    """A secret's value.

    Raises:
        NotFound: it is not set.
    """
    ssm = cloud.client("ssm")
    try:
        found = ssm.get_parameter(Name=names.secret(app_name, stage, name), WithDecryption=True)
    except ssm.exceptions.ParameterNotFound as error:
        raise NotFound(
            f"the secret {name!r} is not set at stage {stage!r}",
            where=names.secret(app_name, stage, name),
            remedy=f"set it: devbridge secrets set {name} --stage {stage}",
        ) from error
    return str(found["Parameter"]["Value"])


def remove_secret(cloud: Access, app_name: str, stage: str, name: str) -> bool:
    """Delete a secret's value; False if there was none."""
    ssm = cloud.client("ssm")
    try:
        ssm.delete_parameter(Name=names.secret(app_name, stage, name))
    except ssm.exceptions.ParameterNotFound:
        return False
    return True


def remove_all(cloud: Access, app_name: str, stage: str) -> list[str]:
    """Delete the values of all of a stage's secrets, those too that app.py has no more.

    Returns the secrets' names.
    """
    found = stored(cloud, app_name, stage)
    ssm = cloud.client("ssm")
    for start in range(0, len(found), _AT_ONCE):
        batch = found[start : start + _AT_ONCE]
        ssm.delete_parameters(Names=[names.secret(app_name, stage, name) for name in batch])
    return found


def stored(cloud: Access, app_name: str, stage: str) -> list[str]:
    """The names of the secrets that have a value, sorted. Their values are not asked for."""
    folder = names.secrets(app_name, stage)
    pages = cloud.client("ssm").get_paginator("get_parameters_by_path")
    found = itertools.chain.from_iterable(
        page["Parameters"] for page in pages.paginate(Path=folder, WithDecryption=False)
    )
    return sorted(str(each["Name"]).removeprefix(folder) for each in found)


def versions(cloud: Access, app_name: str, stage: str) -> dict[str, object]:
    """What tells one value of each secret from another. The values are not asked for.

    Raises:
        CredentialsError, CloudError: SSM could not be asked.
    """
    folder = names.secrets(app_name, stage)
    with explained(cloud):
        pages = cloud.client("ssm").get_paginator("get_parameters_by_path")
        return {
            str(each["Name"]): (each.get("Version"), each.get("LastModifiedDate"))
            for page in pages.paginate(Path=folder, WithDecryption=False)
            for each in page["Parameters"]
        }


def listed(cloud: Access, app: App, stage: str) -> dict[str, bool]:
    """The app's secrets by name, and whether each has a value at that stage.

    Costs nothing for an app without secrets.
    """
    defined = [secret.name for secret in app.of_type(Secret)]
    if not defined:
        return {}
    known = set(stored(cloud, app.name, stage))
    return {name: name in known for name in defined}


def missing(cloud: Access, app: App, stage: str) -> list[str]:
    """The names of the app's secrets that have no value at that stage."""
    return [name for name, is_set in listed(cloud, app, stage).items() if not is_set]
