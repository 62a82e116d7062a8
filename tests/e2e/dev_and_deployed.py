"""One suite, and all ways to run a job: live under `devbridge dev`, and deployed in each place.

Whatever a caller, a handler or the command line can observe of a job must be the same in all, in
whatever language it is written. The files that run these tests say which it is: what `Language` has
is all in which one differs from another; and in which places: a stage is named after its own.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from devbridge import errors, job
from devbridge.cloud import keys
from devbridge.constructs import Job
from devbridge.constructs.load import load_app
from devbridge.job import BoundJob, JobStatus
from tests.clients import endpoint_of
from tests.e2e.dev_process import DEADLINE, DevProcess, clean_environment, command, run
from tests.waiting import eventually

APPS = Path(__file__).parent / "options_app"
"""The app, and a folder for each language with the files that are written in it."""
SECRET = "s3cr3t 'with' \"quotes\" and ü"
DEV = "dev"

pytestmark = [pytest.mark.timeout(240)]


@dataclass(frozen=True, kw_only=True)
class Language:
    """How a language says what all of them can say."""

    folder: str
    """Of the app's handlers, below `APPS`."""
    prepare: Callable[[Path], None] = lambda _: None
    """Installs what the app in this folder needs."""
    version: Sequence[int]
    """Of what runs the handlers."""
    value_error: str
    """The type of an error that a value has caused, here and below."""
    runtime_error: str
    parse_error: str
    not_json: str
    """What a result is that is no JSON."""
    leave: tuple[str, str]
    """Type and message of an exit with code 3."""
    traceback: str
    """What only a log with an error's frames has."""
    frame: str
    """What each frame of `probe` has."""
    caused: Sequence[str]
    """The lines of an error and its cause, in order."""
    grouped: Sequence[str]
    """The lines of the only error of a group, in order."""
    lingers: str
    """What is told of what goes on after the answer."""


@dataclass(frozen=True)
class Stage:
    """A stage of the app, and how its code calls its jobs."""

    name: str
    """The place that its jobs run in: "dev", or the name of a `compute`."""
    app: Path
    outputs: dict[str, str]
    jobs: tuple[str, ...]
    of: str = "options"
    """The app's name."""

    def job(self, name: str) -> BoundJob:
        return BoundJob(name)

    @property
    def poll(self) -> float:
        """Seconds until one asks again whether a run has ended: each question is an invocation."""
        return 0.2 if self.name == DEV else 0.6

    def ended(self, name: str, payload: object, **options: Any) -> JobStatus:
        """The status of a new run once it has ended."""
        bound = self.job(name)
        return bound.wait(bound.run(payload, **options).job_id, timeout=DEADLINE, poll=self.poll)

    def result(self, name: str, payload: object) -> Any:
        """What a new run returns."""
        return self.job(name).result(self.ended(name, payload).job_id)

    def thrice(self, name: str, payload: object) -> JobStatus:
        """The status of the last of three runs at the same time, which all end in the same way."""
        bound = self.job(name)
        runs = [bound.run(payload).job_id for _ in range(3)]
        ended = [bound.wait(job_id, timeout=DEADLINE, poll=self.poll) for job_id in runs]
        assert len({(each.state, each.error_type, each.error_message) for each in ended}) == 1
        if ended[0].state == "SUCCEEDED":
            first, *others = map(bound.result, runs)
            assert others == [first, first]
        return ended[-1]

    def error(self, job_id: str) -> Any:
        """What the command line tells of a run's error."""
        return json.loads(ok(self.cli("status", job_id, "--json")).stdout)["error"]

    def does(self, what: str, **payload: Any) -> Any:
        """What job `probe` finds."""
        return self.result("probe", {"do": what, **payload})

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return command(self.app, *arguments, "--stage", self.name, "--local")


def there_are(*places: str) -> Any:
    """The fixture `places` of a file of tests: the stages that there are."""
    return pytest.fixture(lambda: places, scope="module", name="places")


places = there_are(DEV, "codebuild")


