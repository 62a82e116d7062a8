from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from devbridge.emulator.inside.machines.logs import MAX_BATCH, MAX_EVENTS, Event, Log, batches


def logged(data: bytes, *own: str) -> list[Event]:
    """The events of a log that got the bytes and then the lines."""
    sent: list[Event] = []
    log = Log(sent.extend, now=lambda: 1.5)
    os.write(log.output, data)
    for line in own:
        log.line(line)
    log.close()
    return sent


@given(st.binary(max_size=2000))
def test_every_byte_is_kept_in_order_as_far_as_text_can(data: bytes) -> None:
    assert "".join(e["message"] for e in logged(data)).encode() == b"".join(
        line.decode("utf-8", "replace").encode() for line in data.splitlines(keepends=True)
    ) or "\ufffd" in data.decode("utf-8", "replace")


def test_a_line_is_an_event_and_keeps_its_end() -> None:
    messages = [e["message"] for e in logged(b"a\r\n\nb", "own")]
    assert messages == ["a\r\n", "\n", "b", "[Container] 1970/01/01 00:00:01.500000 own\n"]


def test_a_log_that_cannot_be_sent_does_not_stop_the_build() -> None:
    def refuse(events: list[Event]) -> None:
        raise OSError("gone")

    log = Log(refuse)
    os.write(log.output, b"x\n")
    log.close()
    log.close()


def test_an_event_that_is_too_long_is_cut_between_characters() -> None:
    sent: list[Event] = []
    log = Log(sent.extend)
    text = "é" * 300_000
    data = f"x{text}\n".encode()
    while data:
        data = data[os.write(log.output, data[:60_000]) :]
    log.close()
    assert len(sent) > 1
    assert "".join(e["message"] for e in sent) == f"x{text}\n"


@given(st.lists(st.integers(1, 200_000), max_size=60))
def test_batches_keep_to_the_quotas_and_the_order(sizes: list[int]) -> None:
    events = [{"timestamp": 1, "message": "x" * size} for size in sizes]
    made = list(batches(events))
    assert [event for batch in made for event in batch] == events
    assert all(sum(len(e["message"]) + 26 for e in batch) <= MAX_BATCH for batch in made)


def test_a_batch_has_no_more_events_than_are_allowed() -> None:
    events = [{"timestamp": 1, "message": "x"}] * (MAX_EVENTS + 1)
    assert [len(batch) for batch in batches(events)] == [MAX_EVENTS, 1]
