from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge import types
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.languages.base import Asking
from devbridge.live.schemas import job_types, known_schemas, payload_schemas, retyped
from devbridge.live.unloaded import Unloaded

INTEGER = {"type": "integer"}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "app.py").write_text('from devbridge import App\n\napp = App("demo")\n')
    return Config(root=tmp_path, python=Path(sys.executable), stage="ann")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the handlers were asked with."""
    asked: list[Any] = []

    def probe(app: object, asking: Asking) -> dict[str, Any]:
        asked.append((asking.python, asking.given))
        return {
            "a": SimpleNamespace(warning="no module named torch", payload=None, loaded=False),
            "b": SimpleNamespace(warning="", payload=INTEGER, loaded=True),
        }

    monkeypatch.setattr("devbridge.languages.probing.probe", probe)
    monkeypatch.setattr("devbridge.types.schemas", lambda _: {"b": INTEGER})
    return asked


def test_a_handler_that_cannot_be_imported_is_a_warning_of_its_job(
    config: Config, asked: list[Any]
) -> None:
    warned: list[str] = []
    found = job_types(load_app(config.root), config, warned.append, pytest.fail)
    assert list(found) == ["a", "b"]
    assert warned == ["job 'a': no module named torch"]
    assert asked == [(config.python, config.env)]


def test_somebody_else_may_be_told_of_a_handler_that_cannot_be_imported(
    config: Config, asked: list[Any]
) -> None:
    told: list[str] = []
    unloaded, app = Unloaded(), load_app(config.root)
    job_types(app, config, told.append, pytest.fail, unloaded=unloaded)
    assert told == []
    unloaded.tell(lambda: ())
    assert told == ["job 'a': no module named torch"]


def test_schemas_are_kept_for_live_jobs_and_stubs_are_written(
    config: Config, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr("devbridge.types.write", lambda app, *_: written.append(app.name))
    assert known_schemas(load_app(config.root), config, lambda _: None, pytest.fail) == {
        "b": INTEGER
    }
    assert json.loads(config.schemas.read_text()) == {"b": INTEGER}
    assert json.loads(config.job_names.read_text()) == ["a", "b"]
    assert json.loads(config.later_jobs.read_text()) == []
    assert written == ["demo"]


def test_which_jobs_take_runs_for_a_later_time_is_written_down(
    config: Config, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbridge.types.write", lambda *_: None)
    (config.root / "a.py").write_text("def handler(payload): ...\n")
    (config.root / "app.py").write_text(
        'from devbridge import App, Job\n\napp = App("demo")\n'
        'Job(app, "remind", handler="a.handler", later=True)\nJob(app, "b", handler="a.handler")\n'
    )
    known_schemas(load_app(config.root), config, lambda _: None, pytest.fail)
    assert json.loads(config.later_jobs.read_text()) == ["remind"]


def test_what_ctrl_c_has_ended_is_not_written(
    config: Config, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbridge.types.write", lambda *_: pytest.fail("half of it is known"))
    known_schemas(load_app(config.root), config, pytest.fail, pytest.fail, lambda: True)
    assert not config.schemas.exists()


def test_schemas_are_asked_for_while_something_else_is_prepared(
    config: Config, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbridge.types.write", lambda *_: None)
    with payload_schemas(load_app(config.root), config, lambda _: None, pytest.fail) as schemas:
        assert schemas.result(30) == {"b": INTEGER}


def test_a_handler_whose_import_ctrl_c_has_ended_is_no_warning(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, shutdown = threading.Event(), ThreadPoolExecutor.shutdown

    def probe(*_: object, **__: object) -> dict[str, Any]:
        ended.wait()
        return {"a": SimpleNamespace(warning="KeyboardInterrupt:")}

    def shut_down(pool: ThreadPoolExecutor, *arguments: Any, **options: Any) -> None:
        ended.set()
        shutdown(pool, *arguments, **options)

    monkeypatch.setattr("devbridge.languages.probing.probe", probe)
    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shut_down)
    app = load_app(config.root)
    with pytest.raises(KeyboardInterrupt), payload_schemas(app, config, pytest.fail, pytest.fail):
        raise KeyboardInterrupt
    assert not config.schemas.exists()


def test_a_slow_import_is_said_with_its_place(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(_: object, asking: Asking) -> dict[str, Any]:
        slow = asking.slow
        slow(types.Slow("importing jobs/a.py", 2.04, "jobs/a.py:3"))
        slow(types.Slow("importing jobs/a.py", 10.1, ""))
        return {}

    monkeypatch.setattr("devbridge.languages.probing.probe", probe)
    said: list[str] = []
    job_types(load_app(config.root), config, pytest.fail, said.append)
    what = "  types    importing jobs/a.py to learn its types"
    assert said == [f"{what}: 2 s so far, at jobs/a.py:3", f"{what}: 10 s so far"]


def test_whatever_ends_the_block_ends_the_imports(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(*_: object, stopped: Any, **__: object) -> dict[str, Any]:
        while not stopped():
            threading.Event().wait(0.01)
        return {}

    monkeypatch.setattr("devbridge.languages.probing.probe", probe)
    app = load_app(config.root)
    with (
        pytest.raises(ValueError, match="cloud"),
        payload_schemas(app, config, pytest.fail, pytest.fail),
    ):
        raise ValueError("no cloud")


def test_the_jobs_whose_payload_types_changed_are_named() -> None:
    before = {"same": {"type": "object"}, "changed": {"type": "object"}, "untyped": {}}
    after = {"same": {"type": "object"}, "changed": {"type": "string"}, "typed": {}}
    assert retyped(before, after) == ["changed", "typed", "untyped"]
