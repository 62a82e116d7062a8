"""Cancel, status, result and wait: from the command line and from deployed code."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from devbridge import errors
from tests.e2e.dev_process import DevProcess, command, run_line
from tests.waiting import eventually, gone

APP = """\
from devbridge import Api, App, Job

app = App("cancel-app")
probe = Job(app, "probe", handler="jobs/probe.handler")
Job(app, "again", handler="jobs/probe.handler", retries=1, retry_delay="0 seconds")
Job(app, "later", handler="jobs/probe.handler", retries=1, retry_delay="1 hour")
Job(app, "broken", handler="jobs/broken.handler")
Api(app, "api", routes={"POST /ask": "api/ask.handler"}, bind=[probe])
"""
PROBE = """\
import os, signal, subprocess, sys, threading, time
from pathlib import Path

def tell(path, text):
    draft = Path(path + ".draft")
    draft.write_text(text)
    draft.rename(path)

def hold(payload):
    tell(payload["started"], "x")
    while not Path(payload["until"]).exists():
        time.sleep(0.01)
    return "held"

def handler(payload, context):
    match payload["do"]:
        case "hold":
            return hold(payload)
        case "stubborn":
            signal.signal(signal.SIGTERM, lambda *_: print("not yet", flush=True))
            return hold(payload)
        case "polite":
            def goodbye(*_):
                print("cleaning up", flush=True)
                sys.exit(0)
            signal.signal(signal.SIGTERM, goodbye)
            return hold(payload)
        case "family":
            code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n"
            code += "print('deaf', flush=True)\\ntime.sleep(600)"
            mild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            deaf = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
            deaf.stdout.readline()
            print("family", os.getpid(), mild.pid, deaf.pid, flush=True)
            return hold(payload)
        case "linger":
            def left():
                hold(payload)
                note("left")
            def note(text):
                with open(payload["notes"], "a") as file:
                    file.write(f"{text} {context.attempt}\\n")
            note("began")
            if context.attempt == 1:
                threading.Thread(target=left).start()
                raise ValueError("again, please")
        case "raise":
            raise ValueError("num is 9")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "echo":
            return payload["value"]
"""
BROKEN = """\
print("connecting")

def connect():
    raise RuntimeError("no licence")

connect()

def handler(payload): ...
"""
ASK = """\
import json
from devbridge.errors import DevbridgeError
from devbridge.job import Job

def handler(event, context):
    asked = json.loads(event["body"])
    try:
        answer = getattr(Job.probe, asked["call"])(**asked["arguments"])
    except DevbridgeError as error:
        answer = {"raised": type(error).__name__, "what": error.what}
        answer["type"] = getattr(error, "error_type", None)
    if hasattr(type(answer), "__dataclass_fields__"):
        answer = {name: getattr(answer, name) for name in type(answer).__dataclass_fields__}
    return {"statusCode": 200, "body": json.dumps({"answer": answer})}
