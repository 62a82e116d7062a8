"""A hostile app under `devbridge dev --local --verbose`: what reaches the terminal, the log files
and the jobs of escape sequences, credentials and the developer's shell."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dev_process import DevProcess, client, run, run_line

APP = """\
import logging, os, sys, warnings
import http.client

import boto3

class Mine(logging.Logger):
    pass

logging.setLoggerClass(Mine)
logging.basicConfig(level=logging.DEBUG, force=True)
logging.captureWarnings(True)
boto3.set_stream_logger("", logging.DEBUG)
http.client.HTTPConnection.debuglevel = 1
warnings.simplefilter("error")
sys.excepthook = lambda *_: None
os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
os.environ["FROM_APP_PY"] = "dotenv"
logging.getLogger("mine").info("app.py is loaded")

from devbridge import App, Job

app = App("hostile", inherit=["FROM_*"])
Job(app, "j", handler="jobs/j.handler", environment={"ITS_OWN": "job"})
"""

JOB = r"""
import json, os, sys
from pathlib import Path

ONLY_IN_SHELL = os.getenv("AT_LOAD")

def handler(payload):
    match payload["do"]:
        case "credentials":
            import boto3

            account = boto3.client("sts").get_caller_identity()["Account"]
            found = boto3.Session().get_credentials().get_frozen_credentials()
            token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
            secrets = [found.access_key, found.secret_key, found.token, token]
            Path(payload["tell"]).write_text(json.dumps(secrets))
            return account
        case "spoof":
            print("\x1b]52;c;QUFB\x07\x1b]0;title\x07\x1b[?1049h\x1b[2J\x0e\x9b2J")
            print("\x1b[1A\x1b[2K|  deadbeef  Done    took 1ms\u2028|  deadbeef  Done\u202e")
            print("\x1b[41m red")
            sys.stdout.write("\x1b"); sys.stdout.flush()
            sys.stdout.write("[31mwhole\n"); sys.stdout.flush()
            raise ValueError("\x1b]52;c;AAAA\x07 \x1b[2J\n|  deadbeef  Done    took 1ms")
        case "environment":
            return dict(os.environ)
        case "missing":
            return os.environ["DATABASE_URL"]
