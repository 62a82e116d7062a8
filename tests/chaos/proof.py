"""The proof: the ledger, the handlers' side effects and the callers' answers, held against what
was promised. Pure, but for reading the files."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from devbridge.daemon.heartbeat import BEAT
from devbridge.daemon.recovery import LOST
from devbridge.protocol import codec
from devbridge.runs.model import State
from tests.chaos import messages
from tests.chaos.messages import Dead, Fate, Found, Sent, Verdict
from tests.chaos.plan import APP, JOBS, STAGE, Order, order_of
from tests.chaos.stage import Fault, Files

SLACK: Final = 2.0
"""Seconds between a fault and its being written down, on a busy machine. Only used to tell whether
a fault explains an ending, never to demand speed."""
LONGEST_CALL: Final = 40.0
"""Seconds: the stub's own limit is 8, and a caller may be frozen meanwhile."""
CHILDREN: Final = 30.0
"""Seconds after a run's end at which its children must be gone; the zygote gives them 10."""
EXCUSES: Final = frozenset({"DaemonStopped", "DaemonEnded", "Killed"})
"""Failures of runs that faults explain: whether they do is proven of each run."""
UNREACHED: Final = frozenset({"NoAnswer", "Offline", "NoDaemon", "BrokerUnreachable"})
"""What callers may be told while things are broken."""
NEXT: Final[Mapping[State | None, frozenset[State]]] = {
    None: frozenset({State.QUEUED}),
    State.QUEUED: frozenset(
        {State.STARTING, State.RUNNING, State.CANCELLED, State.FAILED, State.CRASHED}
    ),
    State.STARTING: frozenset({State.RUNNING, State.QUEUED, *(s for s in State if s.final)}),
    State.RUNNING: frozenset({State.QUEUED, *(s for s in State if s.final)}),
}


@dataclass
class Run:
    """All that is known of one job."""

    order: Order
    job_id: str
    row: sqlite3.Row | None = None
    history: list[sqlite3.Row] = field(default_factory=list)
    effects: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> State:
        assert self.row is not None
        return State(self.row["state"])

    @property
    def failure(self) -> dict[str, Any]:
        assert self.row is not None
        found: dict[str, Any] = json.loads(self.row["failure"] or "{}")
        return found

    @property
    def cancelled(self) -> bool:
        """Somebody asked for it to be cancelled, heard or not."""
        return any(each["action"] == "cancel" for each in self.answers)

    def told(self, action: str) -> list[dict[str, Any]]:
        """The answers to this action that are not errors."""
        return [a for a in self.answers if a["action"] == action and "error" not in a["answer"]]

    def starts(self) -> list[sqlite3.Row]:
        return [each for each in self.history if each["state"] == State.RUNNING]

    def of(self, what: str, attempt: int | None = None) -> list[dict[str, Any]]:
        return [
            e
            for e in self.effects
            if e["what"] == what and (attempt is None or e["attempt"] == attempt)
        ]

    def story(self) -> list[str]:
        """Everything that happened to it, by time."""
        lines = [
            (h["at"], f"ledger   {h['state']} #{h['attempt']} {h['detail'] or ''}")
            for h in self.history
        ]
        lines += [
            (e["at"], f"effect   {e['what']} #{e['attempt']} pid {e['pid']}")
            for e in self.effects
            if e["what"] not in ("tick", "child")
        ]
        for what in ("tick", "child"):
            if ticks := self.of(what):
                lines.append(
                    (
                        ticks[-1]["at"],
                        f"effect   last {what} of {len(ticks)}"
                        f" #{ticks[-1]['attempt']} pid {ticks[-1]['pid']}",
                    )
                )
        for a in self.answers:
            lines.append((a["began"], f"caller   {a['action']} sent by {a['caller']}"))
            lines.append(
                (a["ended"], f"answer   to {a['action']}: {json.dumps(a['answer'])[:200]}")
            )
        head = f"{self.job_id} {self.order.job} #{self.order.number} ({self.order.payload['kind']})"
        if self.row is not None:
            head += f": {self.row['state']} {json.dumps(self.failure)[:300]}"
        return [head, *(f"    {at:.3f} {text.rstrip()}" for at, text in sorted(lines))]


