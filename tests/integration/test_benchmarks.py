"""Every benchmark still makes its numbers. What they are is no matter here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import harness
from benchmarks.report import Figures, Goal, Row, document, figures, table

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they read /proc")


MARKS = dict.fromkeys(benchmarks.MEASURES, pytest.mark.matrix)
MARKS["console-painted"] = pytest.mark.browser
del MARKS["newcomer"]  # it installs everything anew: `.ci/run newcomer` measures that


@pytest.mark.parametrize(
    "name", [pytest.param(*found, marks=mark) for *found, mark in MARKS.items()]
)
def test_a_measure_makes_numbers(name: str, tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    assert benchmarks.main(["--quick", "--json", str(path), name]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert rows
    for row in rows:
        assert row["ours"]["median"] >= 0
        assert row["floor"] is None or row["floor"]["median"] > 0
        for goal in row["goals"]:
            assert goal["met"] in (True, False)


def test_what_is_measured_finds_the_cache_of_who_measures_and_none_of_their_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", "/cache")
    monkeypatch.setenv("DEVBRIDGE_STAGE", "theirs")
    monkeypatch.setenv("AWS_PROFILE", "theirs")
    seen = harness.clean_environment()
    assert seen["DEVBRIDGE_CACHE_DIR"] == "/cache"
    assert not {"DEVBRIDGE_STAGE", "AWS_PROFILE"} & seen.keys()


def test_the_99th_percentile_of_few_values_is_the_worst() -> None:
    assert figures([3.0, 1.0, 2.0]) == Figures(2.0, 3.0, 3)
    assert figures([float(n) for n in range(1, 201)]) == Figures(100.5, 198.0, 200)


def test_goals_are_held_against_the_ratio_to_the_floor() -> None:
    row = Row(
        measure="m",
        unit="ms",
        ours=Figures(2.0, 60.0, 9),
        floor=Figures(1.0, 10.0, 9),
        floor_is="a floor",
        goals=(Goal("ratio", "<=", 3), Goal("p99 ratio", "<=", 5)),
    )
    assert [row.met(goal) for goal in row.goals] == [True, False]
    line = " ".join(table([row]).splitlines()[1].split())
    assert line == "m ms 2.00 / 60.0 1.00 / 10.0 2.00 / 6.00 <= 3x, p99 <= 5x yes, NO a floor"
    assert document([row], {})["rows"][0]["p99_ratio"] == 6.0


def test_a_pattern_names_several_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def measure(name: str, *, quick: bool) -> list[Row]:
        assert not quick
        made.append(name)
        return []

    monkeypatch.setattr(benchmarks, "measure", measure)
    assert benchmarks.main(["burst", "live-*"]) == 0
    assert made == ["burst", "live-api", "live-calls", "live-many", "live-save"]


def test_an_unknown_measure_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmarks.main(["nothing"])
    assert "no such measure: nothing" in capsys.readouterr().err
