"""What is found by its tags: streams of Kinesis as well, which ministack leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..host import ministack

Tags = Sequence[Mapping[str, str]]


def find_streams() -> None:
    """Let the Resource Groups Tagging API find them."""
    ministack("services.tagging")._COLLECTORS["kinesis"] = _streams


def _streams() -> Iterator[tuple[str, Tags]]:
    """Each stream's ARN, with its tags."""
    for stream in ministack("services.kinesis")._streams.values():
        tags = stream.get("tags") or {}
        yield stream["StreamARN"], [{"Key": key, "Value": value} for key, value in tags.items()]
