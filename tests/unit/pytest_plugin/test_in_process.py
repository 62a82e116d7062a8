from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from decimal import Decimal
from pathlib import Path

import pytest

from devbridge import resources
from devbridge.errors import (
    HandlerNotFound,
    JobFailed,
    NotFound,
    PayloadInvalid,
    PayloadNotJson,
    UnknownJob,
)
from devbridge.pytest_plugin.in_process import REGION
from runner.failure import ResultNotJson
from tests.unit.pytest_plugin.projects import Project

TYPED = """
    from dataclasses import dataclass
    from devbridge.job import job_handler

    @dataclass
    class Sum:
        a: int
        b: int = 1

    @job_handler("add-up")
    def handler(payload: Sum) -> Sum:
        return Sum(payload.a + payload.b, 0)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# --- payload and result -------------------------------------------------------------------------


def test_payload_and_result_go_through_json_as_between_processes(project: Project) -> None:
    run = project.job("def handler(payload):\n    return [payload, (1, 2), {3: None}]\n")
    given = {"a": (1, 2), 5: None}
    assert run("add-up", given) == [{"a": [1, 2], "5": None}, [1, 2], {"3": None}]
    assert [run("add-up", value)[0] for value in (0, False, "", None)] == [0, False, "", None]


def test_a_generator_is_run_to_its_end_from_a_checkpoint_if_there_is_one(project: Project) -> None:
    run = project.job("""
        def handler(payload, context):
            seen = [context.checkpoint]
            for i in range(context.checkpoint or 0, payload):
                seen.append(i)
                yield i + 1
            return seen
    """)
    assert run("add-up", 3) == [None, 0, 1, 2]
    assert run("add-up", 3, checkpoint=2) == [2, 2]


def test_the_payload_is_decoded_to_the_type_that_the_handler_declares(project: Project) -> None:
    run = project.job(TYPED)
    assert run("add-up", {"a": 4}) == {"a": 5, "b": 0}


def test_a_payload_of_another_type_is_refused_with_its_path(project: Project) -> None:
    run = project.job(TYPED)
    with pytest.raises(PayloadInvalid, match="Expected `int`, got `str`") as raised:
        run("add-up", {"a": "four"})
    assert raised.value.where == "$.a"
    assert raised.value.__cause__ is None, "one clear error"


def test_what_is_not_json_is_refused_on_both_sides(project: Project) -> None:
    run = project.job("def handler(payload):\n    return object()\n")
    with pytest.raises(PayloadNotJson):
        run("add-up", {"a": object()})
    with pytest.raises(ResultNotJson, match="result is of type object"):
        run("add-up")


def test_a_result_over_lambdas_limit_fails_as_a_run_does(project: Project) -> None:
    run = project.job("def handler(payload):\n    return 'x' * (7 << 20)\n")
    with pytest.raises(JobFailed, match="the result is over") as raised:
        run("add-up")
    assert raised.value.error_type == "ResultTooLarge"


# --- what the handler finds ---------------------------------------------------------------------


def test_the_context_is_that_of_a_run(project: Project) -> None:
    run = project.job(
        """
        def handler(payload, context):
            return [
                context.aws_request_id, context.job_name, context.attempt, context.max_attempts,
                context.function_name, context.get_remaining_time_in_millis() // 60_000,
            ]
        """
    )
    assert run("add-up", attempt=2, job_id="the-id") == ["the-id", "add-up", 2, 3, "add-up", 9]
    first, second = run("add-up")[0], run("add-up")[0]
    assert first != second


def test_the_arguments_of_the_process_are_a_workers(project: Project) -> None:
    before = sys.argv
    assert project.job("import sys\nA = sys.argv\ndef handler(_):\n    return A\n")("add-up") == [
        "runner"
    ]
    assert sys.argv is before


def test_a_number_keeps_its_digits_where_a_decimal_is_declared(project: Project) -> None:
    run = project.job(
        """
        from decimal import Decimal
        from devbridge.job import job_handler

        @job_handler("add-up")
        def handler(payload: Decimal) -> str:
            return str(payload)
        """
    )
    assert run("add-up", Decimal("0.1234567890123456789")) == "0.1234567890123456789"


def test_the_environment_is_the_jobs_while_it_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = project.job(
        """
        import os
        from devbridge.resources import Config

        RATE = os.environ["RATE"]

        def handler(payload):
            return [RATE, Config.level.value, os.environ["DEVBRIDGE_JOB_NAME"], os.environ["MINE"]]
        """
    )
    monkeypatch.setenv("MINE", "of the test")
    before = dict(os.environ)
    assert run("add-up") == ["2", "info", "add-up", "of the test"]
    assert dict(os.environ) == before


def test_the_aws_account_of_whoever_runs_the_tests_is_not_the_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.job(
        """
        import os

        def handler(payload):
            aws = [name for name in os.environ if name.startswith("AWS_")]
            return {name: os.environ[name] for name in aws if "LAMBDA" not in name}
        """
    )
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the shell")
    shell = dict(os.environ)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the test")
    runner = project.runner(shell=shell)
    assert runner("add-up") == {
        "AWS_ACCESS_KEY_ID": "of the test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "of the test")
    found = runner("add-up")
    assert (found["AWS_REGION"], found["AWS_CONFIG_FILE"]) == ("eu-west-1", "of the test")


def test_what_is_bound_and_has_no_stage_is_said_so(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        from devbridge.resources import Bucket, Table

        def handler(payload):
            return {"t": Table, "b": Bucket}[payload].notes.NAME
        """
    table = project.job(text.replace("NAME", "table_name"))
    with pytest.raises(NotFound, match="is not bound here") as raised:
        table("add-up", "t")
    assert "devbridge_stage" in str(raised.value.remedy)
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_notes", "mine")
    assert table("add-up", "t") == "mine"
    bucket = project.job(text.replace("NAME", "bucket_name"))
    with pytest.raises(NotFound, match="is not bound here") as raised:
        bucket("add-up", "b")
    assert "add it to `bind` in app.py" in str(raised.value.remedy)


