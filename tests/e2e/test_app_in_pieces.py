"""`devbridge dev` while parts of the app are broken or not there yet: it starts, says so once, and
goes on by itself when the missing piece is saved."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.dev_process import DevProcess, command
from tests.waiting import eventually

APP = """\
from devbridge import Api, App, Job, Secret

app = App("pieces")
token = Secret(app, "token")
Job(app, "late", handler="jobs/late.handler")
Job(app, "secretive", handler="jobs/secretive.handler", bind=[token])
Api(app, "api", routes={"GET /a": "api/a.handler"})
"""
BROKEN = "from api import helper\n\ndef handler(event, context):\n    return helper.TEXT\n"
STAGE = ("--stage", "pieces", "--local")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pieces") / "app"
    for folder in ("jobs", "api"):
        (root / folder).mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "api" / "a.py").write_text(BROKEN)
    (root / "api" / "helper.py").write_text("TEXT = (\n")
    (root / "jobs" / "secretive.py").write_text(
        "from devbridge.resources import Secret\n\nTOKEN = Secret.token.value\n\n"
        "def handler(payload):\n    return TOKEN\n"
    )
    return root


@pytest.fixture(scope="module")
def dev(app: Path) -> Iterator[DevProcess]:
    with DevProcess(app, *STAGE, "--grace", "1") as process:
        process.wait_for(r"^Ready")
        yield process


def get(dev: DevProcess, path: str) -> tuple[int, str]:
    host, base_path = dev.wait_for(r"^ApiUrl +http://([^/]+)(/\S+)").groups()
    connection = http.client.HTTPConnection(host, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", base_path + path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def result(app: Path, job: str) -> str:
    """What the command line says of a new run's end."""
    done = command(app, "invoke", job, "--payload", "null", "--wait", *STAGE)
    return done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr


def test_an_app_is_completed_piece_by_piece(dev: DevProcess, app: Path) -> None:
    # A function that never was deployed answers with the error that was shown.
    assert dev.text.count("SyntaxError: '(' was never closed") == 1
    assert "Error  api-a cannot be loaded: SyntaxError" in dev.text
    status, text = get(dev, "/a")
    assert status == 500
    assert "api/helper.py" in text

    # The file that is mended is not the one that app.py names.
    mark = dev.mark
    (app / "api" / "helper.py").write_text("TEXT = 'mended'\n")
    dev.wait_for("^Deployed ", after=mark)
    assert get(dev, "/a") == (200, "mended")

    # One that was deployed stays for when nobody is at home, and so does all else that is changed
    # meanwhile.
    mark = dev.mark
    (app / "api" / "helper.py").write_text("TEXT = 'broken again\n")
    dev.wait_for("^Error  api-a cannot be loaded: SyntaxError: unterminated string", after=mark)
    assert get(dev, "/a")[0] == 500
    mark = dev.mark
    (app / "api" / "b.py").write_text("def handler(event, context):\n    return 'b'\n")
    (app / "app.py").write_text(APP + "\nimport extra\n")
    dev.wait_for("^Error .*extra", after=mark)
    mark = dev.mark
    (app / "extra.py").write_text("X = (\n")  # what app.py imports is there, and broken
    dev.wait_for("^Error +SyntaxError: '\\(' was never closed", after=mark)
    mark = dev.mark
    (app / "app.py").write_text(APP.replace('"GET /a"', '"GET /b": "api/b.handler", "GET /a"'))
    dev.wait_for("^Deployed ", after=mark)
    assert get(dev, "/b") == (200, "b")
    assert get(dev, "/a")[0] == 500
    mark = dev.mark
    (app / "api" / "helper.py").write_text("TEXT = 'whole'\n")
    dev.wait_for("^Reloaded .*api-a", after=mark)
    assert get(dev, "/a") == (200, "whole")

    # A handler that app.py names and that is not there yet, in a folder that is not there either.
    mark = dev.mark
    (app / "app.py").write_text(APP.replace('"GET /a"', '"GET /c": "new/c.handler", "GET /a"'))
    dev.wait_for("the handler's file 'new/c.py' does not exist", after=mark)
    (app / "new").mkdir()
    (app / "new" / "c.py").write_text("def handler(event, context):\n    return 'c'\n")
    dev.wait_for("^Deployed ", after=mark)
    eventually(lambda: get(dev, "/c") == (200, "c"))
    assert dev.text.count("the handler's file 'new/c.py' does not exist") == 1


def test_a_job_whose_file_is_not_there_is_shown_and_loaded_when_it_comes(
    dev: DevProcess, app: Path
) -> None:
    dev.wait_for(r"^Error  late cannot be loaded: HandlerNotFound: there is no file jobs/late.py")
    mark = dev.mark
    (app / "jobs" / "late.py").write_text("def handler(payload):\n    return 7\n")
    dev.wait_for("^Reloaded late", after=mark)
    for _ in range(3):
        assert "result 7" in result(app, "late")


def test_a_secret_that_is_set_while_dev_runs_is_what_the_next_run_reads(
    dev: DevProcess, app: Path
) -> None:
    assert "has no value" in command(app, "invoke", "secretive", "--wait", *STAGE).stdout
    for value in ("one", "two"):
        assert command(app, "secrets", "set", "token", *STAGE, stdin=value).returncode == 0
        for _ in range(2):
            assert f'result "{value}"' in result(app, "secretive")
    assert command(app, "secrets", "remove", "token", "-y", *STAGE).returncode == 0
    assert "has no value" in command(app, "invoke", "secretive", "--wait", *STAGE).stdout
