"""The README's story, as a user lives it: start, call, watch, edit, call again, Ctrl-C."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from devbridge import proxies
from devbridge.emulator.install import install
from devbridge.emulator.ports import free_port
from tests.e2e.dev_process import PYTHON, DevProcess, processes_of, run, run_line

REQUEST = r"^\|  api-start  +POST /factorial"
EXAMPLE = Path(__file__).parents[2] / "examples" / "factorial"


def curl(line: str) -> tuple[int, str]:
    """Run the curl line that devbridge printed; the status and the body."""
    done = subprocess.run(  # noqa: S602 - as the user pastes it
        f"{line} -s -w '\\n%{{http_code}}'",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@pytest.fixture
def example(tmp_path: Path) -> Path:
    app = tmp_path / "factorial"
    shutil.copytree(EXAMPLE, app, ignore=shutil.ignore_patterns(".devbridge", "__pycache__"))
    return app


def the_story(app: Path) -> None:
    with DevProcess(app, "--local", "--stage", "story") as dev:
        dev.wait_for(r"^Ready")
        line = dev.wait_for(r"^\s+(curl .+)$").group(1)

        status, body = curl(line)
        assert status == 202
        job_id = json.loads(body)["jobId"]
        short = job_id[:8]
        dev.wait_for(rf"{REQUEST} 202 ")
        dev.wait_for(run_line(short, "Invoke factorial"))
        dev.wait_for(run_line(short, r"\+\S+ +computing "))
        dev.wait_for(run_line(short, r"\+\S+ +wrote "))
        dev.wait_for(run_line(short, "Done    took "))

        listed = run(app, "jobs", "--stage", "story", "--json")
        assert listed.returncode == 0, listed.stderr
        assert [(row["id"], row["state"]) for row in json.loads(listed.stdout)] == [
            (job_id, "SUCCEEDED")
        ]
        logged = run(app, "logs", short, "--stage", "story")
        assert logged.stdout.startswith("computing ")

        handler = app / "jobs" / "factorial.py"
        code = handler.read_text()
        assert "computing" in code
        handler.write_text(code.replace("computing", "now calculating"))
        dev.wait_for(r"^Reloaded factorial")
        mark = dev.mark
        status, body = curl(line)
        again = json.loads(body)["jobId"][:8]
        dev.wait_for(run_line(again, r"\+\S+ +now calculating "), after=mark)
        dev.wait_for(run_line(again, "Done    took "), after=mark)
        shown = "\n".join(dev.lines[mark:])
        assert re.search(rf"{REQUEST}.*\n{run_line(again, 'Invoke')}", shown, re.M), shown

        start = app / "api" / "start.py"
        code = start.read_text()
        begun = re.sub(r"^def handler\(.*$", r"\g<0>\n    print('asked')", code, flags=re.M)
        start.write_text(begun)
        dev.wait_for(r"^Reloaded api-start")
        mark = dev.mark
        assert curl(line)[0] == 202
        dev.wait_for(r"^\|  api-start  +\+\S+ +asked$", after=mark)
        assert "Deployed" not in dev.text

        url = re.search(r"https?://[^/\s'\"]+", line)
        assert url is not None
        port = int(url.group(0).rpartition(":")[2])
        assert dev.interrupt() == 0, dev.text

    assert processes_of(app) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the port is still open"
    assert not list((app / ".devbridge" / "cloud").glob("tmp/*"))


def test_the_example_runs_reloads_and_leaves_nothing_behind(example: Path) -> None:
    the_story(example)


def test_an_app_made_by_init_in_an_empty_folder_lives_the_same_story_behind_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(Path(PYTHON), print)  # through the proxy it could not be
    nowhere = f"http://127.0.0.1:{free_port()}"
    for name in proxies.VARIABLES:
        if name.upper() == "NO_PROXY":
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, nowhere)
    made = run(tmp_path, "init", "fresh")
    assert made.returncode == 0, made.stderr
    the_story(tmp_path / "fresh")


def test_a_second_start_with_nothing_changed_deploys_nothing(example: Path) -> None:
    with DevProcess(example, "--local", "--stage", "twice") as first:
        first.wait_for(r"^Ready")
        assert first.interrupt() == 0
    with DevProcess(example, "--local", "--stage", "twice") as second:
        second.wait_for(r"^Ready")
        assert re.search(r"nothing to deploy", second.text), second.text
        assert second.interrupt() == 0