@pytest.fixture(scope="module")
def app(
    tmp_path_factory: pytest.TempPathFactory, language: Language, places: Sequence[str]
) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("options") / "app"
    folders = [each.name for each in APPS.iterdir() if (each / "language.py").exists()]
    shutil.copytree(APPS, root, ignore=shutil.ignore_patterns("__pycache__", *folders))
    shutil.copytree(APPS / language.folder, root, dirs_exist_ok=True)
    language.prepare(root)
    try:
        ok(run(root, "cloud", "start"))
        for way in places:
            set_secret = ("secrets", "set", "api-token", "--stage", way, "--local")
            ok(command(root, *set_secret, stdin=SECRET))
        yield root
    finally:
        run(root, "cloud", "stop")


@pytest.fixture(scope="module")
def stages(app: Path, places: Sequence[str]) -> Iterator[dict[str, Stage]]:
    with contextlib.ExitStack() as stack:
        if DEV in places:
            options = ("--local", "--stage", DEV, "--grace", "1")
            dev = stack.enter_context(DevProcess(app, *options))
        for way in (each for each in places if each != DEV):
            ok(deploy(app, way))
        if DEV in places:
            dev.wait_for(r"^Ready", deadline=180)
        jobs = tuple(job.name for job in load_app(app).of_type(Job))
        yield {
            way: Stage(way, app, json.loads(ok(command(app, *outputs_of(way))).stdout), jobs)
            for way in places
        }


def deploy(app: Path, stage: str) -> subprocess.CompletedProcess[str]:
    """Takes longer than other commands."""
    return subprocess.run(
        [sys.executable, "-m", "devbridge", "deploy", "--local", "--stage", stage, "-y"],
        cwd=app,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def outputs_of(way: str) -> tuple[str, ...]:
    return ("outputs", "--json", "--stage", way, "--local")


def ok(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def each_of(*places: str) -> Any:
    """The fixture `stage` of a file of tests: each of these in turn."""

    @pytest.fixture(params=places, name="stage")
    def stage(
        request: pytest.FixtureRequest,
        stages: dict[str, Stage],
        monkeypatch: pytest.MonkeyPatch,
    ) -> Stage:
        return entered(stages[request.param], monkeypatch)

    return stage


def entered(chosen: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Let this process be code that binds all jobs of the stage."""
    endpoint = endpoint_of(chosen.app)
    root = keys.of_endpoint(endpoint)
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": root.access_key,
        "AWS_SECRET_ACCESS_KEY": root.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name in chosen.jobs:
        invoker = f"{chosen.of}_{chosen.name}_{name}-invoker"
        settings[f"DEVBRIDGE_Job_functionName_{name}"] = invoker
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    # Both remember the keys of the cloud that another file of these tests had in this process.
    job._client.cache_clear()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return chosen


stage = each_of(DEV, "codebuild")


def test_a_payload_arrives_as_it_was_sent_and_its_result_comes_back(stage: Stage) -> None:
    payloads = [0, False, "", None, [], {}, "\u2028 ü \U0001f600", 1.5, [{}]]
    probe = stage.job("probe")
    runs = [probe.run(payload) for payload in payloads]
    for started, payload in zip(runs, payloads, strict=True):
        probe.wait(started.job_id, timeout=DEADLINE, poll=stage.poll)
        result = probe.result(started.job_id)
        assert (result, type(result)) == (payload, type(payload))


def test_a_large_payload_and_a_large_result_arrive_whole(stage: Stage) -> None:
    assert stage.does("size", text="ü" * 100_000) == 100_000
    assert stage.does("big", size=100_000) == "x" * 100_000


@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("name", ["hidden", "shown"])
def test_payload_result_and_message_are_told_and_a_builds_record_has_them_only_if_it_may(
    stage: Stage, language: Language, name: str, fail: bool
) -> None:
    card = f"card-4111-{name}-{fail}"
    status = stage.ended(name, {"card": card, "fail": fail})
    told = json.loads(ok(stage.cli("status", status.job_id, "--json")).stdout)
    if fail:
        assert (status.error_type, status.error_message) == (language.value_error, card)
        assert (told["error"]["type"], told["error"]["message"]) == (language.value_error, card)
        assert card in ok(stage.cli("logs", status.job_id)).stdout
    else:
        assert stage.job(name).result(status.job_id) == told["result"] == card
    if stage.name == DEV:
        return
    if stage.name != "lambda":  # which keeps nothing of an invocation
        assert (card in kept_by_the_provider(stage.name, status.job_id)) == (name == "shown")
    s3 = boto3.client("s3")
    (bucket,) = [b["Name"] for b in s3.list_buckets()["Buckets"] if "assets" in b["Name"]]

    def objects(prefix: str) -> list[str]:
        place = f"{prefix}/options/{stage.name}/{name}/"
        found = s3.list_objects_v2(Bucket=bucket, Prefix=place).get("Contents", ())
        return [each["Key"] for each in found]

    eventually(lambda: objects("payloads") == [])
    told_in_s3 = [*objects("results"), *objects("told")]
    if name == "hidden":
        assert told_in_s3
        for key in told_in_s3:
            head = s3.head_object(Bucket=bucket, Key=key)
            assert head["SSEKMSKeyId"].endswith("-0123-456789abcdef")


def kept_by_the_provider(place: str, job_id: str) -> str:
    """What all who may look at a provider's own record see of a run."""
    name, _, uuid = job_id.partition(":")
    if place == "codebuild":
        codebuild = boto3.client("codebuild")
        ids = codebuild.list_builds_for_project(projectName=name)["ids"]
        found: Any = codebuild.batch_get_builds(ids=ids)["builds"]
    elif place == "batch":
        batch = boto3.client("batch")
        (queue,) = [each["jobQueueName"] for each in batch.describe_job_queues()["jobQueues"]]
        jobs = batch.list_jobs(jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [uuid]}])[
            "jobSummaryList"
        ]
        found = batch.describe_jobs(jobs=[each["jobId"] for each in jobs])["jobs"]
    else:
        ecs = boto3.client("ecs")
        cluster = "options_fargate"
        tasks = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in ecs.list_tasks(cluster=cluster, startedBy=uuid, desiredStatus=status)[
                "taskArns"
            ]
        ]
        found = ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"]
    (own,) = [each for each in map(str, found) if job_id in each]
    return own


