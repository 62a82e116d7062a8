"""The providers by the name of a job's compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from devbridge.runs.providers import batch, codebuild, containers, fargate, function
from devbridge.runs.providers.base import Client, Ended, Look, Provider
from runner.claims import Claim, Place

_KNOWN: Final[Mapping[str, Callable[[Client, Mapping[str, Any]], Provider]]] = {
    codebuild.NAME: codebuild.CodeBuild,
    batch.NAME: batch.Batch,
    fargate.NAME: fargate.Fargate,
    function.NAME: function.Function,
}

_OF_ECS: Final = (batch.NAME, fargate.NAME)
_TELLING: Final = ("aws.batch", "aws.codebuild", "aws.ecs")
"""Whose events tell of runs."""
FIRST: Final = codebuild.NAME
"""What ran every job before there was a choice."""


def keeps_words(name: str) -> bool:
    """Whether the record that this provider has of a run says what its runner has told; of others
    S3 alone has it."""
    return name == codebuild.NAME


def shares_streams(name: str) -> bool:
    """Whether different runs of this provider write to the same streams."""
    return name == function.NAME


def holds(name: str, payload: str) -> bool:
    """Whether what this provider is told at a start has room for a payload of up to 8 KiB."""
    return name not in _OF_ECS or containers.holds(payload)


def older(run_id: str, provider: Callable[[str], Provider]) -> tuple[Claim, Place, Look] | None:
    """A run that an earlier version of devbridge has started, of which S3 has no record.

    Args:
        provider: gives that of a name.
    """
    found = provider(FIRST)
    return found.older(run_id) if isinstance(found, codebuild.CodeBuild) else None


def provider(name: str, client: Client, place: Mapping[str, Any] | None = None) -> Provider:
    """The provider of that name.

    Args:
        client: gives botocore's client for a service, when it is needed.
        place: what must be known to start runs there; None: it only tells of them.

    Raises:
        KeyError: this version does not know it.
    """
    return _KNOWN[name](client, place or {})


def ended(event: object) -> Ended | None:
    """What has ended, if that is what an event of AWS tells."""
    if not isinstance(event, Mapping):
        return None
    found = (told(event) for told in (codebuild.ended, batch.ended, fargate.ended, function.ended))
    return next((each for each in found if each is not None), None)


def is_event(event: object) -> bool:
    """Whether AWS tells of a run: whether it has ended or not, nobody waits for an answer."""
    if not isinstance(event, Mapping):
        return False
    if event.get("source") in _TELLING:
        return "detail-type" in event
    return "requestPayload" in event
