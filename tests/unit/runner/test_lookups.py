from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner import lookups


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names that the daemon is told of."""
    names: list[str] = []

    class Client:
        def __init__(self, address: str) -> None:
            assert address == "api"

        def report_lookup(self, name: str) -> int:
            names.append(name)
            return 202

        def close(self) -> None: ...

    data, raw = os.environ._data, os.environb._data  # type: ignore[attr-defined]
    monkeypatch.setattr(lookups, "RuntimeClient", Client)
    yield names
    os.environ._data, os.environb._data = data, raw  # type: ignore[attr-defined]
    lookups._names.clear()
    lookups._where.clear()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Run code of the app's, with these variables withheld from it."""
    monkeypatch.setenv(lookups.WITHHELD, "SECRET OTHER PYTHONPATH LD_LIBRARY_PATH")
    lookups.watch(str(tmp_path), "api")

    def run(code: str, file: str = "job.py") -> None:
        exec(compile(code, str(tmp_path / file), "exec"), {})  # noqa: S102

    return run


App = Callable[[str], None]


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.environ.get('SECRET')",
        "import os; os.getenv('SECRET')",
        "import os; 'SECRET' in os.environ or os.environ.get('SECRET')",
        "import os; os.environb.get(b'SECRET')",
        "import os\ntry: os.environ['SECRET']\nexcept KeyError: pass",
    ],
)
def test_what_the_app_looks_for_in_vain_is_told_once(told: list[str], app: App, code: str) -> None:
    app(code)
    app(code)
    assert told == ["SECRET"]


def test_what_is_there_or_not_withheld_is_nobodys_business(
    told: list[str], app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "x")
    app("import os; os.environ.get('OTHER'); os.environ.get('NOT_WITHHELD')")
    assert told == []
    with pytest.raises(KeyError):
        app("import os; os.environ['NOT_WITHHELD']")


def test_what_a_library_asks_by_itself_is_not_the_apps(
    told: list[str], app: Callable[..., None]
) -> None:
    os.environ.get("SECRET")
    app("import os; os.environ.get('SECRET')", "site-packages/library.py")
    assert told == []


def test_the_names_themselves_are_taken_away(told: list[str], app: App) -> None:
    assert lookups.WITHHELD not in os.environ


def test_without_names_nothing_is_watched(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(lookups.WITHHELD, raising=False)
    before = os.environ._data  # type: ignore[attr-defined]
    lookups.watch("/app", "api")
    assert os.environ._data is before  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (ModuleNotFoundError(), ["PYTHONPATH"]),
        (ImportError(), ["LD_LIBRARY_PATH"]),
        (ValueError(), []),
    ],
)
def test_an_import_that_fails_may_miss_the_shells_paths(
    told: list[str], app: App, error: BaseException, names: list[str]
) -> None:
    lookups.missed_import(error)
    assert told == names


def test_a_daemon_that_cannot_be_told_is_no_error_of_the_apps(
    told: list[str], app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_address: str) -> None:
        raise OSError

    monkeypatch.setattr(lookups, "RuntimeClient", fail)
    lookups.tell("SECRET")
    assert told == []