def test_a_payload_is_decoded_to_the_handlers_type_and_its_result_is_json(stage: Stage) -> None:
    payload = {"lines": [{"sku": "a", "count": 2}, {"sku": "b"}], "kind": "express"}
    assert stage.result("typed", {**payload, "due": "2026-12-24"}) == {
        "items": 3,
        "due": "2026-12-24",
    }


def test_a_payload_of_another_type_is_refused_by_the_handler_with_the_path(
    stage: Stage, language: Language
) -> None:
    status = stage.ended("typed", {"lines": [{"sku": "a"}, {"sku": 5}], "kind": "normal"})
    assert (status.state, status.error_type) == ("FAILED", "PayloadInvalid")
    assert "$.lines[1].sku" in str(status.error_message)
    logs = stage.cli("logs", status.job_id)
    assert "$.lines[1].sku" in ok(logs).stdout
    assert language.traceback not in logs.stdout


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({"lines": [{"sku": "a"}, {"sku": 5}], "kind": "normal"}, "$.lines[1].sku"),
        ({"lines": []}, "$"),
        ({"lines": [], "kind": "slow"}, "$.kind"),
        ({"lines": [], "kind": "normal"}, None),
    ],
)
def test_a_wrong_payload_is_refused_where_it_is_sent(
    stage: Stage, payload: object, where: str | None
) -> None:
    client = boto3.client("lambda")
    answer = client.invoke(FunctionName=f"options_{stage.name}_ask-fn", Payload=json.dumps(payload))
    told = json.loads(answer["Payload"].read())
    if where is None:
        status = stage.job("typed").wait(told["jobId"], timeout=DEADLINE, poll=stage.poll)
        assert status.state == "SUCCEEDED"
    else:
        assert told == {"refused": where}


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("table", [{"id": "t", "text": "ö"}, "AccessDenied"]),
        ("bucket", [[0, 255], ["a/b"], "AccessDenied"]),
        ("queue", ["to do", "AccessDenied"]),
        ("topic", "AuthorizationError"),
        ("secret", [SECRET, SECRET, []]),
        ("config", "hello, 'world'\u2028 \"$HOME\""),
        ("function", {"echo": {"x": 1}}),
        ("job", "SUCCEEDED"),
        ("wrong-payload", "$.kind"),
        ("permissions", [True, "AccessDenied"]),
        ("environment", ['grün \'n "blue" $HOME', "", "options", []]),
        ("who", True),
        ("copied", "copied as it is"),
        ("installed", 1),
    ],
)
def test_an_option_has_its_effect(stage: Stage, what: str, found: object) -> None:
    told = stage.does(what)
    if (stage.name, what) == ("lambda", "environment"):
        assert told.pop() == ["AWS_ACCESS_KEY_ID"]  # Lambda gives its role's keys there
        told.append([])
    assert told == found


