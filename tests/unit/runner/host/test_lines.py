from __future__ import annotations

import os

from runner.attempt import Output
from runner.host.lines import Lines
from runner.outcome import FAILED, SUCCEEDED, End, Failure


def test_each_line_of_its_own_names_the_run() -> None:
    reader, writer = os.pipe()
    lines = Lines(Output(writer), "p:1")
    lines.invoke("factorial", 1, 1)
    lines.invoke("factorial", 2, 3)
    lines.say("Goes on", "at its checkpoint")
    lines.warn("no")
    lines.note("something")
    lines.trace(None)
    lines.trace(Failure("KeyError", "'x'"))
    lines.trace(Failure("KeyError", "'x'", trace=("one", "two")))
    lines.done(End(SUCCEEDED, took=1.5), "{}")
    lines.done(End(FAILED, failure=Failure("KeyError", "'x'"), took=1.5), "{}")
    os.close(writer)
    with os.fdopen(reader) as file:
        assert file.read().splitlines() == [
            "|  Invoke factorial p:1",
            "|  Invoke factorial p:1 (attempt 2 of 3)",
            "|  Goes on p:1 at its checkpoint",
            "|  Warning p:1 no",
            "--- devbridge: something",
            "KeyError: 'x'",
            "one",
            "two",
            "|  Done    p:1 took 1.50s",
            "{}",
            "|  Error   p:1 FAILED after 1.50s: KeyError: 'x'",
            "{}",
        ]
