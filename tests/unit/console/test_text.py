from __future__ import annotations

import json

import pytest

from devbridge.console.text import SHORT, begins, json_text, one_line, row
from devbridge.runs.base import RunRecord
from devbridge.runs.ledger_file import GIVEN
from devbridge.runs.model import State
from runner.outcome import Failure
from runner.triggered import Triggered


def test_a_text_keeps_what_no_browser_could_read_from_utf8() -> None:
    half = json.dumps("\ud83d", ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert json_text(half) == '"\\ud83d"'
    assert json.loads(json_text(half)) == json.loads(half.decode("utf-8", "surrogatepass"))
    assert json_text('{"a":"ü😀"}'.encode()) == '{"a":"ü😀"}'


def test_what_is_no_text_can_be_seen() -> None:
    assert json_text('{"a":"ü"}'.encode("latin-1")) == '{"a":"\ufffd"}'


def test_an_error_is_one_line() -> None:
    failure = Failure("ValueError", "first\n  second\t" + "x" * 500)
    record = RunRecord(job_id="1", job="a", state=State.FAILED, failure=failure)
    error = row(record).error
    assert error is not None
    assert error.startswith("ValueError: first second xxx")
    assert len(error) == SHORT
    assert error.endswith("…")
    assert one_line("a\nb") == "a b"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"", (None, "")),
        (b'{"num": 5}', (None, '{"num": 5}')),
        (b'{"devbridge:trigger":', (None, '{"devbridge:trigger":')),
        (Triggered("queue", "orders", b'{"n":1}', b'{"a":2}').text(), ("queue orders", '{"n":1}')),
        (
            Triggered("queue", "orders", b"7", b"{}", delivery=3).text(),
            ("queue orders", "7"),
        ),
    ],
)
def test_the_beginning_of_a_payload_tells_what_has_triggered_it(
    given: bytes, told: tuple[str | None, str]
) -> None:
    assert begins(given) == told


def test_a_payload_that_is_cut_off_is_shown_as_far_as_it_goes() -> None:
    payload = json.dumps(["ü" * 1000], ensure_ascii=False).encode()
    for given in (payload, Triggered("topic", "news", payload, b"{}").text()):
        _, shown = begins(given[: GIVEN - 1])
        assert shown.startswith('["ü')
        assert shown.endswith("ü…")
    short = Triggered("topic", "news", b"1", json.dumps("x" * 1000).encode()).text()
    assert begins(short[:GIVEN]) == ("topic news", "1")
