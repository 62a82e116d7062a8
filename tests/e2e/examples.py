"""What the tests of the examples share, each of which has a file for itself: they take long."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.dev_process import DevProcess, run
from tests.e2e.readme import Step, Terminal

EXAMPLES = Path(__file__).parents[2] / "examples"
SET_UP, LIVE, DEPLOYED, END = "Set up", "Run it live on this machine", "Deploy it", "The end"
DEV = "devbridge dev --local"
NOT_THE_APP = (
    ".devbridge",
    ".venv",
    "__pycache__",
    "typings",
    ".*_cache",
    "node_modules",
    "*-env.d.ts",
)


def live(terminal: Terminal) -> DevProcess:
    """`devbridge dev` as the README starts it, when it is ready."""
    dev = DevProcess(terminal.folder, *DEV.split()[2:])
    dev.wait_for(r"^Ready", deadline=120)
    return dev


def resources(terminal: Terminal, *stage: str) -> dict[str, str]:
    """The names of what the stage has deployed."""
    found = run(terminal.folder, "outputs", "--local", "--json", *stage)
    assert found.returncode == 0, found.stderr
    known: dict[str, str] = json.loads(found.stdout)
    return known


def only(steps: list[Step], word: str) -> Step:
    """The one step whose command has the word."""
    (found,) = (step for step in steps if word in step.command)
    return found
