"""Runs as builds of AWS CodeBuild, which tells for a year how each has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from devbridge.runs.builds import interpret, is_build_id
from devbridge.runs.providers.base import Asked, Client, Ended, Look, by_hundreds
from runner.claims import Claim, Place

NAME: Final = "codebuild"
_ENDED: Final = ("SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED")


class CodeBuild:
    """The builds of one project."""

    name = NAME
    repeatable = True
    printers = "CodeBuild"

    def __init__(self, client: Client, place: Mapping[str, Any]) -> None:
        """`place` is ``{"project": name}``."""
        self._client = client
        self._project = place.get("project", "")

    def start(self, asked: Asked) -> str:
        """See `Provider.start`."""
        variables = asked.variables.items()
        build = self._client("codebuild").start_build(
            projectName=self._project,
            idempotencyToken=asked.token,
            environmentVariablesOverride=[
                {"name": name, "value": value, "type": "PLAINTEXT"} for name, value in variables
            ],
        )["build"]
        return str(build["id"])

    def stop(self, place: str) -> None:
        """See `Provider.stop`."""
        self._client("codebuild").stop_build(id=place)

    def look(self, places: Sequence[str]) -> Mapping[str, Look]:
        """See `Provider.look`."""
        return {build["id"]: looked(build) for build in self._builds(places)}

    def older(self, run_id: str) -> tuple[Claim, Place, Look] | None:
        """A run that an earlier version of devbridge has started: its id is the build's, and the
        build alone knows of it."""
        build = next(self._builds([run_id] if is_build_id(run_id) else []), None)
        if build is None:
            return None
        found = interpret(build)
        claim = Claim(
            created_at=found.record.created_at or 0.0,
            attempts=found.record.max_attempts,
            compute=NAME,
            payload=found.payload,
            payload_at=found.payload_at,
        )
        return claim, Place(run_id, NAME, claim.created_at), looked(build)

    def _builds(self, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        for some in by_hundreds(ids):
            yield from self._client("codebuild").batch_get_builds(ids=list(some))["builds"]


def looked(build: Mapping[str, Any]) -> Look:
    """What CodeBuild's description of a build tells. Pure."""
    found = interpret(build)
    record = found.record
    return Look(
        state=record.state,
        failure=record.failure,
        started_at=record.started_at,
        ended_at=record.ended_at,
        logs=((found.log_group, found.log_stream),) if found.log_stream else (),
        attempt=record.attempt,
        result=record.result,
        result_at=found.result_at,
        error_at=found.error_at,
        told=record.state.final,
    )


def ended(event: Mapping[str, Any]) -> Ended | None:
    """What a "CodeBuild Build State Change" event tells; None: it is none, or no end."""
    detail = event.get("detail") or {}
    if event.get("source") != "aws.codebuild" or detail.get("build-status") not in _ENDED:
        return None
    more = detail.get("additional-information") or {}
    variables = (more.get("environment") or {}).get("environment-variables") or ()
    run_id = next((v["value"] for v in variables if v.get("name") == "DEVBRIDGE_RUN_ID"), "")
    build_id = str(detail["build-id"]).rpartition("/")[2]
    # A build that was started by hand is no run.
    return Ended(run_id.rpartition(":")[2], build_id, None) if run_id else None