def test_the_names_of_a_stage_that_the_test_has_not_asked_for_are_not_there(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.job("import os\ndef handler(payload):\n    return os.environ.get('NAME', 'none')\n")
    monkeypatch.setenv("NAME", "of the stage")
    assert project.runner(hidden={"NAME": "of the stage"})("add-up") == "none"
    assert project.runner(hidden={"NAME": "another"})("add-up") == "of the stage"


# --- imports ------------------------------------------------------------------------------------


def test_each_run_imports_anew_what_the_test_has_not_imported(project: Project) -> None:
    project.write("jobs/lib.py", "CALLS = []\n")
    run = project.job(
        """
        from jobs import lib

        def handler(payload):
            lib.CALLS.append(1)
            return len(lib.CALLS)
        """
    )
    before, path = set(sys.modules), list(sys.path)
    assert [run("add-up") for _ in range(3)] == [1, 1, 1]
    assert not [name for name in sys.modules.keys() - before if name.startswith("jobs")]
    assert sys.path == path


def test_what_the_test_has_imported_is_what_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = project.job(
        """
        class TooMuch(Exception): ...
        def rate(): return 1
        def handler(payload):
            if payload: raise TooMuch(payload)
            return rate()
        """
    )
    monkeypatch.syspath_prepend(project.root)
    monkeypatch.setattr("jobs.add.rate", lambda: 7)
    module = sys.modules["jobs.add"]
    try:
        assert run("add-up") == 7
        with pytest.raises(module.TooMuch):
            run("add-up", 8)
        assert sys.modules["jobs.add"] is module
    finally:
        for name in ("jobs.add", "jobs"):
            sys.modules.pop(name, None)


def test_a_secret_that_was_fetched_before_is_fetched_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_secrets", {"/p": "old"})
    monkeypatch.setenv("DEVBRIDGE_Secret_parameterName_key", "/p")
    monkeypatch.setattr(resources, "_fetch", lambda _: resources._secrets.setdefault("/p", "new"))
    run = project.job(
        "from devbridge.resources import Secret\ndef handler(_):\n    return Secret.key.value\n"
    )
    assert run("add-up") == "new"
    assert resources._secrets == {}


# --- failures -----------------------------------------------------------------------------------


def frames(error: BaseException) -> list[str]:
    return [Path(frame.filename).name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_the_handler_raises_is_raised_with_its_own_frames_only(
    project: Project, kind: str
) -> None:
    run = project.job(
        f"""
        def deeper(): raise KeyError("no such key")
        {kind} handler(payload): return deeper()
        """
    )
    with pytest.raises(KeyError) as raised:
        run("add-up")
    assert frames(raised.value) == [Path(__file__).name, "add.py", "add.py"]


def test_sys_exit_is_raised_as_it_is(project: Project) -> None:
    run = project.job("import sys\ndef handler(payload):\n    sys.exit(3)\n")
    with pytest.raises(SystemExit) as raised:
        run("add-up")
    assert raised.value.code == 3


def test_an_unknown_job_is_told_with_the_one_that_is_meant(project: Project) -> None:
    with pytest.raises(UnknownJob, match="did you mean 'add-up'") as raised:
        project.runner()("add-pu")
    assert frames(raised.value) == [Path(__file__).name]


def test_a_handler_that_is_not_there_is_told_with_its_line_in_app_py(project: Project) -> None:
    run = project.job("def hander(payload): ...\n")
    with pytest.raises(HandlerNotFound, match="it has: hander") as raised:
        run("add-up")
    assert raised.value.where == "app.py:8"
    with pytest.raises(HandlerNotFound, match=r"there is no file jobs/other\.py"):
        run("other")


def test_a_container_job_runs_only_on_a_stage(project: Project) -> None:
    project.write("image/Dockerfile", "FROM scratch\n")
    project.write(
        "app.py",
        """
        from devbridge import App, Container, Job
        Job(App("demo"), "box", runtime="container", container=Container("image", cmd=["run"]))
        """,
    )
    with pytest.raises(HandlerNotFound, match="runs a container") as raised:
        project.runner()("box")
    assert "devbridge_stage.invoke('box', ...)" in str(raised.value.remedy)


def test_a_handler_for_another_job_says_so(project: Project) -> None:
    run = project.job(TYPED.replace('"add-up"', '"other"'))
    with pytest.raises(UnknownJob, match="is for job 'other'"):
        run("add-up", {"a": 1})


# --- event loops --------------------------------------------------------------------------------

ASYNC = """
    import asyncio, threading

    async def handler(payload):
        await asyncio.sleep(0)
        return threading.current_thread() is threading.main_thread()
"""


def test_an_asynchronous_handler_has_an_event_loop_of_its_own(project: Project) -> None:
    assert project.job(ASYNC)("add-up") is True


async def test_an_asynchronous_test_can_run_any_handler(project: Project) -> None:
    assert project.job(ASYNC)("add-up") is False
    own = "import asyncio\ndef handler(payload):\n    return asyncio.run(asyncio.sleep(0, 7))\n"
    assert project.job(own)("add-up") == 7
    assert asyncio.get_running_loop().is_running()
    assert threading.current_thread() is threading.main_thread()


def test_it_never_shows_the_environment_of_the_shell(project: Project) -> None:
    runner = project.runner(**{"shell": {"AWS_SECRET_ACCESS_KEY": "s3cret"}})
    assert "s3cret" not in repr(runner)
