"""The providers by the name of a job's compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from devbridge.runs.providers import batch, codebuild, fargate, function
from devbridge.runs.providers.base import Client, Ended, Provider

_KNOWN: Final[Mapping[str, Callable[[Client, Mapping[str, Any]], Provider]]] = {
    codebuild.NAME: codebuild.CodeBuild,
    batch.NAME: batch.Batch,
    fargate.NAME: fargate.Fargate,
    function.NAME: function.Function,
}


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
    return "detail-type" in event or "requestPayload" in event
