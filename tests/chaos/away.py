"""Messages that come while nobody runs `devbridge dev`: none is lost, and none is two.

``python -m tests.chaos.away [--messages 300] [--seeds 1,2,3] [--ways stopped,killed,asleep]``. The
cloud goes on, as AWS does behind a closed lid: `devbridge cloud start`, and beside it
`devbridge dev --local`, which is stopped, killed, or sent to sleep for longer than the broker waits
for a sign of life, while so many messages of each kind are sent. Then it comes back, and each
message must be a run that ended well, or a dead letter, once by the run's id.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.messages.mover import count
from tests.chaos import messages
from tests.chaos.messages import KINDS, Fate, Found, Sent, Verdict
from tests.chaos.senders import Senders
from tests.clients import endpoint_of
from tests.e2e.dev_process import DevProcess, run
from tests.waiting import eventually

APP: Final = Path(__file__).parent / "away_app"
STAGE: Final = "dev"
STACK: Final = f"devbridge-away--{STAGE}-"
WAYS: Final = ("stopped", "killed", "asleep")
KEEP_ALIVE: Final = 30.0
"""Seconds, of `devbridge dev`; a broker waits one and a half times as long (MQTT 5, 3.1.2.10)."""
QUIET: Final = 150.0
"""Seconds without any change after which all is as it will be: a message that was not taken comes
back after 60."""
LOOK: Final = 0.25
EXCUSES: Final = frozenset({"DaemonStopped", "DaemonEnded"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall happen."""

    way: str
    messages: int
    """Of each kind."""
    seed: int
    sleep: float = 0.0
    """Seconds that it sleeps after the last message."""


def away(plan: Plan, root: Path, endpoint: str, options: Sequence[str]) -> Verdict:
    """Send the messages while nobody is there, and judge what has become of them.

    Args:
        root: a folder for the app.
        options: which cloud `devbridge dev` uses.
    """
    shutil.copytree(APP, root, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    rng = random.Random(f"{plan.way} {plan.seed}")  # noqa: S311 - to be repeated

    def start() -> DevProcess:
        dev = DevProcess(root, "--stage", STAGE, *options)
        dev.wait_for(r"^Ready")
        return dev

    dev = start()
    try:
        senders = Senders(endpoint, STACK, "away", STAGE, {"topic": "take", "queue": "take"})
        eventually(senders.are_read)
        sent = _send(plan, rng, senders, lambda: _leave(dev, plan.way))
        if plan.way == "asleep":
            time.sleep(plan.sleep)
            dev.send(signal.SIGCONT)
        else:
            dev = start()
        _settle(senders, root, sent)
        assert dev.interrupt() == 0, dev.text
    finally:
        dev.send(signal.SIGCONT)
        dev.__exit__(None, None, None)
    return messages.judge(sent, _found(senders, root), excuses=EXCUSES)


def _send(
    plan: Plan, rng: random.Random, senders: Senders, leave: Callable[[], None]
) -> list[Sent]:
    """All messages; soon after the first of them nobody is there any more."""
    early = rng.randint(1, max(1, plan.messages // 4))
    begun, left = threading.Event(), threading.Event()

    def send(kind: str, fates: Sequence[Fate]) -> list[Sent]:
        sent = []
        for number, fate in enumerate(fates):
            if number == early:
                begun.set()
            if number == 2 * early:
                left.wait()
            sent.append(senders.send(kind, number, fate))
        begun.set()
        return sent

    dealt = {kind: messages.fates(rng, kind, plan.messages) for kind in KINDS}
    with ThreadPoolExecutor(len(KINDS)) as pool:
        sending = [pool.submit(send, kind, fates) for kind, fates in dealt.items()]
        begun.wait()
        try:
            leave()
        finally:
            left.set()
        return [one for each in sending for one in each.result()]


def _leave(dev: DevProcess, way: str) -> None:
    if way == "stopped":
        assert dev.interrupt() == 0, dev.text
    elif way == "killed":
        dev.send(signal.SIGKILL)
        dev.wait()
    else:
        dev.send(signal.SIGSTOP)


def _settle(senders: Senders, root: Path, sent: Sequence[Sent]) -> None:
    """Until each message has become something, or nothing changes any more."""
    last, since = None, time.monotonic()
    while time.monotonic() - since < QUIET:
        ran = messages.ran(_ledger(root))
        live = sum(not each.state.final for each in ran)
        waiting = senders.waiting()
        letters = sum(count(senders.sqs, url) for url in senders.dead)
        well = sum(each.state == "SUCCEEDED" for each in ran)
        if not live and not waiting and letters + well >= len(sent):
            return
        now = (live, waiting, letters, well)
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(LOOK)


def _ledger(root: Path) -> Path:
    return root / ".devbridge" / STAGE / "ledger.sqlite"


def _found(senders: Senders, root: Path) -> Found:
    ended = root / "ended"
    lines = ended.read_text().splitlines() if ended.exists() else []
    letters = messages.dead(senders.sqs, senders.dead)
    return Found(messages.ran(_ledger(root)), letters, messages.times(lines))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.away", description=__doc__)
    parser.add_argument("--messages", type=int, default=300, help="of each kind")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument(
        "--sleep", type=float, default=KEEP_ALIVE * 1.5 + 10, help="seconds that it is asleep"
    )
    options = parser.parse_args()
    broken = 0
    for way in options.ways.split(","):
        for seed in map(int, options.seeds.split(",")):
            plan = Plan(way, options.messages, seed, options.sleep)
            broken += _by_hand(plan)
    return 1 if broken else 0


def _by_hand(plan: Plan) -> int:
    """One plan on an embedded cloud of its own; how many promises were broken."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="away-"))
    root = folder / "app"
    shutil.copytree(APP, root, ignore=shutil.ignore_patterns("__pycache__"))
    started = run(root, "cloud", "start")
    assert started.returncode == 0, started.stderr
    try:
        verdict = away(plan, root, endpoint_of(root), ("--local",))
    finally:
        run(root, "cloud", "stop")
    total = sum(verdict.counts.values())
    print(f"{plan.way}, seed {plan.seed}: {total} messages: ", end="")
    print(", ".join(f"{number} {what}" for what, number in verdict.counts.items()), end="")
    print(f"; {len(verdict.broken)} broken; {time.monotonic() - began:.0f} s", flush=True)
    for what in verdict.broken:
        print(f"  BROKEN {what}", flush=True)
    if verdict.broken:
        print(f"everything is kept in {folder}", flush=True)
    else:
        shutil.rmtree(folder)
    return len(verdict.broken)


if __name__ == "__main__":
    sys.exit(main())