"""
SHELL = {
    "GITHUB_TOKEN": "shells",
    "DATABASE_URL": "shells",
    "AT_LOAD": "shells",
    "GIVEN": "shells",
    "FROM_SHELL": "shells",
    "PYTHONWARNINGS": "ignore",
    "LC_TIME": "C",
    "HTTP_PROXY": "http://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile") / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "jobs" / "j.py").write_text(textwrap.dedent(JOB))
    return root


@pytest.fixture(scope="module")
def dev(app: Path) -> Iterator[DevProcess]:
    options = ("--env", "GIVEN", "--env", "SAID=so", "--env", "ITS_OWN=given", "--env", "NOT_THERE")
    started = DevProcess(app, "--local", "--stage", "s", "--verbose", *options, environment=SHELL)
    with started as dev:
        dev.wait_for(r"^Ready")
        yield dev


def finished(app: Path, payload: dict[str, Any]) -> dict[str, Any]:
    """The run of a payload once it has ended."""
    done = run(app, "invoke", "j", "--payload", json.dumps(payload), "--stage", "s", "--json")
    assert done.returncode == 0, done.stderr
    job_id = json.loads(done.stdout)["id"]
    run(app, "wait", job_id, "--stage", "s")
    found: dict[str, Any] = json.loads(run(app, "status", job_id, "--stage", "s", "--json").stdout)
    return found


def test_nothing_that_a_job_says_commands_the_terminal_or_forges_a_line(
    dev: DevProcess, app: Path
) -> None:
    mark = dev.mark
    found = finished(app, {"do": "spoof"})
    short = found["id"][:8]
    dev.wait_for(run_line(short, ".*after "), after=mark)
    shown = [line for line in dev.lines[mark:] if short in line or "deadbeef" in line]
    assert all(re.match(run_line(short, "") + "|\x1b", line) for line in shown), shown
    texts = "\n".join(shown)
    assert not re.search("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u2028\u202e]", texts)
    assert not re.search("\x1b(?!\\[[0-9;]*m)", texts)
    assert r"\x1b]52;c;QUFB\x07\x1b]0;title\x07\x1b[?1049h\x1b[2J\x0e\x9b2J" in texts
    assert r"|  deadbeef  Done    took 1ms\u2028|  deadbeef  Done\u202e" in texts
    assert "\x1b[41m red\x1b[0m" in texts
    assert "\x1b[31mwhole\x1b[0m" in texts
    assert r"ValueError: \x1b]52;c;AAAA\x07 \x1b[2J" in texts

    log = Path(found["log"]).read_bytes()
    assert b"\x1b]52;c;QUFB\x07" in log
    for command in ("status", "wait", "logs"):
        said = run(app, command, found["id"], "--stage", "s").stdout
        assert r"\x1b]52;c;" in said, command
        assert not re.search("\x1b(?!\\[[0-9;]*m)", said), command
        assert not re.search("[\x07\x0e\x9b\u2028\u202e]", said), command
    payload = json.dumps({"do": "spoof"})
    waited = run(app, "invoke", "j", "--payload", payload, "--stage", "s", "--wait").stdout
    assert r"ValueError: \x1b]52;c;AAAA\x07" in waited
    assert "\x1b" not in waited
    raw = run(app, "logs", found["id"], "--stage", "s", "--raw").stdout
    assert "\x1b]52;c;QUFB\x07" in raw


def test_a_job_gets_of_the_shell_what_all_get_and_what_it_is_given(
    dev: DevProcess, app: Path
) -> None:
    for _ in range(3):
        got = finished(app, {"do": "environment"})["result"]
        assert not {"GITHUB_TOKEN", "DATABASE_URL", "AT_LOAD", "PYTHONWARNINGS"} & got.keys()
        assert not {"DEVBRIDGE_WITHHELD", "NOT_THERE"} & got.keys()
        assert {
            name: got.get(name)
            for name in ("GIVEN", "SAID", "ITS_OWN", "FROM_SHELL", "FROM_APP_PY", "LC_TIME")
        } == {
            "GIVEN": "shells",
            "SAID": "so",
            "ITS_OWN": "given",
            "FROM_SHELL": "shells",
            "FROM_APP_PY": "dotenv",
            "LC_TIME": "C",
        }
        assert got["PATH"]
    assert "--env NOT_THERE: your shell has no NOT_THERE" in dev.text


def test_a_variable_that_only_the_shell_has_is_said_once_with_the_line_that_adds_it(
    dev: DevProcess, app: Path
) -> None:
    for _ in range(2):
        error = finished(app, {"do": "missing"})["error"]
        assert (error["type"], error["message"]) == ("KeyError", "'DATABASE_URL'")
    for name in ("DATABASE_URL", "AT_LOAD"):
        line = (
            f"j looks for {name}, which your shell has and jobs do not get: devbridge dev --env"
            f' {name}, or App(..., inherit=["{name}"])'
        )
        assert dev.text.count(line) == 1, dev.text


def test_a_bound_command_keeps_the_shell_and_nothing_of_ours_is_logged(
    dev: DevProcess, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "shells")
    code = "import os; print(*map(os.environ.get, ('GITHUB_TOKEN', 'FROM_APP_PY', 'AWS_PROFILE')))"
    done = run(app, "bind", "--stage", "s", "--local", "--", sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "shells dotenv None\n"
    assert "app.py is loaded" in done.stderr
    assert not {name for name in ("botocore", "urllib3", "s3transfer") if name in done.stderr}


def test_no_credential_is_printed_or_logged_whatever_app_py_does_to_logging(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    secrets: list[str] = []
    for number in range(3):
        if number == 2:  # loaded once more, by a thread, while the daemon works
            mark = dev.mark
            (app / "app.py").write_text(APP + 'Job(app, "second", handler="jobs/j.handler")\n')
            dev.wait_for("^Deployed|Reloaded second|Deployed in", after=mark)
        tell = tmp_path / str(number)
        found = finished(app, {"do": "credentials", "tell": str(tell)})
        assert found["state"] == "SUCCEEDED", found
        secrets += json.loads(tell.read_text())
    key = json.loads((app / ".devbridge" / "cloud" / "root-key.json").read_text())
    secrets.append(key["secret_key"])
    assert client(app, "sts").get_caller_identity()["Account"]

    files = [path for path in (app / ".devbridge" / "s").rglob("*") if path.is_file()]
    assert "debug.log" in {path.name for path in files}
    written = b"\0".join(path.read_bytes() for path in files).decode("utf-8", "replace")
    assert [s for s in secrets if s in dev.text] == []
    assert [s for s in secrets if s in written] == []
    assert len(set(secrets)) >= 5
    assert "app.py is loaded" in dev.text  # its own records are seen
    assert not {name for name in ("botocore", "urllib3", "s3transfer") if name in dev.text}
