from __future__ import annotations

from pathlib import Path

from devbridge.workers.modules import Modules
from devbridge.workers.signatures import Entries

APP, LIB, DATA = Path("/app"), Path("/lib"), Path("/data")


def test_all_that_was_read_is_watched_but_installed_packages() -> None:
    """Those change in pieces, while pip is at work: they are waited for."""
    modules = Modules(
        user_files=frozenset({APP / "a.py"}),
        third_party=("boto3",),
        own=frozenset({LIB / "b.py"}),
        installed=frozenset({LIB / "site-packages" / "boto3.py"}),
        listed=frozenset({DATA}),
        lookups={APP: frozenset({"a", "c"})},
    )
    assert modules.watched == {
        APP / "a.py",
        LIB / "b.py",
        Entries(DATA),
        Entries(APP, frozenset({"a", "c"})),
    }


def test_a_worker_that_has_read_nothing_is_out_of_date_by_nothing() -> None:
    assert Modules(frozenset(), ()).watched == frozenset()