def test_a_handler_is_told_of_its_run(stage: Stage, language: Language) -> None:
    memory = {"batch": 1792, "fargate": 2048, "lambda": 1024}.get(stage.name, 7 * 1024)
    told = ["probe", "probe", 1, 1, memory, True, list(language.version)]
    assert stage.does("about") == told


def test_what_is_not_bound_may_not_be_used(stage: Stage) -> None:
    assert stage.does("other-table", name=stage.outputs["OtherTable"]) == "AccessDenied"


def test_the_request_id_is_the_job_id(stage: Stage) -> None:
    probe = stage.job("probe")
    run = probe.run({"do": "request-id"})
    probe.wait(run.job_id, timeout=DEADLINE, poll=stage.poll)
    assert probe.result(run.job_id) == run.job_id


def an_error(language: Language) -> tuple[str, str]:
    return language.value_error, "a 'quoted' \"message\" with $HOME, ü, and"


@pytest.mark.parametrize(
    ("payload", "state", "told"),
    [
        ({"do": "error"}, "FAILED", an_error),
        ({"do": "not-json"}, "FAILED", lambda language: ("ResultNotJson", language.not_json)),
        ({"do": "leave", "code": 3}, "FAILED", lambda language: language.leave),
        ({"do": "crash", "code": 3}, "CRASHED", lambda _: ("Exited", "3")),
        ({"do": "crash", "code": 0}, "CRASHED", lambda _: ("Exited", "0")),
        ({"do": "kill"}, "CRASHED", lambda _: ("Killed", "SIGKILL")),
    ],
    ids=["error", "not-json", "leave", "crash-3", "crash-0", "kill"],
)
def test_a_bad_end_is_told_as_what_it_was(
    stage: Stage,
    language: Language,
    payload: object,
    state: str,
    told: Callable[[Language], tuple[str, str]],
) -> None:
    error_type, message = told(language)
    status = stage.ended("probe", payload)
    assert (status.state, status.error_type) == (state, error_type)
    assert message in str(status.error_message)
    with pytest.raises(errors.JobFailed) as caught:
        stage.job("probe").result(status.job_id)
    assert caught.value.error_type == error_type
    assert type(caught.value) is {"FAILED": errors.JobFailed, "CRASHED": errors.JobCrashed}[state]


