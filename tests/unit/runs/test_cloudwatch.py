"""What is shown of a build's log."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

import pytest

from devbridge.runs.cloudwatch import Output, Streams, reader
from devbridge.runs.kept import Kept
from devbridge.runs.listed import ListedRuns
from devbridge.runs.providers.known import provider
from devbridge.runs.reading import Deployment, Reader
from tests.unit.runs.clouds import BuildCloud, Logs

ONE = "demo_ann_factorial:aaaa1111-0000-4000-8000-000000000001"
BEFORE = [
    "[Container] 2026/01/31 12:00:00.000000 Running on CodeBuild On-demand\n",
    "[Container] 2026/01/31 12:00:01.000000 Running command python3 runner run\n",
    f"|  Invoke factorial {ONE}\n",
]
DONE = f"|  Done    {ONE} took 1.20s\n"
AFTER = [
    '{"devbridge": {"state": "SUCCEEDED", "attempt": 1, "result": 120}}\n',
    "[Container] 2026/01/31 12:00:03.000000 Phase complete: BUILD State: SUCCEEDED\n",
    "[Container] 2026/01/31 12:00:03.000000 Phase context status code:  Message: \n",
]
OWN = ["first\n", "|  Done    took 1s\n", "\n", "|  a | table |  \n", "[Container] I\n", "last\n"]


def shown(events: Sequence[str], **options: bool) -> str:
    output = Output(ONE, **options)
    return "".join(map(output.shown, events))


@pytest.mark.parametrize("last", [DONE, f"|  Error   {ONE} FAILED after 1.20s: KeyError: 'x'\n"])
def test_only_what_is_between_the_runners_lines_is_shown(last: str) -> None:
    assert shown([*BEFORE, *OWN, last, *AFTER]) == "".join(OWN)


@pytest.mark.parametrize(
    "printed",
    [
        [DONE, "more\n"],
        [DONE, DONE, "more\n"],
        ["[Container] 2026/01/31 12:00:02.000000 of the handler\n", "more\n"],
        ['{"devbridge": {"state": "SUCCEEDED"}}\n', "more\n"],
    ],
)
def test_what_only_looks_like_the_runners_lines_is_shown(printed: list[str]) -> None:
    assert shown([*BEFORE, *printed, DONE, *AFTER]) == "".join(printed)


def test_the_runners_lines_in_between_are_not_shown() -> None:
    waiting = f"|  Waiting {ONE} 2 runs are ahead, 1 may run at the same time\n"
    again = [
        f"|  Again   {ONE} FAILED after 1.20s: KeyError: 'x', again in 1 s\n",
        f"|  Invoke factorial {ONE} (attempt 2 of 2)\n",
        f"|  Goes on {ONE} at its checkpoint\n",
    ]
    events = [*BEFORE, waiting, "one\n", *again, "two\n", DONE, *AFTER]
    assert shown(events) == "one\ntwo\n"


def test_an_event_of_many_lines_and_one_without_an_end_are_lines() -> None:
    events = ["".join(BEFORE) + "a\u2028b\x0c\rc\nd", "e", DONE[:-1], "".join(AFTER)]
    assert shown(events) == "a\u2028b\x0c\rc\nd\ne\n"


def test_a_line_that_is_longer_than_an_event_stays_one() -> None:
    long = "x" * (256 * 1024 - 26)
    assert shown([*BEFORE, long, "end\n", DONE]) == f"{long}end\n"


def test_a_run_that_was_killed_shows_all_it_has_printed() -> None:
    killed = "[Container] 2026/01/31 12:00:03.000000 Phase complete: BUILD State: STOPPED\n"
    assert shown([*BEFORE, "x\n", killed]) == "x\n"


def test_everything_is_everything() -> None:
    events = [*BEFORE, "x\n", DONE, *AFTER]
    assert shown(events, everything=True) == "".join(events)


def test_a_container_job_shows_all_but_codebuilds_lines() -> None:
    assert shown([*BEFORE[:2], "x\n", DONE, *AFTER[1:]], runner=False) == f"x\n{DONE}"


def test_the_banner_of_another_run_is_no_banner() -> None:
    other = BEFORE[-1].replace("aaaa1111", "ffff1111")
    assert shown([other, "x\n", DONE, *AFTER]) == ""


def test_the_invocations_of_a_function_are_shown_in_order_whichever_streams_they_took() -> None:
    logs, one, two = Logs(), ("/g", "one"), ("/g", "two")

    def invoked(stream: tuple[str, str], job_id: str, *printed: str) -> None:
        first = f"START RequestId: {ONE[-36:]} Version: $LATEST\n"
        logs.add(stream, first, f"|  Invoke factorial {job_id} (attempt 1 of 1)\n", *printed)
        logs.add(stream, f"END RequestId: {ONE[-36:]}\n")

    invoked(one, ONE, "a\n", f"|  Again   {ONE} INTERRUPTED after 1s, goes on elsewhere\n")
    invoked(two, ONE, "b\n")
    invoked(two, ONE.replace("aaaa", "ffff"), "another's\n")
    invoked(one, ONE, "c\n", DONE, AFTER[0])
    invoked(two, ONE.replace("aaaa", "ffff"), "another's\n")
    chosen = partial(Output, ONE, shared=True)
    streams = Streams(lambda: logs, lambda: [one, two], chosen)
    assert [*streams.read()] == ["a\n", "b\n", "c\n"]
    assert streams.complete
    everything = Streams(lambda: logs, lambda: [one, two], partial(chosen, everything=True))
    text = "".join(everything.read())
    assert (text.count("\n"), "another" in text) == (15, False)


# --- CloudWatch Logs ----------------------------------------------------------------------------


class Following:
    """`follow` in a thread, with a build whose state and lines come when the test says."""

    def __init__(self, *, everything: bool = False, settle: float = 20) -> None:
        self.cloud = BuildCloud()
        self.cloud.codebuild.add(ONE, "IN_PROGRESS", phase="BUILD")
        self._grew = threading.Condition()
        self.data = b""
        project = "demo_ann_factorial"
        reader_ = Reader(
            Kept(lambda: self.cloud.s3, self.cloud.s3.bucket, "demo/ann/factorial"),
            lambda name: provider(name, self.cloud.client),
            Deployment(app="demo", stage="ann", job="factorial", project=project),
        )
        store = ListedRuns(
            reader_,
            output=reader(lambda: self.cloud.logs, runner=True, settle=settle),
            poll=0.005,
        )
        self.run = store.get(ONE)
        self._output = self.run.output(follow=True, everything=everything)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for chunk in self._output:
            self._write(chunk)

    def _write(self, chunk: bytes) -> None:
        with self._grew:
            self.data += chunk
            self._grew.notify_all()

    def saw(self, text: bytes) -> bool:
        with self._grew:
            return self._grew.wait_for(lambda: text in self.data, timeout=20)

    def ended(self) -> bool:
        self._thread.join(10)
        return not self._thread.is_alive()


def test_following_waits_for_the_lines_that_come_after_the_builds_end() -> None:
    following = Following()
    following.cloud.logs.say(ONE, *BEFORE, "first\n")
    assert following.saw(b"first\n")
    following.cloud.codebuild.ends(ONE, "SUCCEEDED")
    following.cloud.logs.say(ONE, "late\n")
    assert following.saw(b"late\n")
    following.cloud.logs.say(ONE, DONE, *AFTER)
    assert following.ended()
    assert following.data == b"first\nlate\n"


def test_following_a_build_that_says_nothing_more_ends_after_a_while() -> None:
    following = Following(settle=0.05)
    following.cloud.logs.say(ONE, *BEFORE, "first\n", "more\n")
    assert following.saw(b"first\n")
    following.cloud.codebuild.ends(ONE, "STOPPED")
    assert following.ended()
    assert following.data == b"first\nmore\n"


def test_nothing_is_there_of_a_build_that_has_no_log_yet() -> None:
    following = Following(settle=0.05)
    following.cloud.codebuild.projects["demo_ann_factorial"][0]["logs"] = {}
    assert list(following.run.output(follow=False)) == []
    following.cloud.codebuild.ends(ONE, "STOPPED")
    assert following.ended()
