from __future__ import annotations

import pytest

from devbridge.errors import NotFound
from devbridge.resources import Table


def test_a_bound_table_has_its_deployed_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_my_notes", "stack-notes-1")
    assert Table.my_notes.table_name == "stack-notes-1"


def test_an_unbound_table_says_which_are_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_notes", "x")
    with pytest.raises(NotFound, match=r"'other' is not bound here(.|\n)*bound are: notes"):
        _ = Table.other.table_name


def test_dunder_lookups_are_not_tables() -> None:
    assert not hasattr(Table, "__wrapped__")