@pytest.mark.parametrize(("what", "how"), [("caused", "caused by"), ("task-group", "in")])
def test_an_error_is_told_with_what_caused_it(
    stage: Stage, language: Language, what: str, how: str
) -> None:
    told = language.caused if what == "caused" else language.grouped
    job_id = stage.job("probe").run({"do": what}).job_id
    waited = stage.cli("wait", job_id)
    status = ok(stage.cli("status", job_id))
    error = stage.error(job_id)
    for text in (waited.stdout, status.stdout):
        places = [text.find(line) for line in told]
        assert -1 not in places, text
        assert places == sorted(places)
    assert f"{error['type']}: {error['message']}" == told[0]
    assert [cause["how"] for cause in error["causes"]] == [how]
    frames = error["causes"][0]["frames"]
    assert frames
    assert [frame for frame in frames if language.frame not in frame] == []
    assert told[0] in ok(stage.cli("logs", job_id)).stdout


def test_what_goes_on_after_the_answer_is_in_the_runs_log(stage: Stage, language: Language) -> None:
    job_id = stage.job("probe").run({"do": "lingers"}).job_id
    told = ok(stage.cli("logs", job_id, "--follow")).stdout
    note = (
        f"--- devbridge: the handler has ended, but {language.lingers} goes on: it is ended in 9s"
    )
    assert [line for line in told.splitlines() if line] == [note, "uploaded"]
    assert stage.job("probe").result(job_id) == "answered"


def test_a_handler_that_cannot_be_imported_fails_with_the_reason(
    stage: Stage, language: Language
) -> None:
    status = stage.ended("broken", None)
    assert (status.state, status.error_type) == ("FAILED", language.parse_error)


@pytest.mark.parametrize("by", ["raise", "crash"])
def test_a_failed_run_is_tried_again_as_often_as_its_retries_say(stage: Stage, by: str) -> None:
    status = stage.ended("retried", {"succeeds": 3, "by": by})
    assert (status.state, status.attempt, status.max_attempts) == ("SUCCEEDED", 3, 3)
    assert stage.job("retried").result(status.job_id) == 3


def test_the_last_attempts_error_is_the_runs(stage: Stage, language: Language) -> None:
    status = stage.ended("retried", {"succeeds": 9, "by": "raise"})
    found = (status.state, status.attempt, status.error_type)
    assert found == ("FAILED", 3, language.runtime_error)
    assert status.error_message == "no luck in attempt 3"


def test_runs_over_the_jobs_concurrency_wait_for_their_turn(stage: Stage) -> None:
    single = stage.job("single")
    payloads = [{"id": f"single-{stage.name}", "who": str(number)} for number in range(3)]
    runs = [single.run(payload) for payload in payloads]
    with ThreadPoolExecutor(3) as pool:
        ended = list(
            pool.map(lambda run: single.wait(run.job_id, timeout=60, poll=stage.poll), runs)
        )
    assert [status.state for status in ended] == ["SUCCEEDED"] * 3
    assert [single.result(run.job_id) for run in runs] == [1, 1, 1]


def test_a_job_without_live_development_runs_in_the_cloud_on_every_stage(stage: Stage) -> None:
    status = stage.ended("remote", {"id": f"remote-{stage.name}"})
    assert (status.state, status.job_id.split(":")[0]) == (
        "SUCCEEDED",
        f"options_{stage.name}_remote",
    )


@pytest.mark.parametrize("payload", ["alone", "with a child"])
def test_a_run_that_takes_too_long_is_stopped(stage: Stage, payload: str) -> None:
    status = stage.ended("short", payload)
    assert status.state == "TIMED_OUT"
    with pytest.raises(errors.JobTimedOut):
        stage.job("short").result(status.job_id)


def test_the_remaining_time_counts_to_the_jobs_timeout(stage: Stage) -> None:
    assert 0 < stage.result("short", "remaining") <= 3000


def test_a_running_job_can_be_cancelled_and_its_process_is_gone(
    stage: Stage, tmp_path: Path
) -> None:
    probe, started = stage.job("probe"), tmp_path / "started"
    run = probe.run({"do": "wait", "started": str(started)})
    eventually(started.exists)
    assert probe.status(run.job_id).state == "RUNNING"
    assert probe.cancel(run.job_id).was == "RUNNING"
    assert probe.wait(run.job_id, timeout=DEADLINE, poll=stage.poll).state == "CANCELLED"
    with pytest.raises(errors.JobCancelled):
        probe.result(run.job_id)
    assert probe.cancel(run.job_id).was == "CANCELLED"


