from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.errors import BuildError
from devbridge.languages.python.pip import Target
from devbridge.languages.python.probe.imports import GUARDED, PERHAPS, SURE
from devbridge.languages.python.probe.reach import Reach
from devbridge.languages.python.reached import Asked, Reached, fits, own_files, slice_of

ARM = Target("3.12", "arm64")
INTEL = Target("3.12", "x86_64")
LOCAL = Target("3.12", None)
PYTHON = Path("/venv/bin/python")
THERE = {"missing": False, "odd": False, "unmet": [], "dists": ["dist"], "trees": []}


def reached(
    target: Target | None = INTEL, tops: dict[str, Any] | None = None, **told: Any
) -> tuple[Reached, list[str]]:
    """The answer for a handler, and what it warns of."""
    code = {
        **{"files": {}, "loose": [], "needs": {}, "own": [], "missing": [], "broken": {}},
        **{"compiled": {}, "problem": "", "metadata": [], **told},
    }
    known = {"dist": {"version": "1.0", "files": [["dist.py", "/site/dist.py"]]}}
    answer = {"codes": {"job": code}, "tops": tops or {}, "distributions": known}
    warned: list[str] = []
    asked = Asked("job", "jobs/a.py", "handler", (), target)
    return Reached(asked, answer, warned.append), warned


def need(level: int = SURE, *, gone: bool = False) -> dict[str, Any]:
    return {"level": level, "place": "jobs/a.py:1", "gone": gone}


