"""Two commits side by side: each measure is made by both in turns, several times."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import REPOSITORY, Failed

ROUNDS: Final = 3


@dataclass(slots=True)
class Pair:
    """One row of the table as both commits have it: a median of each round."""

    unit: str
    before: list[float] = field(default_factory=list)
    now: list[float] = field(default_factory=list)


def compare(names: Iterable[str], revision: str, *, quick: bool) -> str:
    """A table of what `names` measure, here and in another commit, and the ratio of both.

    Raises:
        Failed: there is no such commit, or a measure could not be made.
    """
    pairs: dict[str, Pair] = {}
    with tempfile.TemporaryDirectory(prefix="dbb-") as name:
        other = Path(name)
        _unpack(revision, other)
        for measure in names:
            for turn in range(1 if quick else ROUNDS):
                # Who comes first has the colder machine: they take turns.
                sides = [(other, "before"), (REPOSITORY, "now")]
                for place, side in sides if turn % 2 else reversed(sides):
                    _add(pairs, side, _measured(place, measure, quick=quick))
    return table(pairs, revision)


def _unpack(revision: str, into: Path) -> None:
    done = subprocess.run(
        ["git", "archive", "--format=tar", revision],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise Failed(done.stderr.decode().strip())
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(into, filter="data")


def _measured(place: Path, measure: str, *, quick: bool) -> list[dict[str, Any]]:
    """The rows, by the code of a folder: its own benchmarks and its own devbridge."""
    with tempfile.TemporaryDirectory(prefix="dbb-") as name:
        numbers = Path(name) / "numbers.json"
        options = ["--quick"] if quick else []
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", *options, "--json", numbers, measure],
            cwd=place,
            env=os.environ | {"PYTHONPATH": str(place)},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{measure} could not be measured in {place}")
        rows: list[dict[str, Any]] = json.loads(numbers.read_text())["rows"]
        return rows


def _add(pairs: dict[str, Pair], side: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add the medians of a round. Of rows with several floors, the first counts."""
    seen = set()
    for row in rows:
        name = row["measure"]
        if name not in seen:
            pair = pairs.setdefault(name, Pair(row["unit"]))
            getattr(pair, side).append(float(row["ours"]["median"]))
        seen.add(name)


def table(pairs: Mapping[str, Pair], revision: str) -> str:
    """Plain text; the range of the rounds behind each median."""
    lines: list[Sequence[str]] = [("measure", "unit", revision, "now", "ratio")]
    for name, pair in pairs.items():
        if pair.before and pair.now:  # a measure that only one of them has cannot be compared
            before, now = statistics.median(pair.before), statistics.median(pair.now)
            ratio = f"{now / before:.3g}" if before else "-"
            lines.append((name, pair.unit, _words(pair.before), _words(pair.now), ratio))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _words(values: Sequence[float]) -> str:
    median = f"{statistics.median(values):.4g}"
    return median if len(values) == 1 else f"{median} ({min(values):.4g}-{max(values):.4g})"
