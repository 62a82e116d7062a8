"""Live as deployed: jobs in TypeScript, and what only they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from devbridge import errors
from tests.e2e.dev_and_deployed import *  # noqa: F403
from tests.e2e.dev_and_deployed import APPS, Language, Stage, ok
from tests.e2e.dev_process import DEADLINE
from tests.npm import project
from tests.waiting import eventually

pytestmark = [pytest.mark.timeout(240), pytest.mark.matrix]

FOLDER = APPS / "typescript"
SDK = "@aws-sdk/client-"
PACKAGES = {
    f"{SDK}dynamodb": "3.1169.0",
    f"{SDK}lambda": "3.1164.0",
    f"{SDK}s3": "3.1175.0",
    f"{SDK}sns": "3.1169.0",
    f"{SDK}sqs": "3.1175.0",
    f"{SDK}sts": "3.1174.0",
    "@types/node": "24.19.2",
    "sharp": "0.35.5",
    "typescript": "7.0.2",
}


def prepare(app: Path) -> None:
    """What `npm install` does: the packages of the registry, and a link to those of the app."""
    modules = app / "node_modules"
    modules.mkdir()
    for package in (project("options", PACKAGES) / modules.name).iterdir():
        if not package.name.startswith("."):
            (modules / package.name).symlink_to(package)
    (modules / "@options").mkdir()
    (modules / "@options/words").symlink_to("../../packages/words")


@pytest.fixture(scope="module")
def language() -> Language:
    return Language(
        folder=FOLDER.name,
        prepare=prepare,
        version=[24],
        value_error="RangeError",
        runtime_error="Error",
        parse_error="SyntaxError",
        not_json="result.a[1] is a symbol, which JSON does not have",
        leave=("ProcessExit", "process.exit(3)"),
        traceback="    at ",
        frame="jobs/probe.ts:",
        caused=[
            "LoadError: cannot load",
            "caused by RangeError: the real reason",
            "code: NOT_IN_row 7",
            "throw Object.assign(",
        ],
        grouped=[
            "RangeError: in a task",
            'throw new RangeError("in a task")',
            "in AggregateError: 1 task has failed",
            "throw new AggregateError(",
        ],
        lingers="its timer",
    )


def place(file: str, text: str) -> str:
    """Where a text stands that is in a file once, as frames say it."""
    lines = (FOLDER / file).read_text("utf-8").split("\n")
    ((number, line),) = [found for found in enumerate(lines, 1) if text in found[1]]
    return f"{file}:{number}:{line.index(text) + 1}"


def frames(error: dict[str, list[str]]) -> list[str]:
    """Where the frames of an error are, outermost first."""
    return [frame.partition("\n")[0].rpartition("(")[2].rstrip(")") for frame in error["frames"]]


# --- how it is built ----------------------------------------------------------------------------


def test_what_a_bundle_is_made_of_is_the_same(stage: Stage) -> None:
    status = stage.thrice("built", None)
    assert stage.job("built").result(status.job_id) == {
        "alias": ["n0", "n1"],
        "banner": "on top",
        "define": ["sweet", "made"],
        "dynamic": "imported late",
        "external": "ERR_MODULE_NOT_FOUND",
        "filename": ["built.mjs", "jobs", "built.mjs"],
        "json": {"colour": "blue", "sizes": [1, 2]},
        "require": ["function", True],
        "text": "select * from everything",
        "wasm": 42,
        "workspace": "HELLO",
    }


def test_a_bundle_may_be_several_files_with_short_names(stage: Stage) -> None:
    status = stage.thrice("split", {})
    assert stage.job("split").result(status.job_id) == "imported late"


def test_the_frames_of_short_code_are_those_of_the_source(stage: Stage) -> None:
    status = stage.thrice("split", {"fail": True})
    assert (status.error_type, status.error_message) == ("OutOfWords", "imported late")
    error = stage.error(status.job_id)
    assert frames(error) == [place("jobs/split.ts", "new OutOfWords")]


def test_a_bundle_may_be_commonjs(stage: Stage) -> None:
    status = stage.thrice("common", None)
    assert stage.job("common").result(status.job_id) == {
        "alias": ["n0"],
        "filename": "common.cjs",
        "require": ["function", True],
    }


# --- what it prints and returns -----------------------------------------------------------------


def test_objects_are_printed_as_node_prints_them(stage: Stage) -> None:
    status = stage.ended("ends", {"do": "prints objects"})
    printed = ok(stage.cli("logs", status.job_id)).stdout
    for line in (
        "an object {",
        "  a: [ 1, { b: [Object] } ],",
        "  when: 1970-01-01T00:00:00.000Z,",
        "  f: [AsyncFunction: says]",
        "half is 50% Map(1) { 'k' => Set(1) { 1n } }",
        "│ (index) │ a │",
        "printed [ undefined, null ] Symbol(s)",
    ):
        assert line in printed.splitlines()


@pytest.mark.parametrize(
    ("what", "result"),
    [
        ({"do": "returns undefined"}, None),
        ({"do": "has a thread", "number": 21}, 42),
        ({"do": "has a child"}, ["42", []]),
    ],
    ids=["undefined", "thread", "child"],
)
def test_threads_and_children_do_their_part(stage: Stage, what: object, result: object) -> None:
    status = stage.thrice("ends", what)
    assert stage.job("ends").result(status.job_id) == result


# --- how it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "error_type", "message"),
    [
        ("rejects and nobody handles it", "TypeError", "nobody handles this"),
        ("throws where nobody catches", "RangeError", "there is no word"),
        ("never settles", "NeverSettled", "the handler's promise never settled: nothing is left"),
        ("has a thread that fails", "RangeError", "in a thread"),
        ("has a child that fails", "Error", "Command failed: /bin/sh -c exit 7"),
        ("returns a bigint", "ResultNotJson", "result.total[0] is a bigint"),
        ("returns a map", "ResultNotJson", "result is a Map"),
        ("returns itself", "ResultNotJson", "result.list[0] contains itself"),
        ("throws a text", "string", "only a text"),
    ],
)
def test_an_end_of_nodes_is_told_as_what_it_was(
    stage: Stage, what: str, error_type: str, message: str
) -> None:
    status = stage.thrice("ends", {"do": what})
    assert (status.state, status.error_type) == ("FAILED", error_type)
    assert str(status.error_message).startswith(message)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("rejects and nobody handles it", "a promise was rejected, and nobody handled that"),
        ("throws where nobody catches", "nobody caught it"),
    ],
)
def test_it_is_said_how_an_error_came_to_end_the_run(stage: Stage, what: str, why: str) -> None:
    status = stage.ended("ends", {"do": what})
    assert why in stage.error(status.job_id)["notes"]
    assert why in ok(stage.cli("status", status.job_id)).stdout


def test_each_error_of_many_is_told_with_its_cause(stage: Stage) -> None:
    status = stage.thrice("ends", {"do": "fails in many ways"})
    assert (status.error_type, status.error_message) == ("AggregateError", "2 of 3 have failed")
    causes = stage.error(status.job_id)["causes"]
    assert [(each["how"], each["type"], each["message"]) for each in causes] == [
        ("1 of 2:", "Error", "word 1 cannot be said"),
        ("caused by", "RangeError", "there is no word"),
        ("2 of 2:", "Error", "word 2 cannot be said"),
        ("caused by", "RangeError", "there is no word"),
    ]


def test_the_frames_of_an_error_are_lines_of_the_source(stage: Stage) -> None:
    status = stage.thrice("ends", {"do": "fails deep down"})
    error = stage.error(status.job_id)
    ends, index = "packages/words/src/ends.ts", "packages/words/src/index.ts"
    rethrown = place(ends, "new Error(`word")
    assert frames(error)[-1] == rethrown
    (cause,) = error["causes"]
    assert frames(cause)[-2:] == [
        place(ends, "say(word, Loudness.Quiet)"),
        place(index, "new RangeError"),
    ]
    line = 'if (!word) throw new RangeError("there is no word");'
    assert cause["frames"][-1].split("\n")[1].strip() == line


def test_a_handler_hears_that_its_run_is_cancelled(stage: Stage, tmp_path: Path) -> None:
    ends = stage.job("ends")
    for number in range(3):
        started, heard = tmp_path / f"started-{number}", tmp_path / f"heard-{number}"
        payload = {"do": "hears of its end", "started": str(started), "heard": str(heard)}
        job_id = ends.run(payload).job_id
        eventually(started.exists)
        ends.cancel(job_id)
        assert ends.wait(job_id, timeout=DEADLINE, poll=0.2).state == "CANCELLED"
        assert heard.read_text() == "true AbortError"
        with pytest.raises(errors.JobCancelled):
            ends.result(job_id)


def test_an_attempt_begins_where_the_one_before_has_come(stage: Stage) -> None:
    # The first has failed after 3; of the second, which has crashed after 6, 4 was stored at once.
    assert stage.result("counted", None) == {"from": 4}
