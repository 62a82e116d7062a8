"""What the command line tests of it is in tests/unit/cli/test_payload.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge.errors import PayloadInvalid, PayloadNotJson
from devbridge.payload.given import check_accepted, check_json


def test_what_is_to_be_done_is_said_by_who_asks() -> None:
    with pytest.raises(PayloadNotJson) as caught:
        check_json(b"{", "the payload", "correct it")
    assert (caught.value.where, caught.value.remedy) == ("the payload", "correct it")


def test_what_a_handler_would_refuse_says_how_it_is_sent_all_the_same(tmp_path: Path) -> None:
    schemas = tmp_path / "schemas.json"
    schemas.write_text(json.dumps({"a": {"type": "integer"}}))
    check_accepted(schemas, "a", "5", "anyway")
    check_accepted(schemas, "unknown", '"text"', "anyway")
    with pytest.raises(PayloadInvalid) as caught:
        check_accepted(schemas, "a", '"text"', "anyway")
    assert str(caught.value.remedy).endswith("; or send it all the same: anyway")
