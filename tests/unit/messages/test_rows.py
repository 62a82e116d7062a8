"""What a table's trigger hears of is done to the table."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App
from devbridge.errors import PayloadError
from devbridge.messages import kinds
from devbridge.messages.chosen import content, set_value
from devbridge.messages.sending import Sender, Sent
from tests.unit.messages.apps import named, trigger
from tests.unit.messages.fakes import FakeCloud

PAYLOAD = {
    "type": "object",
    "properties": {
        "event": {"type": "string"},
        "new": {
            "type": "object",
            "properties": {"id": {"type": "string"}, "a": {"type": "integer"}},
            "required": ["id", "a"],
        },
    },
    "required": ["event", "new"],
}


@pytest.fixture
def there() -> FakeCloud:
    return FakeCloud()


def send(
    there: FakeCloud,
    app: App,
    name: str,
    *sets: str,
    schema: Any = None,
    given: bytes | None = None,
) -> Sent:
    one = trigger(app, "seen", name)
    sender = Sender(there, named(app, "seen"), "ann", {"NotesTable": "notes-1"}, live=True)  # type: ignore[arg-type]
    sent = content(one, schema, given, [set_value(each) for each in sets])
    return kinds.send(sender, one, sent)


def rows(there: FakeCloud) -> list[dict[str, Any]]:
    return list(there.dynamodb.rows.values())


def test_a_row_is_put_that_the_filter_lets_through_with_keys_of_its_own(
    there: FakeCloud, unqueued: App
) -> None:
    there.dynamodb.kinds["at"] = "S"
    for _ in range(2):
        sent = send(there, unqueued, "notes", schema=PAYLOAD)
    first, second = rows(there)
    assert first["id"] != second["id"]
    assert {**first, "id": 0} == {"id": 0, "at": {"S": "now"}, "n": {"N": "5"}, "a": {"N": "1"}}
    assert (sent.to, sent.run, sent.note) == ("table notes", "", "it stays there")
    assert second["id"]["S"] in sent.id


def test_a_row_that_is_given_is_put_once(there: FakeCloud, unqueued: App) -> None:
    row = b'{"id": "x", "at": 5, "n": 1.5}'
    send(there, unqueued, "notes", given=row)
    assert rows(there) == [{"id": {"S": "x"}, "at": {"N": "5"}, "n": {"N": "1.5"}}]
    with pytest.raises(PayloadError, match=r'notes-1 has a row \{"id": "x", "at": 5\}') as caught:
        send(there, unqueued, "notes", given=row)
    assert "--set event=MODIFY" in str(caught.value.remedy)


def test_a_row_is_changed_and_is_put_before_if_it_must_be(there: FakeCloud, unqueued: App) -> None:
    send(there, unqueued, "changed", "new.id=x", "new.at=1", "new.n=1")
    assert rows(there) == [{"id": {"S": "x"}, "at": {"N": "1"}, "n": {"N": "1"}}]
    send(there, unqueued, "changed", "keys.id=x", "keys.at=1", "new.n=2")
    assert rows(there)[0]["n"] == {"N": "2"}
    with pytest.raises(PayloadError, match="is so already"):
        send(there, unqueued, "changed", "keys.id=x", "keys.at=1", "new.n=2")
    sent = send(there, unqueued, "changed")
    assert "changedBy" in rows(there)[1]
    assert "its attribute changedBy was set: --set new.KEY=VALUE" in sent.note


def test_a_binary_key_is_made_and_is_given_in_base64(there: FakeCloud, unqueued: App) -> None:
    there.dynamodb.kinds["id"] = "B"
    there.dynamodb._key = lambda row: str([row[name] for name in there.dynamodb.kinds])  # type: ignore[method-assign]
    for keys in ((), ("keys.id=YWI=",)):
        sent = send(there, unqueued, "changed", *keys, "keys.at=1", "new.n=1")
    made, given = (row["id"]["B"] for row in rows(there))
    assert (len(made), given) == (36, b"ab")
    assert sent.id == '{"id": "YWI=", "at": 1}'
    for bad in ("keys.id=?", "keys.id=5"):
        with pytest.raises(PayloadError, match="cannot be a key of Table 'notes'") as caught:
            send(there, unqueued, "changed", bad)
        assert "base64" in str(caught.value.remedy)


def test_a_row_is_deleted_and_is_put_before_if_it_must_be(there: FakeCloud, unqueued: App) -> None:
    sent = send(there, unqueued, "notes", "event=REMOVE")
    assert there.dynamodb.calls == ["DescribeTable", "PutItem", "DeleteItem"]
    assert rows(there) == []
    assert sent.note == "where it was not, it was put there before"


@pytest.mark.parametrize("wrong", ["event=PUT", "new=5"])
def test_what_is_no_change_of_a_row_is_refused(there: FakeCloud, unqueued: App, wrong: str) -> None:
    with pytest.raises(PayloadError, match="cannot be sent to OnTable 'notes'"):
        send(there, unqueued, "notes", wrong)
    with pytest.raises(PayloadError):
        send(there, unqueued, "notes", given=b"[1]")
