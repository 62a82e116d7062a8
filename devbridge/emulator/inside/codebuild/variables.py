"""The environment that a build's commands see, and the secrets in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..machines import stored
from .buildspec import Buildspec

Client = Callable[[str], Any]


def declared(record: Mapping[str, Any], spec: Buildspec) -> dict[str, tuple[str, str]]:
    """By name: type and value of each variable. The build's own count more than the buildspec's."""
    found = {name: ("PLAINTEXT", value) for name, value in spec.variables.items()}
    found |= {name: ("PARAMETER_STORE", value) for name, value in spec.parameters.items()}
    found |= {name: ("SECRETS_MANAGER", value) for name, value in spec.secrets.items()}
    for each in record["environment"]["environmentVariables"]:
        found[each["name"]] = (each["type"], each["value"])
    return found


def resolved(
    variables: Mapping[str, tuple[str, str]], client: Client, say: Callable[[str], None]
) -> dict[str, str]:
    """The values, those of the Parameter Store and of Secrets Manager read with `client`.

    Raises:
        Failure: one could not be read.
    """
    say("Processing environment variables")
    values = {name: value for name, (kind, value) in variables.items() if kind == "PLAINTEXT"}
    parameters = {n: value for n, (kind, value) in variables.items() if kind == "PARAMETER_STORE"}
    secrets = {n: value for n, (kind, value) in variables.items() if kind == "SECRETS_MANAGER"}
    if parameters:
        say("Decrypting parameter store environment variables")
        found = stored.parameters(client("ssm"), sorted(set(parameters.values())))
        values |= {name: found[parameter] for name, parameter in parameters.items()}
    if secrets:
        say("Retrieving secrets manager environment variables")
        manager = client("secretsmanager")
        values |= {name: stored.secret(manager, reference) for name, reference in secrets.items()}
    return values
