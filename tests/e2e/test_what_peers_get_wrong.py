"""The weaknesses of devbridge's peers (SST v2 and others), each through the whole real path."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import psutil
import pytest

from devbridge.emulator.state import Running
from tests.e2e.dev_process import DevProcess, command, run, run_line

APP = """\
from devbridge import App, Job, Table

app = App("probe-app")
notes = Table(app, "notes", partition_key="id")
Job(app, "probe", handler="jobs/probe.handler", timeout="20 minutes", bind=[notes])
Job(app, "fragile", handler="jobs/fragile.handler")
"""
PROBE = """\
import os, signal, sys, time
from pathlib import Path

WHO = "first"

def handler(payload, context):
    if not isinstance(payload, dict) or "do" not in payload:
        return payload
    print("doing", payload["do"], flush=True)
    match payload["do"]:
        case "wait":
            Path(payload["started"]).touch()
            while not Path(payload["until"]).exists():
                time.sleep(0.01)
            return WHO
        case "count":
            with open(payload["file"], "a") as file:
                file.write("ran\\n")
            return "counted"
        case "raise":
            def inner():
                return 1 / 0
            return inner()
        case "exit":
            sys.exit(payload["code"])
        case "os-exit":
            os._exit(payload["code"])
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "unserialisable":
            return {"a": [1, {2, 3}]}
        case "remaining":
            return context.get_remaining_time_in_millis()
        case "path":
            return os.environ["PATH"]
        case "environment":
            return sorted(k for k in os.environ if k.startswith("AWS_"))
        case "noise":
            sys.stdout.buffer.write(b"caf\\xe9 \\xff no newline")
        case "who":
            return WHO
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("peers") / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "jobs" / "probe.py").write_text(PROBE)
    (root / "jobs" / "fragile.py").write_text("def handler(payload):\n    return 'fine'\n")
    return root


@pytest.fixture(scope="module")
def dev(app: Path) -> Iterator[DevProcess]:
    environment = {"AWS_ACCESS_KEY_ID": "AKIAMUSTNOTLEAK000", "AWS_SECRET_ACCESS_KEY": "s3cr3t0"}
    with DevProcess(
        app, "--local", "--stage", "peers", "--verbose", "--grace", "1", environment=environment
    ) as process:
        process.wait_for(r"^Ready")
        yield process


def invoke(app: Path, payload: object, *options: str, job: str = "probe") -> dict[str, Any]:
    """Start a job through the deployed invoker; its answer."""
    text = json.dumps(payload, ensure_ascii=False)
    arguments = ("invoke", job, "--payload", "-", "--stage", "peers", "--local", "--json", *options)
    done = command(app, *arguments, stdin=text)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def row(app: Path, job_id: str) -> dict[str, Any]:
    listed = command(app, "jobs", "--stage", "peers", "--json", "--limit", "500")
    return next(r for r in json.loads(listed.stdout) if r["id"] == job_id)


def finished(dev: DevProcess, app: Path, payload: object, word: str = "Done") -> dict[str, Any]:
    """Run a job to its end; its row of `devbridge jobs --json`."""
    job_id = invoke(app, payload)["id"]
    dev.wait_for(run_line(job_id, word))
    return row(app, job_id)


def the_rest(dev: DevProcess, job_id: str) -> str:
    """All lines of a run so far."""
    return "\n".join(line for line in dev.lines if re.match(run_line(job_id, ""), line))


@pytest.mark.parametrize(
    "payload",
    [0, False, "", None, [], {}, "a\u2028b", "😀", "漢字" * 25_000, [[[[[[0]]]]]], 1.5, {"": ""}],
    ids=lambda value: ascii(value)[:20],
)
def test_every_json_value_arrives_unchanged(dev: DevProcess, app: Path, payload: object) -> None:
    result = finished(dev, app, payload)["result"]

    assert result == payload
    assert type(result) is type(payload)


def test_a_payload_of_five_megabytes_arrives_unchanged(dev: DevProcess, app: Path) -> None:
    payload = [os.urandom(1000).hex() for _ in range(2600)]

    assert finished(dev, app, payload)["result"] == payload


def test_a_save_never_touches_a_running_job(dev: DevProcess, app: Path, tmp_path: Path) -> None:
    started, until = tmp_path / "started", tmp_path / "until"
    long = invoke(app, {"do": "wait", "started": str(started), "until": str(until)})["id"]
    dev.wait_for(run_line(long, ".*doing wait"))

    probe, mark = app / "jobs" / "probe.py", dev.mark
    probe.write_text(PROBE.replace('"first"', '"second"'))
    dev.wait_for(r"^Reloaded probe", after=mark)
    meanwhile = finished(dev, app, {"do": "who"})
    until.touch()
    dev.wait_for(run_line(long, "Done"))

    assert meanwhile["result"] == "second"
    assert row(app, long)["result"] == "first"
    mark = dev.mark
    probe.write_text(PROBE)
    dev.wait_for(r"^Reloaded probe", after=mark)


