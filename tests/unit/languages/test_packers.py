from __future__ import annotations

from pathlib import Path

from devbridge.constructs import App, Function, Job
from devbridge.languages.base import Packing
from devbridge.languages.packers import Packers
from tests.unit.languages.fakes import FakeLanguage

PACKING = Packing(python=Path("python"), version="3.13", cache=Path("cache"))


def test_each_part_is_packed_in_its_language_by_one_packer(
    app: App, languages: dict[str, FakeLanguage]
) -> None:
    packers = Packers(PACKING)
    snake, hexagon, _ = app.of_type(Job)
    ask, tell = app.of_type(Function)
    packers.analyse([ask, tell, snake, hexagon])
    assert [each.packers[0].asked for each in languages.values()] == [
        [["ask", "snake"]],
        [["tell", "hexagon"]],
    ]
    assert packers.function_asset(tell).label == "nodejs tell"
    assert packers.job_assets(snake).code.label == "python snake"
    assert packers.app_files(ask) == {Path("python/ask")}
    packers.compare(hexagon)
    assert [len(each.packers) for each in languages.values()] == [1, 1]
    assert packers.remarks.left == ["python leaves", "nodejs leaves"]
    assert packers.remarks.warnings == ["python warns", "nodejs warns", "nodejs compares hexagon"]
    packers.close()
    assert all(each.packers[0].closed for each in languages.values())


def test_a_language_that_no_code_has_is_not_asked(
    app: App, languages: dict[str, FakeLanguage]
) -> None:
    packers = Packers(PACKING)
    packers.analyse([app.of_type(Job)[0]])
    assert packers.remarks.warnings == ["python warns"]
    assert languages["nodejs"].packers == []
