"""A test session's stage, for real: one for all of these tests."""

from __future__ import annotations

import os
import re
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from devbridge.errors import (
    JobCancelled,
    JobFailed,
    JobNotFinished,
    NotFound,
    PayloadInvalid,
    UnknownJob,
    UnknownRun,
)
from devbridge.pytest_plugin import apps
from devbridge.pytest_plugin.in_process import JobRunner
from devbridge.pytest_plugin.stage import WAIT, Stage
from devbridge.pytest_plugin.start import started
from devbridge.resources import Table, variable
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(180)

FILES = {
    "app.py": """
        from devbridge import Api, App, Bucket, Config, Function, Job, Secret, Table

        app = App("tested")
        notes = Table(app, "notes", partition_key="id")
        files = Bucket(app, "files")
        token = Secret(app, "token")
        level = Config(app, "level", value="info")
        store = Job(app, "store", handler="jobs/store.handler", bind=[notes, level])
        Job(app, "starts", handler="jobs/starts.handler", bind=[store])
        Job(app, "hold", handler="jobs/hold.handler")
        Job(app, "secret", handler="jobs/secret.handler", bind=[token])
        given = {"TOKEN": token, "NOTES": notes.arn, "LEVEL": level, "SIZE": 3}
        Job(app, "given", handler="jobs/given.handler", environment=given)
        Job(app, "broken", handler="jobs/broken.handler")
        Job(app, "built", handler="jobs/built.handler", enable_live_dev=False)
        packed = Function(app, "packed", handler="api/ask.handler", enable_live_dev=False)
        Api(app, "api", routes={"GET /ask": "api/ask.handler", "GET /packed": packed})
    """,
    "api/ask.py": """
        def handler(event, context):
            print("asked", event["rawPath"])
            return {"statusCode": 200, "body": event["queryStringParameters"]["text"]}
    """,
    "jobs/store.py": """
        from dataclasses import dataclass

        import boto3
        from devbridge.job import job_handler
        from devbridge.resources import Config, Table

        @dataclass
        class Note:
            text: str
            bucket: str = ""

        @job_handler("store")
        def handler(payload: Note) -> str:
            print("storing", payload.text)
            if payload.bucket:  # which is not bound
                boto3.client("s3").put_object(Bucket=payload.bucket, Key="k", Body=b"")
            item = {"id": {"S": payload.text}}
            boto3.client("dynamodb").put_item(TableName=Table.notes.table_name, Item=item)
            return f"{Config.level.value}: {payload.text}"
    """,
    "jobs/starts.py": """
        from devbridge.job import Job, job_handler

        @job_handler("starts")
        def handler(payload) -> str:
            return Job.store.run({"text": payload}).job_id
    """,
    "jobs/hold.py": "import time\ndef handler(payload):\n    time.sleep(600)\n",
    "jobs/secret.py": """
        from devbridge.resources import Secret

        def handler(payload):
            return Secret.token.value
    """,
    "jobs/given.py": """
        import os

        TOKEN = os.environ["TOKEN"]

        def handler(payload):
            return [TOKEN, *(os.environ[name] for name in ("NOTES", "LEVEL", "SIZE"))]
    """,
    "jobs/built.py": "def handler(payload):\n    print('built')\n    return payload + 1\n",
    "jobs/broken.py": "import no_such_module\ndef handler(payload): ...\n",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tested")
    for path, text in FILES.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(textwrap.dedent(text))
    return root


@pytest.fixture(scope="module")
def stage(root: Path) -> Iterator[Stage]:
    with started(apps.load(root), print) as stage:
        yield stage


@pytest.fixture
def run(stage: Stage) -> JobRunner:
    return JobRunner(stage.app, stage=stage, shell={}, hidden={})


# --- runs ---------------------------------------------------------------------------------------


def test_a_run_that_was_waited_for_has_its_result_and_all_its_output(stage: Stage) -> None:
    run = stage.invoke("store", {"text": "one"}).wait()
    assert (run.state, run.result, run.error) == ("SUCCEEDED", "info: one", None)
    assert run.output == "storing one\n"
    assert (run.job, len(run.job_id)) == ("store", 36)


def test_a_failed_run_has_its_error_and_no_result(stage: Stage, root: Path) -> None:
    run = stage.invoke("broken").wait()
    assert run.state == "FAILED"
    assert run.error is not None
    assert run.error.type == "ModuleNotFoundError"
    with pytest.raises(JobFailed, match="ended FAILED: ModuleNotFoundError: No module named"):
        _ = run.result
    assert "FAILED: ModuleNotFoundError: No module" in repr(run)


def test_a_run_can_be_cancelled_and_is_not_waited_for_for_ever(stage: Stage) -> None:
    run = stage.invoke("hold")
    with pytest.raises(JobNotFinished, match="it has no result yet"):
        _ = run.result
    with pytest.raises(JobNotFinished):
        run.wait(timeout=0)
    assert run.cancel().wait().state == "CANCELLED"
    with pytest.raises(JobCancelled):
        _ = run.result


def test_a_run_is_found_by_its_id_whoever_started_it(stage: Stage, run: JobRunner) -> None:
    job_id = stage.invoke("starts", "two").wait().result
    assert stage.find(job_id).wait().result == "info: two"
    assert stage.find(run("starts", "three")).wait().result == "info: three"
    with pytest.raises(UnknownRun):
        stage.find("no-such-run")


def test_a_run_that_is_never_live_is_a_build_and_looks_the_same(
    stage: Stage, run: JobRunner
) -> None:
    stage.forget_started()
    built = stage.invoke("built", 1).wait()
    assert ":" in built.job_id
    assert (built.state, built.result, built.output) == ("SUCCEEDED", 2, "built\n")
    assert stage.find(built.job_id).result == 2
    failed = stage.invoke("built", "text").wait()
    assert failed.error is not None
    assert failed.error.type == "TypeError"
    assert run("built", 2) == 3
    assert [each.job_id for each in stage.forget_started()] == [built.job_id, failed.job_id]


def test_any_thread_may_wait(stage: Stage) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [stage.invoke("store", {"text": text}) for text in "ab"]
        found = list(pool.map(lambda run: run.wait().result, runs))
    assert found == ["info: a", "info: b"]


def test_the_same_key_is_the_same_run(stage: Stage) -> None:
    first = stage.invoke("store", {"text": "key"}, idempotency_key="k")
    assert stage.invoke("store", {"text": "key"}, idempotency_key="k").job_id == first.job_id


def test_what_the_handler_would_refuse_is_refused_where_it_is_sent(stage: Stage) -> None:
    with pytest.raises(PayloadInvalid, match="Expected `str`, got `int`"):
        stage.invoke("store", {"text": 1})
    with pytest.raises(UnknownJob, match="did you mean 'store'"):
        stage.invoke("stoer")


def test_a_secret_gets_its_value(stage: Stage, run: JobRunner) -> None:
    stage.set_secret("token", "s3cret")
    assert stage.invoke("secret").wait().result == "s3cret"
    stage.set_secret("token", "another")
    assert run("secret") == "another"
    with pytest.raises(NotFound, match="no secret 'tokn'"):
        stage.set_secret("tokn", "x")


def test_an_environment_has_what_is_known_later_and_what_is_secret(
    stage: Stage, run: JobRunner
) -> None:
    stage.set_secret("token", "given")
    live = stage.invoke("given").wait().result
    assert isinstance(live, list)
    token, notes, *rest = live
    assert (token, rest) == ("given", ["info", "3"])
    assert (
        notes
        == stage.client("dynamodb").describe_table(
            TableName=stage.names["DEVBRIDGE_Table_tableName_notes"]
        )["Table"]["TableArn"]
    )
    assert run("given") == live


# --- functions ----------------------------------------------------------------------------------


def asked(stage: Stage, path: str) -> str:
    url = f"{stage.outputs['ApiUrl']}{path}"
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - on loopback
        return str(answer.read().decode())


def test_a_function_is_tested_as_it_is_saved(stage: Stage, root: Path) -> None:
    assert asked(stage, "/ask?text=one") == "one"
    code = root / "api" / "ask.py"
    saved = code.read_text()
    code.write_text(saved.replace('["text"]', '["text"] + "!"'))
    try:
        eventually(lambda: asked(stage, "/ask?text=one") == "one!", WAIT)
        assert asked(stage, "/packed?text=one") == "one", "that is deployed: it is never live"
    finally:
        code.write_text(saved)
    eventually(lambda: asked(stage, "/ask?text=one") == "one", WAIT)


def test_what_functions_have_said_is_known_once(stage: Stage) -> None:
    asked(stage, "/ask?text=before")
    stage.functions_said()
    with pytest.raises(urllib.error.HTTPError) as caught:
        asked(stage, "/ask?of=nothing")
    caught.value.close()
    assert caught.value.code == 500
    asked(stage, "/ask?text=after")  # what is told of a request may come after its answer
    said = stage.functions_said()["api-ask"]
    assert re.search(r"^--- devbridge: \S+Z GET /ask raised KeyError \S+ms$", said, re.M), said
    assert "asked /ask\n" in said
    assert 'return {"statusCode": 200' in said
    assert said.count("raised") == 1


# --- in this process ----------------------------------------------------------------------------


def test_a_handler_in_this_process_finds_what_it_binds(
    stage: Stage, run: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(os.environ)
    assert run("store", {"text": "here"}) == "info: here"
    assert dict(os.environ) == before
    for name, value in stage.names.items():
        monkeypatch.setenv(name, value)
    table = stage.resource("dynamodb").Table(Table.notes.table_name)
    assert table.get_item(Key={"id": "here"})["Item"] == {"id": "here"}
    assert Table.notes.table_name in stage.outputs.values()


def test_a_handler_in_this_process_may_do_what_its_role_may(stage: Stage, run: JobRunner) -> None:
    bucket = stage.names[variable("Bucket", "bucketName", "files")]
    with pytest.raises(ClientError, match="AccessDenied"):
        run("store", {"text": "x", "bucket": bucket})
    stage.client("s3").put_object(Bucket=bucket, Key="k", Body=b"")


# --- its end ------------------------------------------------------------------------------------


def test_it_leaves_nothing_in_the_apps_folder(stage: Stage, root: Path) -> None:
    stage.invoke("store", {"text": "x"}).wait()
    assert {path.name for path in root.iterdir()} <= {"app.py", "api", "jobs", "__pycache__"}