def test_runs_with_one_idempotency_key_are_one_run(stage: Stage) -> None:
    probe = stage.job("probe")
    first = probe.run("once", idempotency_key="order-1")
    probe.wait(first.job_id, timeout=DEADLINE, poll=stage.poll)
    second = probe.run("once", idempotency_key="order-1")
    assert (second.job_id, second.duplicate) == (first.job_id, True)
    assert probe.run("once", idempotency_key="order-2").job_id != first.job_id


@pytest.mark.parametrize("job_id", ["00000000-0000-4000-8000-000000000000", "none", ""])
def test_a_run_that_nobody_knows_is_an_error(stage: Stage, job_id: str) -> None:
    for question in (stage.job("probe").status, stage.job("probe").cancel):
        with pytest.raises(errors.UnknownRun):
            question(job_id)


def test_the_log_has_what_the_run_has_printed(stage: Stage) -> None:
    status = stage.ended("probe", {"do": "output"})
    logs = (sys.executable, "-m", "devbridge", "logs", status.job_id, "--raw", "--local")
    done = subprocess.run(
        [*logs, "--stage", stage.name],
        cwd=stage.app,
        capture_output=True,
        timeout=DEADLINE,
        env=clean_environment(),
        check=True,
    )
    *lines, last = done.stdout.decode(errors="replace").rstrip("\n").split("\n")
    assert sorted(lines) == ["from a child", "to stderr", "to stdout: ü \u2028 end"]
    # CloudWatch Logs has text only.
    assert last == "not utf-8: \ufffd, and no newline"


@pytest.mark.parametrize(
    ("payload", "exit_code"),
    [("fine", 0), ({"do": "error"}, 20), ({"do": "crash", "code": 1}, 23)],
)
def test_the_command_line_tells_the_same_with_the_same_exit_codes(
    stage: Stage, payload: object, exit_code: int
) -> None:
    job_id = stage.job("probe").run(payload).job_id
    waited = stage.cli("wait", job_id, "--json")
    assert waited.returncode == exit_code, waited.stderr
    told = json.loads(ok(stage.cli("status", job_id, "--json")).stdout)
    listed = json.loads(ok(stage.cli("jobs", "--json", "--job", "probe")).stdout)
    row = next(row for row in listed if row["id"] == job_id)
    state = {0: "SUCCEEDED", 20: "FAILED", 23: "CRASHED"}[exit_code]
    for answer in (json.loads(waited.stdout), told, row):
        assert (answer["id"], answer["job"], answer["state"]) == (job_id, "probe", state)
        assert (answer["attempt"], answer["maxAttempts"]) == (1, 1)
    assert told["result"] == ("fine" if exit_code == 0 else None)
    assert (told["error"] is None) == (exit_code == 0)
    assert told["startedAt"] <= told["endedAt"]


def test_a_run_is_found_by_the_beginning_of_its_id(stage: Stage) -> None:
    status = stage.ended("probe", "short id")
    beginning = status.job_id.rpartition(":")[2][:13]
    told = json.loads(ok(stage.cli("status", beginning, "--json")).stdout)
    assert told["id"] == status.job_id


def test_the_cli_cancels_a_run(stage: Stage, tmp_path: Path) -> None:
    started = tmp_path / "started"
    run = stage.job("probe").run({"do": "wait", "started": str(started)})
    eventually(started.exists)
    ok(stage.cli("cancel", run.job_id))
    assert stage.cli("wait", run.job_id).returncode == 21


def test_tags_and_log_retention_are_those_of_the_app(stage: Stage) -> None:
    logs = boto3.client("logs")
    (group,) = [
        each
        for each in logs.describe_log_groups(logGroupNamePrefix="/")["logGroups"]
        if each["logGroupName"] == f"/aws/codebuild/options_{stage.name}_probe"
    ]
    assert group["retentionInDays"] == 3
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"]["team"] == "blue"
