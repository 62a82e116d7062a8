from __future__ import annotations

import io
import logging
import sys

import pytest

from devbridge import redaction
from devbridge.log_records import Formatter, StderrHandler

VALUE = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"


def test_records_and_their_tracebacks_are_redacted(caplog: pytest.LogCaptureFixture) -> None:
    redaction.secret(VALUE)
    try:
        raise ValueError(VALUE)
    except ValueError:
        logging.getLogger("devbridge.test").exception("got %s", VALUE)
    text = Formatter("%(message)s").format(caplog.records[-1])
    assert "Traceback" in text
    assert VALUE not in text


def test_records_go_to_what_stderr_is_when_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = StderrHandler()
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    handler.handle(logging.makeLogRecord({"name": "devbridge.test", "msg": "got it"}))
    assert later.getvalue().endswith(" devbridge.test got it\n")