def test_a_handler_is_asked_about_as_it_will_run() -> None:
    aws = Asked("job", "jobs/a.py", "handler", ("src",), ARM).question("3.11")
    assert (aws["platform"], aws["machine"], aws["version"]) == ("linux", "aarch64", [3, 12])
    here = Asked("job", "jobs/a.py", "handler", (), None).question("3.11")
    assert here["version"] == [3, 11]
    assert here["key"] == "job"


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"broken": {"a.py:2": {"what": "SyntaxError: x", "level": SURE}}}, "SyntaxError: x"),
        (
            {"missing": [{"module": "lib.x", "level": SURE, "place": "a.py:1"}]},
            "'lib.x' is imported, but the app has no such module",
        ),
        ({"problem": "it has no function"}, "it has no function"),
    ],
)
def test_what_surely_fails_is_an_error(told: dict[str, Any], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        reached(**told)[0].check()


@pytest.mark.parametrize(("level", "warns"), [(PERHAPS, True), (GUARDED, False)])
def test_what_may_never_run_is_a_warning_and_what_is_guarded_nothing(
    level: int, warns: bool
) -> None:
    found, warned = reached(
        broken={"a.py:2": {"what": "SyntaxError", "level": level}},
        missing=[{"module": "lib.x", "level": level, "place": "a.py:1"}],
    )
    found.check()
    assert len(warned) == (2 if warns else 0)


def test_what_is_needed_is_packed_in_the_order_of_names() -> None:
    found, warned = reached(needs={"dist": need()}, tops={"dist": THERE})
    (only,) = found.distributions((), PYTHON)
    assert (only.pin, only.files) == ("dist==1.0", (("dist.py", Path("/site/dist.py")),))
    assert warned == []


@pytest.mark.parametrize(
    ("top", "gone", "message"),
    [
        ({"missing": True}, False, "'dist' is imported but not installed"),
        ({"missing": True, "dists": []}, True, "but Python 3.12 no longer has it"),
        ({"odd": True}, False, "is in no file that can be packed"),
    ],
)
def test_what_is_not_there_is_an_error_where_it_is_surely_imported(
    top: dict[str, Any], gone: bool, message: str
) -> None:
    tops = {"dist": {**THERE, **top}}
    found, _ = reached(needs={"dist": need(gone=gone)}, tops=tops)
    with pytest.raises(BuildError, match=message) as caught:
        found.distributions((), PYTHON)
    assert caught.value.where == f"jobs/a.py:1, {PYTHON}"
    found, warned = reached(needs={"dist": need(PERHAPS, gone=gone)}, tops=tops)
    assert found.distributions((), PYTHON) == []
    assert len(warned) == 1
    assert warned[0].endswith("a run that comes there fails")
    found, warned = reached(needs={"dist": need(GUARDED, gone=gone)}, tops=tops)
    assert found.distributions((), PYTHON) == []
    assert warned == []


def test_what_install_gives_is_packed_from_here_only_if_it_is_whole_here() -> None:
    found, _ = reached(needs={"dist": need()}, tops={"dist": THERE})
    assert [each.name for each in found.distributions(["dist"], PYTHON)] == ["dist"]
    for lack in ({"missing": True}, {"unmet": [("dist", "x")]}):
        found, _ = reached(needs={"dist": need()}, tops={"dist": {**THERE, **lack}})
        assert found.distributions(["dist"], PYTHON) == []


def test_a_requirement_that_is_not_installed_is_a_warning_unless_install_gives_it() -> None:
    tops = {"dist": {**THERE, "unmet": [("dist", "some-thing")]}}
    found, warned = reached(needs={"dist": need()}, tops=tops)
    found.distributions((), PYTHON)
    assert 'install=["some-thing"]' in warned[0]
    found, warned = reached(needs={"dist": need()}, tops=tops)
    found.distributions(["Some_Thing"], PYTHON)
    assert warned == []


def test_a_tree_of_files_belongs_to_its_owner_or_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.py").touch()
    (tmp_path / "mine" / "b.pyc").touch()
    place = str(tmp_path / "mine")
    for owner, names in (("dist", ["dist"]), ("", ["(mine)", "dist"])):
        top = {**THERE, "trees": [["mine", place, "", owner]]}
        found, _ = reached(needs={"dist": need()}, tops={"dist": top})
        packed = found.distributions((), PYTHON)
        assert [each.name for each in packed] == names
        files = dict(file for each in packed for file in each.files)
        assert files == {
            "dist.py": Path("/site/dist.py"),
            "mine/a.py": tmp_path / "mine" / "a.py",
        }


def test_a_module_that_is_compiled_for_elsewhere_is_an_error() -> None:
    told = {
        "files": {"fast.cpython-312-x86_64-linux-gnu.so": "/app/fast.so"},
        "compiled": {"fast": "jobs/a.py:1"},
    }
    reached(INTEL, **told)[0].check()
    reached(None, **told)[0].check()
    with pytest.raises(BuildError, match="'fast' is compiled, and not for aarch64"):
        reached(ARM, **told)[0].check()


@pytest.mark.parametrize(
    ("name", "intel", "arm", "local"),
    [
        ("a.cpython-312-x86_64-linux-gnu.so", True, False, True),
        ("a.cpython-312-aarch64-linux-gnu.so", False, True, True),
        ("a.cpython-311-x86_64-linux-gnu.so", False, False, False),
        ("a.cpython-312-darwin.so", False, False, True),
        ("a.abi3.so", True, True, True),
        ("a.so", True, True, True),
        ("a.pyd", False, False, True),
        ("a.cp312-win_amd64.pyd", False, False, True),
    ],
)
def test_a_compiled_file_fits_by_its_name(name: str, intel: bool, arm: bool, local: bool) -> None:
    assert (fits(name, INTEL), fits(name, ARM), fits(name, LOCAL)) == (intel, arm, local)


def test_of_devbridge_a_handler_gets_the_files_that_its_import_runs() -> None:
    files = own_files("devbridge.job", ("job_handler",))
    assert {"devbridge/job.py", "devbridge/errors.py", "devbridge/payload/decode.py"} <= set(files)
    assert not [name for name in files if name.startswith(("devbridge/cli", "devbridge/deploy"))]


def test_the_stub_is_made_of_what_it_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, others = slice_of("stub_lambda/handler.py", tmp_path)
    assert "stub_lambda/handler.py" in files
    assert not [name for name in files if name.startswith("devbridge/daemon")]
    assert "click" not in others
    monkeypatch.delattr(Reach, "follow")  # what is known is not read again
    assert slice_of("stub_lambda/handler.py", tmp_path) == (files, others)
