"""`devbridge jobs`, `status`, `logs`, `wait`, `cancel` and `invoke` of what runs in CodeBuild."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import main
from devbridge.cli import runs as runs_module
from devbridge.config import Config
from devbridge.names import NAMING, NAMING_VERSION
from devbridge.runs import cloudwatch, deployed
from devbridge.runs.find import mark_deployed, mark_dev
from devbridge.runs.ledger import Ledger
from devbridge.runs.model import State
from devbridge.runs.waiting import EXIT_CODES
from tests.unit.runs.books import Book
from tests.unit.runs.clouds import BuildCloud, error

ONE = "demo_ann_factorial:aaaa1111-0000-4000-8000-000000000001"
TWO = "demo_ann_factorial:aaaa2222-0000-4000-8000-000000000002"
THREE = "demo_ann_import-all:bbbb3333-0000-4000-8000-000000000003"
PROD = "demo_prod_factorial:cccc4444-0000-4000-8000-000000000004"
LIVE = "aaaa1111-5555-4000-8000-000000000005"

ENDS: dict[State, tuple[str, dict[str, str]]] = {
    State.SUCCEEDED: ("SUCCEEDED", {"state": "SUCCEEDED", "result": "120"}),
    State.FAILED: ("FAILED", {"state": "FAILED", "error": error("KeyError", "'x'")}),
    State.CANCELLED: ("STOPPED", {}),
    State.TIMED_OUT: ("FAILED", {"state": "TIMED_OUT"}),
    State.CRASHED: ("FAILED", {"state": "CRASHED", "error": error("Exited", "code 3")}),
}


@pytest.fixture
def there(config: Config, monkeypatch: pytest.MonkeyPatch) -> BuildCloud:
    """An app of two jobs whose stage was deployed from here."""
    (config.root / "jobs").mkdir()
    (config.root / "jobs" / "factorial.py").write_text("def handler(payload): ...\n")
    (config.root / "app.py").write_text(
        "from devbridge import App, Job\n\n"
        'app = App("demo")\n'
        'Job(app, "factorial", handler="jobs/factorial.handler")\n'
        'Job(app, "import-all", handler="jobs/factorial.handler")\n'
    )
    mark_deployed(config)
    fake = BuildCloud()

    @contextmanager
    def cloud(used: Config) -> Iterator[BuildCloud]:
        yield fake

    monkeypatch.setattr(runs_module, "cloud", cloud)
    monkeypatch.setattr(deployed, "POLL", 0.01)
    monkeypatch.setattr(cloudwatch, "SETTLE", 0.1)
    return fake


def devbridge(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


# --- where the runs are -------------------------------------------------------------------------


def test_the_ledgers_run_comes_before_a_build(there: BuildCloud, config: Config) -> None:
    there.codebuild.add(ONE)
    book = Book(config)
    book.queue(LIVE)
    assert devbridge("status", "aaaa1111").stdout.splitlines()[0] == f"id        {LIVE}"
    assert there.codebuild.asked == []
    book.ledger.close()


def test_on_a_stage_of_dev_only_what_looks_like_a_build_is_asked_of_codebuild(
    there: BuildCloud, config: Config
) -> None:
    there.codebuild.add(ONE)
    Ledger.open(config.ledger).close()
    mark_dev(config)
    assert devbridge("status", "aaaa1111").exit_code == errors.EXIT_NOT_FOUND
    assert there.codebuild.asked == []
    assert devbridge("status", ONE).exit_code == 0
    assert devbridge("status", ONE[:24]).exit_code == 0


@pytest.mark.parametrize(
    "given", [ONE, "aaaa1", ONE.rpartition(":")[2], "demo_ann_factorial:aaaa1", "AAAA1"]
)
def test_a_build_is_found_by_its_id_or_the_beginning_of_any_part(
    there: BuildCloud, given: str
) -> None:
    for job_id in (ONE, TWO, THREE):
        there.codebuild.add(job_id)
    result = devbridge("status", given)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == f"id        {ONE}"


@pytest.mark.parametrize("command", ["status", "wait", "cancel", "logs"])
def test_a_beginning_that_fits_two_builds_lists_both(there: BuildCloud, command: str) -> None:
    there.codebuild.add(ONE)
    there.codebuild.add(TWO)
    result = devbridge(command, "aaaa")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert ONE in result.stderr
    assert TWO in result.stderr


@pytest.mark.parametrize("command", ["status", "wait", "cancel", "logs"])
@pytest.mark.parametrize("given", ["ffff", ONE, ONE.partition(":")[2]])
def test_a_build_that_nobody_knows_is_not_found(
    there: BuildCloud, command: str, given: str
) -> None:
    assert devbridge(command, given).exit_code == errors.EXIT_NOT_FOUND


def test_the_id_of_a_build_tells_its_stage(there: BuildCloud) -> None:
    there.codebuild.add(PROD)
    assert devbridge("status", PROD).stdout.splitlines()[0] == f"id        {PROD}"


def test_a_build_of_another_app_says_where_to_go(there: BuildCloud) -> None:
    result = devbridge("status", PROD.replace("demo", "shop"))
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "'shop_prod_factorial'" in result.stderr


def test_a_wrong_jobs_name_is_refused(there: BuildCloud) -> None:
    there.codebuild.add(ONE)
    result = devbridge("status", ONE, "--job", "import-all")
    assert "is one of job 'factorial', not of 'import-all'" in result.stderr
    assert result.exit_code == errors.EXIT_NOT_FOUND


# --- jobs ---------------------------------------------------------------------------------------


def test_jobs_lists_the_builds_of_all_jobs_the_newest_first(there: BuildCloud) -> None:
    status, told = ENDS[State.FAILED]
    there.codebuild.add(ONE, status, told=told, age=270, took=0.25)
    there.codebuild.add(TWO, "IN_PROGRESS", phase="QUEUED", age=90)
    there.codebuild.add(THREE, age=150, attempts=3, told={"attempt": "1"})
    assert devbridge("jobs").stdout.splitlines() == [
        "ID        JOB         STATE          WHEN       TOOK   ERROR",
        "aaaa2222  factorial   QUEUED         1 min ago  -",
        "bbbb3333  import-all  SUCCEEDED 1/3  2 min ago  1.50s",
        "aaaa1111  factorial   FAILED         4 min ago  250ms  KeyError",
    ]


def test_jobs_are_chosen_by_name_state_and_number(there: BuildCloud) -> None:
    there.codebuild.add(ONE, "FAILED", told=ENDS[State.FAILED][1], age=30)
    there.codebuild.add(TWO, age=20)
    there.codebuild.add(THREE, age=10)

    def ids(*arguments: str) -> list[str]:
        return [run["id"] for run in json.loads(devbridge("jobs", "--json", *arguments).stdout)]

    assert ids() == [THREE, TWO, ONE]
    assert ids("--job", "factorial") == [TWO, ONE]
    assert ids("--state", "FAILED") == [ONE]
    assert ids("--limit", "1") == [THREE]


def test_ids_that_begin_alike_are_shown_longer(there: BuildCloud) -> None:
    there.codebuild.add(ONE, age=2)
    there.codebuild.add(ONE.replace("1111-0", "1111-1"), age=1)
    lines = devbridge("jobs").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["aaaa1111-1", "aaaa1111-0"]


def test_on_a_stage_of_dev_the_ids_shown_are_those_that_other_commands_understand(
    there: BuildCloud, config: Config
) -> None:
    there.codebuild.add(ONE)
    book = Book(config)
    book.queue(LIVE)  # begins like the build
    book.ledger.close()
    mark_dev(config)
    shown = devbridge("jobs", "--deployed").stdout.splitlines()[1].split()[0]
    assert shown == "demo_ann_factorial:aaaa1111"
    assert devbridge("status", shown).stdout.splitlines()[0] == f"id        {ONE}"


def test_no_attempt_is_shown_of_a_build_that_did_not_tell(there: BuildCloud) -> None:
    there.codebuild.add(ONE, "STOPPED", attempts=3)
    assert "attempt" not in devbridge("status", ONE).stdout
    run = json.loads(devbridge("status", ONE, "--json").stdout)
    assert (run["attempt"], run["maxAttempts"]) == (None, 3)
    assert run["history"][-1]["attempt"] is None
    assert devbridge("jobs").stdout.splitlines()[1].split()[2:4] == ["CANCELLED", "1"]


def test_half_of_a_surrogate_pair_in_one_run_does_not_hide_the_others(there: BuildCloud) -> None:
    there.codebuild.add(ONE, told={"result": r'"half \ud800"'}, age=20)
    there.codebuild.add(TWO, "FAILED", told={"state": "FAILED", "error": error("E", "\udc00")})
    for arguments in (["jobs"], ["status", ONE], ["status", TWO], ["wait", ONE], ["wait", TWO]):
        assert isinstance(devbridge(*arguments).exception, SystemExit | None)
    runs = json.loads(devbridge("jobs", "--json").stdout)
    assert {run["id"]: run["result"] for run in runs} == {ONE: "half \ud800", TWO: None}


def test_json_has_the_keys_of_dev_and_large_results(there: BuildCloud, config: Config) -> None:
    there.codebuild.add(ONE, told={"result": "@results/demo/ann/factorial/x.json"}, age=20)
    there.s3.objects["results/demo/ann/factorial/x.json"] = b'{"rows": 5}'
    (run,) = json.loads(devbridge("jobs", "--json").stdout)
    assert (run["state"], run["result"], run["duration"]) == ("SUCCEEDED", {"rows": 5}, 1.5)
    assert run["log"] == f"/aws/codebuild/demo_ann_factorial/{ONE[-12:]}"
    book = Book(config)
    book.queue(LIVE)
    book.end(LIVE)
    book.ledger.close()
    mark_dev(config)
    (live,) = json.loads(devbridge("jobs", "--json").stdout)
    assert run.keys() == live.keys()
    (again,) = json.loads(devbridge("jobs", "--json", "--deployed").stdout)
    assert again == run


def test_a_large_result_that_is_gone_does_not_hide_the_others(there: BuildCloud) -> None:
    there.codebuild.add(ONE, told={"result": "@results/gone.json"}, age=20)
    there.codebuild.add(TWO, told={"result": "1"}, age=10)
    result = devbridge("jobs", "--json")
    assert [run["result"] for run in json.loads(result.stdout)] == [1, None]
    assert ONE in result.stderr
    assert devbridge("status", ONE).exit_code == errors.EXIT_CLOUD


def test_a_stage_without_builds_says_how_to_start_one(there: BuildCloud) -> None:
    tags = {"devbridge:app": "demo", "devbridge:stage": "ann"}
    there.cloudformation.stacks["devbridge-demo-ann"] = {
        "StackName": "devbridge-demo-ann",
        "StackStatus": "CREATE_COMPLETE",
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "Outputs": [{"OutputKey": NAMING, "OutputValue": NAMING_VERSION}],
    }
    assert "no job has been run at stage ann yet" in devbridge("jobs").stdout
    assert devbridge("jobs", "--job", "factorial").stdout == "no run matches\n"
    assert json.loads(devbridge("jobs", "--json").stdout) == []


def test_a_stage_that_is_not_there_is_an_error_that_knows_those_of_the_folder(
    there: BuildCloud, config: Config
) -> None:
    (config.state_dir / "prod" / "logs").mkdir(parents=True)
    result = devbridge("jobs", "--stage", "pord")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "not deployed to stage 'pord'; did you mean 'prod'?" in result.stderr


# --- status, wait and cancel --------------------------------------------------------------------


def test_status_shows_a_build_as_it_shows_a_run_of_dev(there: BuildCloud) -> None:
    status, told = ENDS[State.FAILED]
    there.codebuild.add(ONE, status, told={**told, "attempt": "2"}, attempts=3)
    lines = devbridge("status", "aaaa1").stdout.splitlines()
    assert lines[:4] == [
        f"id        {ONE}",
        "job       factorial",
        "state     FAILED",
        "attempt   2 of 3",
    ]
    assert [line.split()[0] for line in lines[4:7]] == ["asked", "started", "ended"]
    assert lines[7:10] == [
        "took      1.50s",
        "error     KeyError: 'x'",
        f"log       /aws/codebuild/demo_ann_factorial/{ONE[-12:]}",
    ]
    changes = [line.removeprefix("history  ").split()[1:] for line in lines[10:]]
    assert changes == [["QUEUED"], ["RUNNING"], ["FAILED", "attempt", "2"]]


def test_status_as_json_has_the_history(there: BuildCloud) -> None:
    there.codebuild.add(ONE, told={"result": "0"})
    run = json.loads(devbridge("status", ONE, "--json").stdout)
    assert (run["id"], run["state"], run["result"]) == (ONE, "SUCCEEDED", 0)
    assert [change["state"] for change in run["history"]] == ["QUEUED", "RUNNING", "SUCCEEDED"]


def test_the_status_of_a_build_that_has_not_started_is_short(there: BuildCloud) -> None:
    there.codebuild.add(ONE, "IN_PROGRESS", phase="PROVISIONING")["logs"] = {}
    result = devbridge("status", ONE)
    assert result.stdout.splitlines()[2] == "state     STARTING"
    assert "log  " not in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("state", EXIT_CODES)
def test_wait_ends_with_the_exit_code_of_dev(there: BuildCloud, state: State) -> None:
    status, told = ENDS[state]
    there.codebuild.add(ONE, status, told=told)
    result = devbridge("wait", "aaaa1", "--json")
    assert result.exit_code == EXIT_CODES[state]
    assert json.loads(result.stdout)["state"] == state


def test_wait_ends_when_the_build_does(there: BuildCloud) -> None:
    there.codebuild.add(ONE, "IN_PROGRESS", phase="BUILD")
    results: list[Result] = []
    command = threading.Thread(target=lambda: results.append(devbridge("wait", ONE)), daemon=True)
    command.start()
    there.codebuild.ends(ONE, "SUCCEEDED", result="120")
    command.join(20)
    assert (results[0].exit_code, results[0].stdout) == (0, "Done    took 1.50s, result 120\n")


def test_wait_gives_up_when_its_time_is_over(there: BuildCloud) -> None:
    there.codebuild.add(ONE, "IN_PROGRESS", phase="BUILD")
    result = devbridge("wait", ONE, "--timeout", "0.01 seconds")
    assert result.exit_code == errors.EXIT_JOB_NOT_FINISHED
    assert "the run is RUNNING after 10ms" in result.stderr


def test_cancel_stops_the_build(there: BuildCloud) -> None:
    there.codebuild.add(ONE, "IN_PROGRESS", phase="QUEUED")
    result = devbridge("cancel", "aaaa1")
    assert result.stdout == f"{ONE}  factorial  was QUEUED: it will not start\n"
    again = devbridge("cancel", ONE, "--json")
    assert json.loads(again.stdout) == {
        "id": ONE,
        "job": "factorial",
        "was": "CANCELLED",
        "state": "CANCELLED",
        "waits": False,
    }


def test_cancelling_a_build_that_runs_says_that_it_was_stopped(there: BuildCloud) -> None:
    there.codebuild.add(ONE, "IN_PROGRESS", phase="BUILD")
    assert devbridge("cancel", ONE).stdout == f"{ONE}  factorial  was RUNNING: stopped\n"


# --- invoke -------------------------------------------------------------------------------------


@pytest.fixture
def invoker(there: BuildCloud) -> Iterator[Stubber]:
    """The invoker of the job, which starts the build ONE."""
    client = boto3.client(
        "lambda", region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    there.clients["lambda"] = client
    body = json.dumps({"jobId": ONE, "state": "QUEUED", "duplicate": False}).encode()
    answer: dict[str, Any] = {
        "StatusCode": 200,
        "Payload": StreamingBody(io.BytesIO(body), len(body)),
    }
    with Stubber(client) as stub:
        stub.add_response("invoke", answer)
        yield stub


def test_invoke_names_the_whole_id_which_is_known_everywhere(invoker: Stubber) -> None:
    result = devbridge("invoke", "factorial")
    assert result.stdout == f"{ONE}  factorial  QUEUED\n"
    assert result.stderr == f"see its output: devbridge logs {ONE} --follow\n"


@pytest.mark.parametrize("state", EXIT_CODES)
def test_invoke_waits_for_the_build(invoker: Stubber, there: BuildCloud, state: State) -> None:
    status, told = ENDS[state]
    there.codebuild.add(ONE, status, told=told)
    result = devbridge("invoke", "factorial", "--wait")
    assert result.exit_code == EXIT_CODES[state]
    word = result.stdout.splitlines()[1].split()[0]
    assert word in ("Done", "Error", "Crashed", "Cancelled", "Timed")
    assert "devbridge dev" not in result.stderr


# --- logs ---------------------------------------------------------------------------------------

BEFORE = [
    "[Container] 2026/01/31 12:00:00.000000 Running on CodeBuild On-demand\n",
    f"|  Invoke factorial {ONE}\n",
]
DONE = f"|  Done    {ONE} took 1.20s\n"
AFTER = ['{"devbridge": {"state": "SUCCEEDED", "attempt": 1, "result": 120}}\n']


def test_logs_prints_what_a_build_has_printed(there: BuildCloud) -> None:
    there.codebuild.add(ONE)
    there.logs.say(ONE, *BEFORE, "п\n", "x\n", DONE, *AFTER)
    for options in ([], ["--follow"]):
        result = CliRunner().invoke(main, ["logs", "aaaa1", *options])
        assert (result.exit_code, result.stdout, result.stderr) == (0, "п\nx\n", "")
    everything = CliRunner().invoke(main, ["logs", ONE, "--all", "--follow"])
    assert everything.stdout == "".join([*BEFORE, "п\n", "x\n", DONE, *AFTER])


def test_logs_of_a_build_that_has_not_come_to_its_handler_say_so(there: BuildCloud) -> None:
    there.codebuild.add(ONE, "IN_PROGRESS", phase="QUEUED")["logs"] = {}
    result = CliRunner().invoke(main, ["logs", ONE])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "factorial is QUEUED: nothing printed yet\n"


@pytest.mark.parametrize("options", [[], ["--all"], ["--follow"]])
def test_logs_of_a_build_that_ended_without_any_log_say_how(
    there: BuildCloud, options: list[str]
) -> None:
    there.codebuild.add(ONE, "STOPPED")["logs"] = {}
    result = CliRunner().invoke(main, ["logs", ONE, *options])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "factorial CANCELLED before it started: it printed nothing\n"


def test_logs_of_a_build_that_failed_before_its_handler_say_where_to_look(
    there: BuildCloud,
) -> None:
    there.codebuild.add(ONE, "FAILED")
    there.logs.say(ONE, *BEFORE[:1])
    result = CliRunner().invoke(main, ["logs", ONE])
    assert result.stdout == ""
    assert "--all" in result.stderr