"""
NOWHERE = "3f2a1d52-9a38-4c0e-8d5f-2f1f3a0c7b11"
STAGE = ("--stage", "cancel", "--local")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cancel") / "app"
    files = {"app.py": APP, "jobs/probe.py": PROBE, "jobs/broken.py": BROKEN, "api/ask.py": ASK}
    for file, text in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    return root


@pytest.fixture(scope="module")
def dev(app: Path) -> Iterator[DevProcess]:
    with DevProcess(app, *STAGE, "--grace", "1", "--concurrency", "1") as process:
        process.wait_for(r"^Ready")
        yield process


class Probe:
    """One run of the job, that is told to end by the file `until`."""

    def __init__(
        self, dev: DevProcess, app: Path, folder: Path, do: str, job: str = "probe", **more: Any
    ) -> None:
        self.started, self.until = folder / "started" / do, folder / "until"
        self.started.parent.mkdir(exist_ok=True)
        payload = {"do": do, "started": str(self.started), "until": str(self.until), **more}
        self._dev = dev
        self.id = devbridge(app, "invoke", job, "--payload", json.dumps(payload))["id"]

    def says(self, pattern: str) -> str:
        return self._dev.wait_for(run_line(self.id, rf".*{pattern}")).group(0)

    def wait_until_it_runs(self) -> None:
        self.says("Invoke probe")
        eventually(self.started.exists)


def devbridge(app: Path, *arguments: str, code: int = 0) -> Any:
    """The JSON that a command prints."""
    done = command(app, *arguments, "--json", *STAGE)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def nothing_is_left_running(tmp_path: Path) -> Iterator[None]:
    """A test that failed must not keep the one place at which runs are allowed."""
    yield
    (tmp_path / "until").touch()


@pytest.fixture
def ask(dev: DevProcess, app: Path) -> Any:
    """Calls a method of `Job.probe` in the deployed API's function."""
    address = f"{next(iter(devbridge(app, 'outputs').values()))}/ask"

    def call(method: str, **arguments: Any) -> Any:
        body = json.dumps({"call": method, "arguments": arguments}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(address, body, headers, method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return json.load(response)["answer"]

    return call


def test_cancelling_a_running_job_ends_its_whole_process_group(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    probe = Probe(dev, app, tmp_path, "family")
    family = [int(pid) for pid in probe.says(r"family \d+ \d+ \d+").split()[-3:]]
    assert all(psutil.pid_exists(pid) for pid in family)

    answer = devbridge(app, "cancel", probe.id[:8])

    assert answer == {
        "id": probe.id,
        "job": "probe",
        "was": "RUNNING",
        "state": "RUNNING",
        "waits": False,
    }
    probe.says("Cancelled")
    ended = devbridge(app, "wait", probe.id, code=errors.EXIT_JOB_CANCELLED)
    assert (ended["state"], ended["signal"]) == ("CANCELLED", signal.SIGTERM)
    eventually(lambda: gone(*family))


def test_a_handler_that_ignores_sigterm_is_killed_after_the_grace_period(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    probe = Probe(dev, app, tmp_path, "stubborn")
    probe.wait_until_it_runs()

    said = command(app, "cancel", probe.id[:8], *STAGE)

    assert said.stdout.startswith(f"{probe.id}  probe  cancelling: ")
    probe.says("not yet")
    ended = devbridge(app, "wait", probe.id, code=errors.EXIT_JOB_CANCELLED)
    assert ended["signal"] == signal.SIGKILL


def test_a_handler_that_cleans_up_in_its_grace_period_is_cancelled_not_crashed_or_failed(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    probe = Probe(dev, app, tmp_path, "polite")
    probe.wait_until_it_runs()
    devbridge(app, "cancel", probe.id)

    assert devbridge(app, "wait", probe.id, code=errors.EXIT_JOB_CANCELLED)["result"] is None
    probe.says("cleaning up")


def test_a_queued_run_that_is_cancelled_never_starts(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    first = Probe(dev, app, tmp_path, "hold")
    first.wait_until_it_runs()
    queued = Probe(dev, app, tmp_path, "stubborn")
    assert devbridge(app, "status", queued.id)["state"] == "QUEUED"
    queued.says(r"Waiting probe: 1 of 1 slot is taken \(--concurrency\)")

    said = command(app, "cancel", queued.id, *STAGE)

    assert said.stdout == f"{queued.id}  probe  was QUEUED: it will not start\n"
    first.until.touch()
    assert devbridge(app, "wait", first.id)["result"] == "held"
    last = Probe(dev, app, tmp_path, "echo", value=1)
    assert devbridge(app, "wait", last.id)["state"] == "SUCCEEDED"
    status = devbridge(app, "status", queued.id)
    assert [change["state"] for change in status["history"]] == ["QUEUED", "CANCELLED"]
    assert not queued.started.exists()
    logged = command(app, "logs", queued.id, *STAGE)
    assert logged.stdout == "--- devbridge: CANCELLED (before it started)\n"


def test_a_run_that_waits_for_its_next_attempt_is_running_until_it_is_cancelled(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    probe = Probe(dev, app, tmp_path, "raise", job="later")
    probe.says("Again")
    assert devbridge(app, "status", probe.id)["state"] == "RUNNING"
    assert [run["id"] for run in devbridge(app, "jobs", "--state", "RUNNING")] == [probe.id]

    answer = devbridge(app, "cancel", probe.id)

    assert (answer["was"], answer["state"]) == ("RUNNING", "CANCELLED")
    history = devbridge(app, "status", probe.id)["history"]
    assert [change["state"] for change in history] == ["QUEUED", "RUNNING", "RUNNING", "CANCELLED"]
    assert history[-1]["detail"] == "before attempt 2 started"
    logged = command(app, "logs", probe.id, *STAGE).stdout
    assert 'raise ValueError("num is 9")\nValueError: num is 9\n---' in logged


def test_the_next_attempt_starts_when_the_process_of_the_one_before_has_ended(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    probe = Probe(dev, app, tmp_path, "linger", job="again", notes=str(notes))
    eventually(lambda: devbridge(app, "status", probe.id)["attempt"] == 2)
    probe.until.touch()

    assert devbridge(app, "wait", probe.id)["state"] == "SUCCEEDED"
    assert notes.read_text().splitlines() == ["began 1", "left 1", "began 2"]


def test_the_log_of_a_handler_that_cannot_be_loaded_has_its_output_and_traceback(
    dev: DevProcess, app: Path
) -> None:
    for _ in range(2):
        job_id = devbridge(app, "invoke", "broken", "--payload", "null")["id"]
        devbridge(app, "wait", job_id, code=errors.EXIT_JOB_FAILED)
        logged = command(app, "logs", job_id, *STAGE)
        assert logged.stdout.startswith("connecting\nTraceback (most recent call last):\n  File ")
        assert "\n    connect()\n" in logged.stdout
        assert logged.stdout.endswith("RuntimeError: no licence\n")


def test_cancelling_what_has_ended_says_so_and_changes_nothing(
    dev: DevProcess, app: Path, tmp_path: Path, ask: Any
) -> None:
    probe = Probe(dev, app, tmp_path, "echo", value=0)
    devbridge(app, "wait", probe.id)

    assert "already SUCCEEDED" in command(app, "cancel", probe.id, *STAGE).stdout
    assert ask("cancel", job_id=probe.id) == {
        "job_id": probe.id,
        "was": "SUCCEEDED",
        "state": "SUCCEEDED",
    }
    assert devbridge(app, "status", probe.id)["state"] == "SUCCEEDED"


@pytest.mark.parametrize("value", [0, False, "", None, [], {"a": "\u2028😀"}, "漢" * 100_000])
def test_deployed_code_gets_a_result_as_it_was_returned(
    dev: DevProcess, app: Path, tmp_path: Path, ask: Any, value: object
) -> None:
    job_id = ask("run", payload={"do": "echo", "value": value})["job_id"]
    assert ask("wait", job_id=job_id, timeout=8, poll=0.05)["state"] == "SUCCEEDED"

    result = ask("result", job_id=job_id)

    assert result == value
    assert type(result) is type(value)


def test_deployed_code_is_told_of_a_run_that_has_not_ended_and_can_cancel_it(
    dev: DevProcess, app: Path, tmp_path: Path, ask: Any
) -> None:
    probe = Probe(dev, app, tmp_path, "hold")
    probe.wait_until_it_runs()
    status = ask("status", job_id=probe.id)
    assert (status["job"], status["state"], status["attempt"]) == ("probe", "RUNNING", 1)
    assert ask("result", job_id=probe.id)["raised"] == "JobNotFinished"
    assert ask("wait", job_id=probe.id, timeout=0.1, poll=0.05)["raised"] == "JobNotFinished"

    assert ask("cancel", job_id=probe.id)["was"] == "RUNNING"

    assert ask("wait", job_id=probe.id, timeout=8, poll=0.05)["state"] == "CANCELLED"
    assert ask("result", job_id=probe.id)["raised"] == "JobCancelled"


def test_deployed_code_is_told_how_a_run_failed(
    dev: DevProcess, app: Path, tmp_path: Path, ask: Any
) -> None:
    job_id = ask("run", payload={"do": "raise"})["job_id"]
    status = ask("wait", job_id=job_id, timeout=8, poll=0.05)

    assert (status["error_type"], status["error_message"]) == ("ValueError", "num is 9")
    raised = ask("result", job_id=job_id)
    assert (raised["raised"], raised["type"]) == ("JobFailed", "ValueError")


@pytest.mark.parametrize("call", ["status", "result", "cancel"])
@pytest.mark.parametrize("job_id", [NOWHERE, "not an id"])
def test_deployed_code_is_told_when_no_such_run_is_known(
    dev: DevProcess, app: Path, ask: Any, call: str, job_id: str
) -> None:
    raised = ask(call, job_id=job_id)
    assert raised["raised"] == "UnknownRun"
    assert job_id in raised["what"]


@pytest.mark.parametrize(
    ("do", "code"),
    [("raise", errors.EXIT_JOB_FAILED), ("kill", errors.EXIT_JOB_CRASHED)],
)
def test_waiting_ends_with_an_exit_code_that_tells_how_the_run_ended(
    dev: DevProcess, app: Path, tmp_path: Path, do: str, code: int
) -> None:
    probe = Probe(dev, app, tmp_path, do)
    assert command(app, "wait", probe.id[:8], *STAGE).returncode == code


def test_waiting_ends_when_its_time_is_over_and_the_run_goes_on(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    probe = Probe(dev, app, tmp_path, "hold")
    probe.wait_until_it_runs()

    done = command(app, "wait", probe.id[:8], "--timeout", "0.2 seconds", *STAGE)

    assert done.returncode == errors.EXIT_JOB_NOT_FINISHED
    assert "the run is RUNNING after 200ms" in done.stderr
    probe.until.touch()
    assert devbridge(app, "wait", probe.id)["result"] == "held"


def test_another_folder_without_the_ledger_can_ask_wait_and_cancel_by_the_jobs_name(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    for file in ("app.py", "jobs/probe.py", "jobs/broken.py", "api/ask.py"):
        (elsewhere / file).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / file).write_text((app / file).read_text())
    state = json.loads((app / ".devbridge" / "cloud" / "state.json").read_text())
    there = ("--stage", "cancel", "--endpoint", f"http://127.0.0.1:{state['port']}", "--json")
    probe = Probe(dev, app, tmp_path, "hold")
    probe.wait_until_it_runs()

    unnamed = command(elsewhere, "status", probe.id, *there)
    assert unnamed.returncode == errors.EXIT_NOT_FOUND
    assert "--job NAME" in unnamed.stderr
    named = ("--job", "probe", *there)
    status = json.loads(command(elsewhere, "status", probe.id, *named).stdout)
    assert (status["state"], status["attempt"], status["maxAttempts"]) == ("RUNNING", 1, 1)
    cancelled = json.loads(command(elsewhere, "cancel", probe.id, *named).stdout)
    assert (cancelled["was"], cancelled["state"]) == ("RUNNING", "RUNNING")
    ended = command(elsewhere, "wait", probe.id, *named)
    assert ended.returncode == errors.EXIT_JOB_CANCELLED, ended.stderr
    nowhere = command(elsewhere, "status", NOWHERE, *named)
    assert nowhere.returncode == errors.EXIT_NOT_FOUND
    assert NOWHERE in nowhere.stderr


def test_while_nobody_runs_the_jobs_what_waits_is_known_and_never_starts_if_cancelled(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    state = json.loads((app / ".devbridge" / "cloud" / "state.json").read_text())
    there = ("--stage", "gone", "--endpoint", f"http://127.0.0.1:{state['port']}")
    with DevProcess(app, *there) as gone:
        gone.wait_for(r"^Ready")
        assert gone.interrupt() == 0

    for asking in ("status", "wait"):
        done = command(app, asking, NOWHERE, "--job", "probe", *there)
        assert done.returncode == errors.EXIT_INVOKE
        assert "is not running for cancel-app (stage gone): start `devbridge dev`" in done.stderr
        assert os.uname().nodename in done.stderr

    payload = json.dumps({"do": "hold", "started": str(tmp_path / "a"), "until": str(tmp_path)})
    asked = [command(app, "invoke", "probe", "--payload", payload, *there) for _ in range(2)]
    assert "it starts when `devbridge dev` runs: nobody runs it now" in asked[0].stderr
    cancelled, kept = (done.stdout.split()[0] for done in asked)
    listed = json.loads(command(app, "jobs", "--json", *there).stdout)
    assert [(row["id"], row["state"]) for row in listed] == [
        (kept, "QUEUED"),
        (cancelled, "QUEUED"),
    ]
    told = command(app, "cancel", cancelled[:8], *there)
    assert told.stdout == f"{cancelled}  probe  was QUEUED: it will not start\n"
    ended = command(app, "wait", cancelled[:8], *there)
    assert ended.returncode == errors.EXIT_JOB_CANCELLED, ended.stderr

    with DevProcess(app, *there) as back:
        done = command(app, "wait", kept[:8], "--json", *there)
        assert (done.returncode, json.loads(done.stdout)["result"]) == (0, "held")
        status = json.loads(command(app, "status", cancelled[:8], "--json", *there).stdout)
        assert [step["state"] for step in status["history"]] == ["QUEUED", "CANCELLED"]
        assert back.interrupt() == 0