@dataclass
class Evidence:
    """All that was left behind."""

    runs: dict[str, Run]
    strangers: list[str]
    """Ids in the ledger or in the effects that nobody asked for."""
    faults: list[Fault]
    integrity: str
    logs: Path
    messages: Verdict

    def during(self, kinds: Sequence[str], begin: float, end: float) -> list[Fault]:
        return [
            fault
            for fault in self.faults
            if fault.kind in kinds and fault.began <= end + SLACK and fault.ended >= begin - SLACK
        ]


def gather(
    files: Files,
    orders: Sequence[Order],
    faults: Sequence[Fault],
    sent: Sequence[Sent],
    letters: Sequence[Dead],
) -> Evidence:
    """Read it all; what messages have started is held against all promises, too."""
    runs = {}
    fates = {(each.kind, each.number): each.fate for each in sent}
    ran = messages.ran(files.ledger)
    for each in ran:
        fate = fates.get((each.kind, each.number), Fate.WELL)
        runs[each.run] = Run(order_of(each, fate), each.run)
    for order in orders:
        job_id = codec.job_id(APP, STAGE, order.job, order.key or order.request_id)
        runs[job_id] = Run(order, job_id)
    strangers: set[str] = set()
    with contextlib.closing(sqlite3.connect(files.ledger)) as db:
        db.row_factory = sqlite3.Row
        integrity = db.execute("PRAGMA integrity_check").fetchone()[0]
        for row in db.execute("SELECT rowid AS number, * FROM runs"):
            if row["job_id"] in runs:
                runs[row["job_id"]].row = row
            else:
                strangers.add(row["job_id"])
        for row in db.execute("SELECT rowid AS number, * FROM transitions ORDER BY rowid"):
            if row["job_id"] in runs:
                runs[row["job_id"]].history.append(row)
    for line in _lines(sorted(files.effects.glob("*.jsonl"))):
        if line["id"] in runs:
            runs[line["id"]].effects.append(line)
        else:
            strangers.add(line["id"])
    for line in _lines([files.answers]):
        runs[line["id"]].answers.append(line)
    logs = files.ledger.parent / "logs"
    ended = {each.run: len({(e["attempt"]) for e in runs[each.run].of("end")}) for each in ran}
    found = Found(ran, letters, ended)
    verdict = messages.judge(sent, found, excuses=EXCUSES, untried=True)
    return Evidence(runs, sorted(strangers), list(faults), integrity, logs, verdict)


