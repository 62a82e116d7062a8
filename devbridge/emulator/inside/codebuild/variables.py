"""The environment that a build's commands see, and the secrets in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..machines.failure import Failure
from .buildspec import Buildspec
from .source import words

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
        stored = _parameters(client("ssm"), sorted(set(parameters.values())))
        values |= {name: stored[parameter] for name, parameter in parameters.items()}
    if secrets:
        say("Retrieving secrets manager environment variables")
        manager = client("secretsmanager")
        values |= {name: _secret(manager, reference) for name, reference in secrets.items()}
    return values


def _parameters(ssm: Any, names: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for start in range(0, len(names), 10):  # the most that GetParameters takes
        asked = list(names[start : start + 10])
        try:
            answer = ssm.get_parameters(Names=asked, WithDecryption=True)
        except Exception as error:
            raise Failure("Decrypted Variables Error", words(error)) from error
        if missing := answer["InvalidParameters"]:
            raise Failure("Decrypted Variables Error", f"parameter does not exist: {missing[0]}")
        found = {each["Name"]: each["Value"] for each in answer["Parameters"]}
        found |= {each["ARN"]: each["Value"] for each in answer["Parameters"] if "ARN" in each}
        values |= {name: found[name] for name in asked}
    return values


def secret_parts(reference: str) -> tuple[str, str, str, str]:
    """Secret id, JSON key, version stage and version id of a reference; empty: not given."""
    parts = reference.split(":")
    length = 7 if reference.startswith("arn:") else 1
    key, stage, version = (*parts[length:], "", "", "")[:3]
    return ":".join(parts[:length]), key, stage, version


def _secret(manager: Any, reference: str) -> str:
    secret, key, stage, version = secret_parts(reference)
    which = {"VersionStage": stage, "VersionId": version}
    try:
        text = manager.get_secret_value(
            SecretId=secret, **{name: value for name, value in which.items() if value}
        )["SecretString"]
        if not key:
            return str(text)
        value = json.loads(text)[key]
    except (KeyError, ValueError, TypeError) as error:
        raise Failure(
            "Secrets Manager Error", f"the secret {secret} has no text, or no JSON key {key!r}"
        ) from error
    except Exception as error:
        raise Failure("Secrets Manager Error", words(error)) from error
    return value if isinstance(value, str) else json.dumps(value)
