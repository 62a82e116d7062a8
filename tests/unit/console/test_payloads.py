from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devbridge.console import payloads as module
from devbridge.console.payloads import FOLDER, forget, payloads, save
from devbridge.constructs import App, Job, OnQueue, Queue
from devbridge.constructs.app import loading
from devbridge.errors import InvalidValue, NotFound, PayloadNotJson, UnknownJob
from devbridge.runs.model import State
from runner.triggered import Triggered

from .stages import Stage


def test_recent_payloads_come_once_the_newest_first(stage: Stage) -> None:
    stage.add(payload=b"1")
    stage.add(payload=Triggered("queue", "orders", b"2", b"{}").text())
    stage.add(payload=b"3", job="other")
    newest = stage.add(State.FAILED, b"1")
    stage.add(payload=json.dumps("x" * module.LARGEST).encode())
    found = payloads(stage.subject, "factorial").recent
    assert [each.payload for each in found] == ["1", "2"]
    assert (found[0].id, found[0].at) == (newest, 1040.0)


def test_only_so_many_are_recent(stage: Stage) -> None:
    for number in range(module.RECENT + 5):
        stage.add(payload=str(number).encode())
    assert len(payloads(stage.subject, "factorial").recent) == module.RECENT


def test_a_saved_payload_is_a_file_of_the_app(stage: Stage) -> None:
    save(stage.subject, "factorial", "A large one", '{"num": 1e3, "é": "ü"}')
    path = stage.root / FOLDER / "factorial" / "A large one.json"
    assert json.loads(path.read_text("utf-8"))["num"] == 1000
    save(stage.subject, "factorial", "A large one", '{"num": 2}')
    assert path.read_text() == '{"num": 2}\n'
    (saved,) = payloads(stage.subject, "factorial").saved
    assert (saved.name, saved.payload) == ("A large one", '{"num": 2}')
    forget(stage.subject, "factorial", "A large one")
    assert payloads(stage.subject, "factorial").saved == []
    assert not (stage.root / FOLDER).exists(), "nothing is left of it"
    with pytest.raises(NotFound, match="no payload 'A large one'"):
        forget(stage.subject, "factorial", "A large one")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc/passwd", "-a", "x" * 65, "a\n", "ü", ".hidden"]
)
def test_a_name_that_could_be_another_place_is_refused(stage: Stage, name: str) -> None:
    with pytest.raises(InvalidValue):
        save(stage.subject, "factorial", name, "1")
    with pytest.raises(InvalidValue):
        forget(stage.subject, "factorial", name)


def test_only_json_of_a_job_that_there_is_is_saved(stage: Stage) -> None:
    with pytest.raises(PayloadNotJson):
        save(stage.subject, "factorial", "a", "{")
    for job in ("none", "../factorial"):
        with pytest.raises(UnknownJob):
            save(stage.subject, job, "a", "1")
        with pytest.raises(UnknownJob):
            payloads(stage.subject, job)
    assert not (stage.root / FOLDER).exists()


def test_files_of_others_in_that_folder_are_left_alone(stage: Stage) -> None:
    folder = stage.root / FOLDER / "factorial"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("about these")
    (folder / "by hand.json").write_text("[1]")
    assert [each.name for each in payloads(stage.subject, "factorial").saved] == ["by hand"]
    forget(stage.subject, "factorial", "by hand")
    assert (folder / "README.md").exists()


def test_what_is_no_file_takes_no_page_away(stage: Stage) -> None:
    folder = stage.root / FOLDER / "factorial"
    (folder / "folder.json").mkdir(parents=True)
    (folder / "gone.json").symlink_to(folder / "nowhere")
    (folder / "latin.json").write_bytes('"ü"'.encode("latin-1"))
    assert [each.name for each in payloads(stage.subject, "factorial").saved] == ["latin"]
    with pytest.raises(InvalidValue, match="a folder has that name"):
        save(stage.subject, "factorial", "folder", "1")
    with pytest.raises(NotFound):
        forget(stage.subject, "factorial", "folder")
    assert {path.name for path in folder.iterdir()} == {"folder.json", "gone.json", "latin.json"}


def test_pages_may_save_by_the_same_name_at_the_same_time(stage: Stage) -> None:
    def write(_: int) -> None:
        save(stage.subject, "factorial", "a", "1")
        with contextlib.suppress(NotFound):
            forget(stage.subject, "factorial", "a")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(200)))
    assert not (stage.root / FOLDER).exists()


def test_samples_are_of_the_schema_and_of_each_trigger(stage: Stage, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"num": {"type": "integer"}}, "required": ["num"]}
    stage.config.schemas.write_text(json.dumps({"factorial": schema}))
    with loading(stage.root):
        stage.app = App("demo")
        queue = Queue(stage.app, "orders")
        Job(
            stage.app,
            "factorial",
            handler="jobs/factorial.handler",
            triggers=[OnQueue(queue)],
        )
    example, order = payloads(stage.subject, "factorial").samples
    assert (example.name, example.trigger) == ("example", None)
    assert json.loads(example.payload) == {"num": 1}
    assert (order.name, order.trigger) == ("queue orders", "queue orders")
    assert json.loads(order.payload) == {"num": 1}