def test_a_broken_save_is_shown_at_once_and_fails_requests_instead_of_queueing_them_for_ever(
    dev: DevProcess, app: Path
) -> None:
    fragile, mark = app / "jobs" / "fragile.py", dev.mark
    good = fragile.read_text()
    fragile.write_text("def handler(payload)\n    return 'never'\n")
    dev.wait_for(r"^Error  fragile cannot be loaded: SyntaxError", after=mark)

    job_id = invoke(app, {}, job="fragile")["id"]
    dev.wait_for(run_line(job_id, "Error +SyntaxError"), after=mark)
    fragile.write_text(good)
    dev.wait_for(r"^Reloaded fragile", after=mark)

    again = invoke(app, {}, job="fragile")["id"]
    dev.wait_for(run_line(again, "Done"), after=mark)
    assert row(app, job_id)["state"] == "FAILED"


def test_duplicates_give_one_job_id_and_run_once(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    payload = {"do": "count", "file": str(tmp_path / "runs")}
    answers = [invoke(app, payload, "--idempotency-key", "once") for _ in range(3)]
    dev.wait_for(run_line(answers[0]["id"], "Done"))

    assert len({answer["id"] for answer in answers}) == 1
    assert (tmp_path / "runs").read_text() == "ran\n"


def test_an_exception_shows_the_users_frames_only(dev: DevProcess, app: Path) -> None:
    failed = finished(dev, app, {"do": "raise"}, "Error")

    lines = the_rest(dev, failed["id"])
    assert "ZeroDivisionError: division by zero" in lines
    assert "jobs/probe.py" in lines
    assert "in inner" in lines
    assert "runner" not in lines
    assert failed["state"] == "FAILED"


@pytest.mark.parametrize(
    ("payload", "word", "said", "state"),
    [
        ({"do": "exit", "code": 3}, "Error", r"SystemExit: sys\.exit\(3\)", "FAILED"),
        ({"do": "os-exit", "code": 7}, "Crashed", r"code 7", "CRASHED"),
        ({"do": "kill"}, "Crashed", r"SIGKILL", "CRASHED"),
        ({"do": "unserialisable"}, "Error", r"\['a'\]\[1\]|\.a\[1\]|a\[1\]", "FAILED"),
    ],
    ids=["sys.exit", "os._exit", "SIGKILL", "unserialisable result"],
)
def test_every_kind_of_end_is_reported_as_what_it_is(
    dev: DevProcess, app: Path, payload: object, word: str, said: str, state: str
) -> None:
    ended = finished(dev, app, payload, word)

    assert re.search(said, the_rest(dev, ended["id"])), the_rest(dev, ended["id"])
    assert ended["state"] == state


def test_a_job_has_its_own_time_not_lambdas_fifteen_minutes(dev: DevProcess, app: Path) -> None:
    remaining = finished(dev, app, {"do": "remaining"})["result"]

    assert 15 * 60 * 1000 < remaining <= 20 * 60 * 1000


def test_the_developers_path_is_the_workers_path(dev: DevProcess, app: Path) -> None:
    assert finished(dev, app, {"do": "path"})["result"] == os.environ["PATH"]


def test_the_developers_credentials_are_not_in_the_worker(dev: DevProcess, app: Path) -> None:
    names = finished(dev, app, {"do": "environment"})["result"]

    assert "AWS_ACCESS_KEY_ID" not in names
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in names


def test_each_run_has_its_own_log_file_with_the_exact_bytes(dev: DevProcess, app: Path) -> None:
    job_id = finished(dev, app, {"do": "noise"})["id"]

    path = app / ".devbridge" / "peers" / "logs" / f"probe-{job_id}.log"
    assert path.read_bytes() == b"doing noise\ncaf\xe9 \xff no newline"
    assert path.stat().st_mode & 0o777 == 0o600
    assert r"caf\xe9 \xff no newline" in the_rest(dev, job_id)


def test_nothing_listens_beyond_loopback_and_no_worker_is_left_a_zombie(
    dev: DevProcess, app: Path
) -> None:
    family = [psutil.Process(dev.pid), *psutil.Process(dev.pid).children(recursive=True)]

    assert not [p for p in family if p.status() == psutil.STATUS_ZOMBIE]
    listening = [
        connection.laddr.ip
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) <= {"127.0.0.1", "::1"}


def test_no_secret_is_in_any_log(dev: DevProcess, app: Path) -> None:
    finished(dev, app, {"do": "who"})

    state = app / ".devbridge" / "peers"
    written = b"".join(p.read_bytes() for p in state.rglob("*") if p.is_file())
    assert b"s3cr3t0" not in written
    assert b"AKIAMUSTNOTLEAK000" not in written
    assert "s3cr3t0" not in dev.text
    assert all(p.stat().st_mode & 0o077 == 0 for p in state.rglob("*"))


def test_requests_wait_while_nobody_is_there_and_run_when_somebody_is(
    embedded: Running, tmp_path: Path
) -> None:
    app = tmp_path / "app"
    (app / "jobs").mkdir(parents=True)
    (app / "app.py").write_text(
        dedent("""\
            from devbridge import App, Job

            app = App("away")
            Job(app, "echo", handler="jobs/echo.handler")
            """)
    )
    (app / "jobs" / "echo.py").write_text("def handler(payload):\n    return payload\n")
    there = ("--endpoint", str(embedded.endpoint_url), "--stage", "away")
    with DevProcess(app, *there) as first:
        first.wait_for(r"^Ready")
        assert first.interrupt() == 0
    done = run(app, "invoke", "echo", "--payload", "0", "--json", *there)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["state"] == "QUEUED"
    with DevProcess(app, *there) as second:
        second.wait_for(run_line(answer["id"], "Done"))
        assert second.interrupt() == 0
