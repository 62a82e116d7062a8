"""Jobs in a folder, live and deployed: they come, change and go with their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge.errors import EXIT_NOT_FOUND
from tests.e2e.dev_process import DevProcess, client, command, run

pytestmark = pytest.mark.timeout(240)

APP = """\
from devbridge import App, Queue, Table

app = App("folder")
Table(app, "notes", partition_key="id")
Queue(app, "names", visibility_timeout="1 minute")
app.jobs("jobs/", timeout="10 minutes")
"""
GREETING = """\
from devbridge.job import job_handler
from devbridge.options import Lambda, OnQueue
from devbridge.resources import Table
from texts import HELLO


@job_handler(
    "greeting",
    compute=Lambda(),
    timeout="1 minute",
    bind=["notes"],
    triggers=[OnQueue("names", batch_size=1)],
)
def handler(payload: str) -> str:
    return f"{HELLO} {payload} {bool(Table.notes.table_name)}"
"""
OTHER = """\
from devbridge.job import job_handler


@job_handler
def handler(payload: int) -> int:
    return payload + 1
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    root.mkdir()
    save(root, "app.py", APP)
    save(root, "texts.py", 'HELLO = "hello"\n')
    save(root, "jobs/greeting.py", GREETING)
    save(root, "jobs/helpers.py", "x = 1\n")
    return root


def save(root: Path, path: str, text: str) -> None:
    """As an editor does it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.new")
    new.write_text(text)
    new.replace(file)


def result(app: Path, job: str, payload: object, *options: str) -> object:
    given = ("--payload", json.dumps(payload), "--wait", "--json", *options)
    done = command(app, "invoke", job, *given)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["result"]


def test_jobs_come_change_and_go_with_their_files_while_dev_runs(app: Path) -> None:
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"jobs/: passed over: helpers\.py \(no @job_handler\)")
        dev.wait_for(r"^Ready in .*: greeting\.")
        assert result(app, "greeting", "you") == "hello you True"
        (queue,) = (url for url in client(app, "sqs").list_queues()["QueueUrls"] if "Names" in url)
        client(app, "sqs").send_message(QueueUrl=queue, MessageBody='"all"')
        dev.wait_for(r'Done .*"hello all True"')

        mark = dev.mark
        save(app, "jobs/mail/other.py", OTHER)
        dev.wait_for(r"^Deployed", after=mark)
        assert result(app, "other", 1) == 2

        mark = dev.mark  # an option: deployed; a line of the handler: not
        save(app, "jobs/mail/other.py", OTHER.replace("@job_handler", '@job_handler("more")'))
        dev.wait_for(r"^Deployed", after=mark)
        assert result(app, "more", 1) == 2
        assert command(app, "invoke", "other", "--payload", "1").returncode == EXIT_NOT_FOUND

        mark = dev.mark
        save(app, "jobs/mail/other.py", OTHER.replace("@job_handler", "@job_handler(retires=1)"))
        dev.wait_for(r"no option 'retires'; did you mean 'retries'\?", after=mark)
        save(app, "jobs/greeting.py", GREETING.replace("return f", "return 'Dear: ' + f"))
        dev.wait_for(r"^Reloaded .*greeting", after=mark)

        mark = dev.mark
        (app / "jobs/mail/other.py").unlink()
        dev.wait_for(r"^Deployed", after=mark)
        assert result(app, "greeting", "you") == "Dear: hello you True"
        assert command(app, "invoke", "more", "--payload", "1").returncode == EXIT_NOT_FOUND
        assert dev.text.count("passed over") == 1
        assert dev.interrupt() == 0, dev.text


def test_a_file_that_cannot_be_read_takes_no_job_away(app: Path) -> None:
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready")
        mark = dev.mark
        save(app, "jobs/greeting.py", "def handler(:\n")
        dev.wait_for(r"SyntaxError", after=mark)
        save(app, "jobs/greeting.py", GREETING)
        dev.wait_for(r"^Reloaded .*greeting", after=mark)
        assert "Deployed" not in "\n".join(dev.lines[mark:])
        assert result(app, "greeting", "you") == "hello you True"
        assert dev.interrupt() == 0, dev.text
    save(app, "jobs/greeting.py", "def handler(:\n")
    refused = run(app, "dev", "--local")
    assert "jobs/greeting.py:1" in refused.stderr, refused.stdout + refused.stderr
    assert "^" in refused.stderr


def test_they_are_deployed_and_run_there(app: Path) -> None:
    save(app, "jobs/other.py", OTHER)
    with DevProcess(app, "--local") as dev:  # whose cloud is used
        dev.wait_for(r"^Ready in .*: greeting, other\.")
        done = command(app, "deploy", "--local", "--stage", "prod", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        for job, payload, expected in (("greeting", "you", "hello you True"), ("other", 1, 2)):
            assert result(app, job, payload, "--local", "--stage", "prod") == expected
        names = [
            each["FunctionName"] for each in client(app, "lambda").list_functions()["Functions"]
        ]
        assert "folder_prod_greeting-job" in names
        assert dev.interrupt() == 0, dev.text
