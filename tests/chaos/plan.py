"""What the chaos test asks for, made from a seed: pure."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos.messages import KINDS as KINDS_OF_MESSAGES
from tests.chaos.messages import Fate, Ran, fates

APP: Final = "chaos"
STAGE: Final = "test"
KEEP_ALIVE: Final = 6
"""Seconds; `devbridge dev` uses 30, which would make half-open connections slow to notice."""
GRACE: Final = 1.0
BRIEF: Final = 2.0
"""Seconds: the timeout of the job `brief`, below what an app may ask for."""


@dataclass(frozen=True, slots=True)
class ChaosJob:
    name: str
    handler: str = "jobs/work.handler"
    offline: str = "queue"
    options: Mapping[str, Any] = field(default_factory=lambda: {"timeout": 300.0})


JOBS: Final = (
    ChaosJob("quick"),
    ChaosJob("retried", options={"timeout": 300.0, "max_attempts": 3, "retry_delay": 0.2}),
    ChaosJob("brief", options={"timeout": BRIEF}),
    ChaosJob("strict", offline="error"),
    ChaosJob("edited", handler="jobs/edited.handler"),
    ChaosJob("told", handler="jobs/told.told"),
    ChaosJob(
        "stored",
        handler="jobs/told.stored",
        options={"timeout": 300.0, "max_attempts": 3, "retry_delay": 0.2},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One job that a caller asks for."""

    number: int
    at: float
    """Seconds after the start."""
    job: str
    request_id: str
    payload: dict[str, Any]
    key: str | None = None
    twice: bool = False
    """Sent again at once, as Lambda or an impatient user may."""
    tries: int = 20
    """How often it is sent while it is answered with an error."""
    cancel_after: float | None = None
    """Seconds after the answer."""
    ask_after: float | None = None
    """Seconds after the answer at which its status is asked for."""


@dataclass(frozen=True, slots=True)
class _Kind:
    weight: float
    job: str
    do: tuple[str, ...] = ("ok",)
    seconds: tuple[float, float] = (0.0, 0.0)
    cancel: tuple[float, float] | None = None
    lines: int = 0
    padding: int = 0
    key: bool = False
    twice: bool = False
    tries: int = 20


KINDS: Final[Mapping[str, _Kind]] = {
    "ok": _Kind(60, "quick"),
    "fails": _Kind(4, "quick", ("raise",)),
    "exits": _Kind(2, "quick", ("exit",)),
    "crashes": _Kind(2, "quick", ("crash",)),
    "kills itself": _Kind(1, "quick", ("kill",)),
    "long": _Kind(2.5, "quick", seconds=(0.5, 4.0)),
    "loud": _Kind(1.5, "quick", ("loud",), lines=2000),
    "with a child": _Kind(1, "quick", ("children",), seconds=(0.0, 0.5)),
    "large": _Kind(1, "quick", padding=400_000),
    "sent twice": _Kind(4, "quick", key=True, twice=True),
    "given up": _Kind(3, "quick", tries=1),
    "cancelled soon": _Kind(2, "quick", seconds=(2.0, 6.0), cancel=(0.0, 0.2)),
    "cancelled late": _Kind(1.5, "quick", seconds=(2.0, 6.0), cancel=(0.5, 3.0)),
    "stubborn": _Kind(0.4, "quick", ("stubborn",), seconds=(20.0, 20.0), cancel=(0.2, 2.0)),
    "too long": _Kind(0.8, "brief", seconds=(30.0, 30.0)),
    "retried": _Kind(3, "retried", ("crash", "raise", "ok")),
    "retried in vain": _Kind(1, "retried", ("crash", "kill", "crash")),
    "retried long": _Kind(1, "retried", seconds=(0.5, 3.0)),
    "retried stubborn": _Kind(
        0.3, "retried", ("stubborn",), seconds=(20.0, 20.0), cancel=(0.2, 2.0)
    ),
    "retried cancelled": _Kind(0.5, "retried", seconds=(2.0, 6.0), cancel=(0.0, 2.0)),
    "strict": _Kind(3, "strict", tries=1),
    "edited": _Kind(5, "edited"),
    "edited long": _Kind(0.5, "edited", seconds=(0.5, 2.0)),
}


def orders(seed: int, jobs: int, seconds: float) -> list[Order]:
    """`jobs` orders, spread over `seconds`, some of them in bursts."""
    rng = random.Random(f"orders {seed}")  # noqa: S311 - to be repeated
    names = list(KINDS)
    weights = [KINDS[name].weight for name in names]
    times = sorted(
        rng.uniform(0, seconds) if rng.random() < 0.7 else seconds * rng.randrange(20) / 20
        for _ in range(jobs)
    )
    return [
        _order(rng, number, at, rng.choices(names, weights)[0]) for number, at in enumerate(times)
    ]


def _order(rng: random.Random, number: int, at: float, name: str) -> Order:
    kind = KINDS[name]
    payload: dict[str, Any] = {"number": number, "kind": name, "do": kind.do}
    if kind.seconds[1]:
        payload["seconds"] = round(rng.uniform(*kind.seconds), 2)
    if kind.lines:
        payload["lines"] = kind.lines
    if kind.padding:
        payload["padding"] = rng.randbytes(kind.padding // 2).hex()
    request_id = str(uuid.UUID(bytes=rng.randbytes(16), version=4))
    return Order(
        number=number,
        at=round(at, 3),
        job=kind.job,
        request_id=request_id,
        payload=payload,
        key=f"key of {request_id}" if kind.key else None,
        twice=kind.twice,
        tries=kind.tries,
        cancel_after=round(rng.uniform(*kind.cancel), 3) if kind.cancel else None,
        ask_after=round(rng.uniform(0, 5), 3) if rng.random() < 0.05 else None,
    )


def posts(seed: int, count: int, seconds: float) -> list[tuple[float, str, int, Fate]]:
    """When which message is sent, in order, and what is to become of it: so many of each kind."""
    rng = random.Random(f"posts {seed}")  # noqa: S311 - to be repeated
    return sorted(
        (round(rng.uniform(0, seconds), 3), kind, number, fate)
        for kind in KINDS_OF_MESSAGES
        for number, fate in enumerate(fates(rng, kind, count))
    )


def order_of(ran: Ran, fate: Fate) -> Order:
    """What a message has asked for, as an order of a caller would have."""
    job = "stored" if ran.kind == "object" else "told"
    do = {Fate.WELL: "ok", Fate.FAILS: "raise", Fate.MISFIT: "misfit"}[fate]
    payload = {"number": ran.number, "kind": f"message of a {ran.kind}", "do": [do]}
    return Order(number=ran.number, at=0.0, job=job, request_id=ran.run, payload=payload)


def dealt(all_orders: Sequence[Order], callers: int) -> list[list[Order]]:
    """Each caller's own orders."""
    return [list(all_orders[index::callers]) for index in range(callers)]
