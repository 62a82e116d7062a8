"""Values out of the Parameter Store and Secrets Manager, as services read them for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .failure import Failure, words


def parameters(ssm: Any, names: Sequence[str]) -> dict[str, str]:
    """The values of parameters, by the names or ARNs that were asked for.

    Raises:
        Failure: one could not be read, or is not there.
    """
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


def secret(manager: Any, reference: str) -> str:
    """The value of a secret, or of a JSON key of it.

    Raises:
        Failure: it could not be read, or has no such key.
    """
    asked, key, stage, version = secret_parts(reference)
    which = {"VersionStage": stage, "VersionId": version}
    try:
        text = manager.get_secret_value(
            SecretId=asked, **{name: value for name, value in which.items() if value}
        )["SecretString"]
        if not key:
            return str(text)
        value = json.loads(text)[key]
    except (KeyError, ValueError, TypeError) as error:
        raise Failure(
            "Secrets Manager Error", f"the secret {asked} has no text, or no JSON key {key!r}"
        ) from error
    except Exception as error:
        raise Failure("Secrets Manager Error", words(error)) from error
    return value if isinstance(value, str) else json.dumps(value)
