"""Secrets of a job whose place does not fetch them: parameters of SSM, read before it begins."""

from __future__ import annotations

import json
from collections.abc import MutableMapping

from runner import aws
from runner.outcome import Failure
from runner.signed import AwsError

VARIABLE = "DEVBRIDGE_SECRETS"


def fetch(named: str) -> dict[str, str] | Failure:
    """The variables with their values; or what is missing.

    Args:
        named: a JSON text, ``{"VARIABLE": "the parameter's name"}``, or "".
    """
    found = {}
    for variable, name in json.loads(named or "{}").items():
        try:
            answer = aws.call("ssm", "AmazonSSM.GetParameter", Name=name, WithDecryption=True)
        except AwsError as error:
            if error.code == "ParameterNotFound":
                what = f"{variable}: there is no parameter {name}; `{_setting(name)}` makes it"
            else:
                what = f"{variable}: the parameter {name} cannot be read: {error}"
            return Failure("SecretMissing", what)
        found[variable] = str(answer["Parameter"]["Value"])
    return found


def _setting(name: str) -> str:
    """The command that makes a parameter: ``/devbridge/APP/STAGE/secrets/NAME``."""
    parts = name.split("/")
    own = len(parts) == 6 and (parts[1], parts[4]) == ("devbridge", "secrets")
    return "devbridge secrets set" + (f" {parts[5]} --stage {parts[3]}" if own else "")


class SecretMissing(Exception):
    """A secret of the job's environment could not be fetched."""


def take(environment: MutableMapping[str, str]) -> None:
    """Fetch what an environment names, and put it there: for a process that nobody has done it for.

    Raises:
        SecretMissing: what is missing, or could not be read.
    """
    found = fetch(environment.pop(VARIABLE, ""))
    if isinstance(found, Failure):
        raise SecretMissing(found.message)
    environment.update(found)
