"""The pytest plugin as users have it: in a fresh project, with workers of pytest-xdist, and where
the session ends before its time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.dev_process import DEADLINE, PYTHON, clean_environment, processes_of, run
from tests.unit.test_docs_pages import PAGES, blocks

pytestmark = pytest.mark.timeout(240)

PYTEST = [PYTHON, "-P", "-m", "pytest", "-p", "no:cacheprovider"]


class Project:
    """What `devbridge init` makes. All temporary files of its tests are in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        done = run(folder, "init", "hello")
        assert done.returncode == 0, done.stderr
        self.root = folder / "hello"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {**clean_environment(), "TMPDIR": str(self.temporary)}
        return subprocess.Popen(
            [*PYTEST, *arguments],
            cwd=self.root,
            env={k: v for k, v in environment.items() if not k.startswith("PYTEST_")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def left(self) -> list[str]:
        """Folders of stages, and processes that work in one."""
        folders = [str(path) for path in self.temporary.glob("devbridge-*")]
        return [*folders, *processes_of(self.temporary)]

    def is_clean(self) -> bool:
        """Nothing of the stages is left, now or in a moment."""
        until = time.monotonic() + 2 * DEADLINE
        while self.left() and time.monotonic() < until:
            time.sleep(0.05)
        return not self.left()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    assert made.is_clean(), made.left()
    assert not (made.root / ".devbridge").exists()
    assert not (made.root / "typings").exists()


def test_the_tests_of_a_fresh_project_and_of_the_page_pass_and_leave_nothing(
    project: Project,
) -> None:
    page = blocks(PAGES["testing.md"], "python")
    for code in page:
        (project.root / code.split()[1]).write_text(code)
    with project.start("-v") as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    own = (project.root / "tests" / "test_factorial.py").read_text()
    counts = re.findall(r"(\d+) (?:passed|skipped)", output.splitlines()[-1])
    assert sum(map(int, counts)) == "".join([own, *page]).count("def test_")
    assert project.left() == [], "nothing is left when pytest has ended"


STARTS = """
    import json

    def handler(event, context):
        print("asked")
        return {"statusCode": 202, "body": json.loads(event["body"])["num"]}
"""
CALLS = """
    import urllib.error
    import urllib.request

    def status(stage, body):
        url = stage.outputs["ApiUrl"] + "/factorial"
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def test_that_passes(devbridge_stage):
        assert status(devbridge_stage, b"{}") == 500
        assert status(devbridge_stage, b'{"num": "5"}') == 202

    def test_that_fails(devbridge_stage):
        assert status(devbridge_stage, b"{}") == 500
        assert status(devbridge_stage, b'{"num": "5"}') == 500
"""


def test_what_functions_have_printed_is_shown_where_a_test_fails(project: Project) -> None:
    (project.root / "api" / "start.py").write_text(textwrap.dedent(STARTS))
    (project.root / "tests" / "test_factorial.py").write_text(textwrap.dedent(CALLS))
    with project.start() as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    section = output.partition("- Output of function api-start -")[2].partition("\n====")[0]
    # Of a request the last words may come after its answer: those of the one before are there.
    assert re.search(r"^asked\n--- devbridge: \S+ POST /factorial raised KeyError ", section, re.M)
    assert "KeyError: 'num'" in section, output
    assert section.count(" raised ") == 1, output


INTERRUPTED = """
    import json, os, signal
    from pathlib import Path

    import pytest

    HERE = Path(__file__).parent

    def note(name, stage):
        draft = HERE / f"{name}.draft"
        draft.write_text(json.dumps([stage.endpoint_url, stage.outputs]))
        draft.rename(HERE / f"{name}.json")

    @pytest.mark.xdist_group("killed")
    def test_a_worker_that_is_killed(devbridge_stage):
        devbridge_stage.invoke("factorial", {"num": 5}).wait()
        note("killed", devbridge_stage)
        os.kill(os.getpid(), signal.SIGKILL)

    @pytest.mark.xdist_group("waits")
    def test_that_waits_for_ctrl_c(devbridge_stage):
        devbridge_stage.invoke("factorial", {"num": 6}).wait()
        note("waits", devbridge_stage)
        signal.pause()
"""


def test_each_worker_has_a_stage_that_ends_with_it_however_it_ends(project: Project) -> None:
    tests = project.root / "tests"
    (tests / "test_factorial.py").write_text(textwrap.dedent(INTERRUPTED))
    notes = [tests / "killed.json", tests / "waits.json"]
    with project.start("-n", "2", "--dist", "loadgroup", "--max-worker-restart", "0") as process:
        until = time.monotonic() + 2 * DEADLINE
        while not all(note.exists() for note in notes) and time.monotonic() < until:
            time.sleep(0.05)
        (killed, _), (waits, outputs) = (json.loads(note.read_text()) for note in notes)
        assert killed != waits
        assert outputs["ApiUrl"]
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=120)
    assert project.is_clean(), project.left()