def _lines(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        with file.open() as text:
            for line in text:
                yield json.loads(line)


@dataclass(frozen=True)
class Broken:
    """A promise that was not kept."""

    promise: str
    what: str
    run: Run | None = None


def prove(evidence: Evidence) -> list[Broken]:
    """Every promise that was broken; nothing is the good answer."""
    broken = [Broken("only what was asked for runs", each) for each in evidence.strangers]
    if evidence.integrity != "ok":
        broken.append(Broken("the ledger is whole", evidence.integrity))
    for run in evidence.runs.values():
        for promise, check in _PROMISES:
            broken += [Broken(promise, what, run) for what in check(run, evidence)]
    broken += [
        Broken("a message is one run, or one dead letter", w) for w in evidence.messages.broken
    ]
    broken += _in_order_of_each_caller(evidence)
    broken += _first_in_first_out(evidence)
    return broken


def _accepted_is_known(run: Run, evidence: Evidence) -> Iterator[str]:
    for told in run.told("run"):
        if told["answer"].get("jobId") != run.job_id:
            yield f"another id was told: {told['answer']}"
    if run.told("run") and run.row is None:
        yield "told accepted, and not in the ledger"
    if run.row is None and run.effects:
        yield "ran, and is not in the ledger"


def _errors_are_the_expected_ones(run: Run, evidence: Evidence) -> Iterator[str]:
    for answer in run.answers:
        error = answer["answer"].get("error")
        if error is None or error["code"] in UNREACHED:
            continue
        known = any(a["ended"] <= answer["began"] for a in run.told("run"))
        if error["code"] == "UnknownRun" and not known:
            continue
        yield f"{answer['action']} was answered with {error}"


def _refused_does_not_run(run: Run, evidence: Evidence) -> Iterator[str]:
    """What was never given to the broker cannot run. Other errors mean: perhaps."""
    sent = [each for each in run.answers if each["action"] == "run"]
    if run.row is not None and sent and all(_surely_not_sent(each["answer"]) for each in sent):
        yield "the caller was only told that nobody is there, and it ran"


def _surely_not_sent(answer: dict[str, Any]) -> bool:
    error = answer.get("error", {})
    return bool(error.get("code") == "NoDaemon")


def _ends(run: Run, evidence: Evidence) -> Iterator[str]:
    if run.row is None:
        return
    if not run.state.final:
        yield f"is still {run.state}"
        return
    if not run.row["closed"]:
        yield "its log was never closed"
    before: State | None = None
    for change in run.history:
        state = State(change["state"])
        if state not in NEXT.get(before, frozenset()):
            yield f"went from {before} to {state}"
        before = state
    if before is not run.state:
        yield f"the history ends with {before}"


def _runs_once(run: Run, evidence: Evidence) -> Iterator[str]:
    if run.row is None:
        return
    attempts = [start["attempt"] for start in run.starts()]
    if attempts != list(range(1, len(attempts) + 1)):
        yield f"the attempts were {attempts}"
    if len(attempts) > run.row["max_attempts"]:
        yield f"{len(attempts)} attempts of {run.row['max_attempts']}"
    begins = Counter(effect["attempt"] for effect in run.of("begin"))
    for attempt, times in begins.items():
        if times > 1:
            yield f"attempt {attempt} began {times} times"
        if attempt not in attempts:
            yield f"attempt {attempt} ran, and is not in the ledger"
    if len({(effect["attempt"], effect["pid"]) for effect in run.of("end")}) > len(begins):
        yield "ended more often than it began"


def _is_dead_when_it_is_said_to_be(run: Run, evidence: Evidence) -> Iterator[str]:
    """Nothing of an attempt is alive when the ledger says that it is over."""
    over: dict[int, float] = {}
    for change in run.history:
        state = State(change["state"])
        if state.final:
            over.setdefault(change["attempt"], _known_end(change, evidence))
        elif state is State.QUEUED and change["attempt"] > 1:  # this one waits
            over.setdefault(change["attempt"] - 1, _known_end(change, evidence))
    for effect in run.effects:
        end = over.get(effect["attempt"])
        if end is None:
            continue
        if effect["at"] > end + (CHILDREN if effect["what"] == "child" else 0):
            yield f"{effect['what']} {effect['at'] - end:.3f} s after the end"
            return


def _known_end(change: sqlite3.Row, evidence: Evidence) -> float:
    """When it was over: who finds what a killed daemon has left knows its last sign of life; we
    know when it was killed."""
    at: float = change["at"]
    if change["detail"] != LOST.message:
        return at
    killed = evidence.during(["daemon killed"], at, at + BEAT)
    return max([at, *(fault.began for fault in killed)])


def _ends_as_what_it_was(run: Run, evidence: Evidence) -> Iterator[str]:
    if run.row is None or not run.state.final:
        return
    starts = run.starts()
    attempt = starts[-1]["attempt"] if starts else 0
    begin = starts[-1]["at"] if starts else run.row["created_at"]
    end = run.row["ended_at"]
    kind = run.failure.get("type", "")
    match run.state:
        case State.SUCCEEDED:
            expected = {"number": run.order.number, "attempt": attempt}
            if _intended(run, attempt) is not State.SUCCEEDED:
                yield "should not have succeeded"
            if json.loads(run.row["result"]) != expected:
                yield f"the result is {run.row['result']!r}"
            yield from _ran_through(run, attempt)
        case State.FAILED if attempt == 0 and run.order.job == "edited":
            if not evidence.during(["saved broken"], begin, end):
                yield "failed to load though nothing broken was saved"
        case State.FAILED:
            if _intended(run, attempt) is not State.FAILED:
                yield "should not have failed"
            if not _is_misfit(run):
                yield from _ran_through(run, attempt)
        case State.CRASHED if kind == "DaemonEnded":
            if not evidence.during(["daemon killed"], begin, end):
                yield "no daemon was killed meanwhile"
        case State.CRASHED:
            killed = evidence.during(["worker killed", "zygote killed"], begin, end)
            if _intended(run, attempt) is State.CRASHED and run.of("end", attempt):
                return
            if not killed:
                yield "crashed, and nobody killed it"
        case State.CANCELLED:
            stopped = run.history[-1]["detail"] == "devbridge dev was stopped"
            if stopped and not evidence.during(["daemon stopped"], begin, end):
                yield "no daemon was stopped meanwhile"
            if not stopped and not run.cancelled:
                yield "nobody cancelled it"
        case State.TIMED_OUT:
            if run.order.job != "brief":
                yield "it had time enough"
    again = run.state in (State.FAILED, State.CRASHED) and 0 < attempt < run.row["max_attempts"]
    if again and not _is_misfit(run):
        yield f"there was no attempt after {attempt}"


def _intended(run: Run, attempt: int) -> State:
    steps = run.order.payload["do"]
    if run.order.job == "brief":
        return State.TIMED_OUT
    match steps[min(attempt, len(steps)) - 1]:
        case "raise" | "exit" | "misfit":
            return State.FAILED
        case "crash" | "kill":
            return State.CRASHED
    return State.SUCCEEDED


def _is_misfit(run: Run) -> bool:
    """Its payload is not what its handler declares."""
    return bool(run.order.payload["do"][0] == "misfit")


def _ran_through(run: Run, attempt: int) -> Iterator[str]:
    if len(run.of("begin", attempt)) != 1 or len(run.of("end", attempt)) != 1:
        yield f"{run.state} without having run once from begin to end"


def _cancelled_stays_cancelled(run: Run, evidence: Evidence) -> Iterator[str]:
    if run.row is None:
        return
    for told in run.told("cancel"):
        if told["answer"].get("waits"):  # in the broker: the daemon has not heard of it yet
            continue
        state = State(told["answer"]["state"])
        if state.final and state is not run.state:
            yield f"told {state}, and ended {run.state}"
        if not state.final and run.state not in (State.CANCELLED, State.TIMED_OUT):
            yield f"the cancellation was taken, and it ended {run.state}"
        for start in run.starts():
            if start["at"] > told["ended"]:
                yield f"attempt {start['attempt']} began after it was cancelled"


def _final_is_final(run: Run, evidence: Evidence) -> Iterator[str]:
    for action in ("run", "status"):
        for told in run.told(action):
            state = State(told["answer"]["state"])
            if run.row is not None and state.final and state is not run.state:
                yield f"told {state}, and ended {run.state}"


def _logs_are_whole(run: Run, evidence: Evidence) -> Iterator[str]:
    lines = run.order.payload.get("lines")
    if not lines or run.row is None or run.state is not State.SUCCEEDED:
        return
    log = Path(run.row["log_path"]).read_text()
    have = sum(line.startswith(run.job_id) for line in log.splitlines())
    if have != lines:
        yield f"{have} of {lines} lines are in the log"


def _calls_end(run: Run, evidence: Evidence) -> Iterator[str]:
    for answer in run.answers:
        if (took := answer["ended"] - answer["began"]) > LONGEST_CALL:
            yield f"a call took {took:.1f} s"


_PROMISES: Final = (
    ("what a caller is told to be accepted is in the ledger", _accepted_is_known),
    ("callers get an answer that they can act on", _errors_are_the_expected_ones),
    ("what was refused does not run", _refused_does_not_run),
    ("every job ends", _ends),
    ("no attempt runs twice", _runs_once),
    ("what is over is dead", _is_dead_when_it_is_said_to_be),
    ("every job ends as what it was", _ends_as_what_it_was),
    ("what was cancelled stays cancelled", _cancelled_stays_cancelled),
    ("a final state is final", _final_is_final),
    ("the log has everything", _logs_are_whole),
    ("no call hangs", _calls_end),
)


def _in_order_of_each_caller(evidence: Evidence) -> list[Broken]:
    """A job that is asked for after another one was accepted comes after it in the ledger; but for
    one that comes while the broker hands over what has waited, in an order of its own."""
    calls: dict[tuple[str, str], list[tuple[float, float, Run, bool]]] = defaultdict(list)
    for run in evidence.runs.values():
        for a in run.answers:
            if a["action"] == "run" and run.row is not None:
                calls[a["caller"], run.order.job].append(
                    (a["began"], a["ended"], run, "error" not in a["answer"])
                )
    broken = []
    for each in calls.values():
        latest, waited, seen = 0, False, set()
        for began, ended, run, told in sorted(each, key=lambda call: call[:2]):
            assert run.row is not None
            number, entered = run.row["number"], run.row["created_at"]
            comes_between = waited and entered - began < SLACK
            if run.job_id not in seen and number < latest and not comes_between:
                broken.append(Broken("each caller's order is kept", "came too early", run))
            seen.add(run.job_id)
            if told and number > latest:
                latest, waited = number, entered > ended
    return broken


def _first_in_first_out(evidence: Evidence) -> list[Broken]:
    """The runs of a job start in the order in which they were entered."""
    broken = []
    for job in JOBS:
        starts = sorted(
            (start["number"], run.row["number"], run)
            for run in evidence.runs.values()
            if run.order.job == job.name and run.row is not None
            for start in run.starts()[:1]
        )
        latest = 0
        for _, entered, run in starts:
            if entered < latest:
                broken.append(Broken("what waits starts in order", "was overtaken", run))
            latest = max(latest, entered)
    return broken


def summary(evidence: Evidence) -> Mapping[str, Mapping[str, int]]:
    """Counts for the table."""
    answers: Counter[str] = Counter()
    for run in evidence.runs.values():
        for a in run.answers:
            error = a["answer"].get("error")
            outcome = error["code"] if error else a["answer"]["state"]
            twin = ", known before" if a["answer"].get("duplicate") else ""
            answers[f"{a['action']}: {outcome}{twin}"] += 1
    known = [run for run in evidence.runs.values() if run.row is not None]
    unknown = [run for run in evidence.runs.values() if run.row is None]
    only_errors = [run for run in known if not run.told("run")]
    return {
        "faults": Counter(fault.kind for fault in evidence.faults),
        "answers": answers,
        "messages": evidence.messages.counts,
        "states": Counter(
            f"{run.state}{' ' + run.failure['type'] if run.failure else ''}" for run in known
        ),
        "jobs": {
            "asked for": len(evidence.runs),
            "in the ledger": len(known),
            "never accepted, as told": len(unknown),
            "told an error, ran all the same": len(only_errors),
            "of these with the policy error": sum(r.order.job == "strict" for r in only_errors),
            "attempts started": sum(len(run.starts()) for run in known),
            "attempts that reached the handler": sum(len(r.of("begin")) for r in known),
        },
    }
