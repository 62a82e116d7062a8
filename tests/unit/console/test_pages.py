"""The console's pages: their logic, whose tests are in JavaScript, and what they may be made of."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.node import NODE

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "devbridge" / "console" / "static"
FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix in (".mjs", ".js")]
TESTS = sorted((Path(__file__).parent / "static").glob("*.test.mjs"))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_units_in_javascript(file: Path) -> None:
    command = [NODE, "--test", "--test-reporter=tap", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 0" not in done.stdout


def test_each_module_of_logic_has_tests() -> None:
    tested = "".join(file.read_text("utf-8") for file in TESTS)
    names = {file.name for file in (STATIC / "logic").glob("*.mjs")}
    assert {name for name in names if f"/logic/{name}" not in tested} == set()


def test_the_logic_is_pure() -> None:
    """It knows no document, no network and no clock: `node --test` runs all of it."""
    impure = re.compile(
        r"\b(document\.|window\.|fetch\(|localStorage|Date\.now|setTimeout|EventSource)"
    )
    for file in (STATIC / "logic").glob("*.mjs"):
        code = re.sub(r"/\*.*?\*/|//.*", "", file.read_text("utf-8"), flags=re.DOTALL)
        assert impure.findall(code) == [], file


def test_nothing_is_from_elsewhere_and_nothing_is_built() -> None:
    """Each import is a file of ours, and each file is what its reader reads."""
    assert {path.suffix for path in FILES} == {".css", ".html", ".js", ".mjs", ".svg"}
    for file in SCRIPTS:
        text = file.read_text("utf-8")
        for name in re.findall(r'(?:from|^import) "([^"]+)"', text, re.MULTILINE):
            assert (file.parent / name).resolve().is_relative_to(STATIC), (file, name)
            assert (file.parent / name).is_file(), (file, name)
        assert max(map(len, text.splitlines())) < 500, file
        assert text.count("\n") <= 400, file


def test_nothing_becomes_markup() -> None:
    """What comes from runs is text: there is no way from a string to an element."""
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment"
    ways += r"|DOMParser|\beval\(|new Function\(|srcdoc|setHTML"
    for file in SCRIPTS:
        assert re.findall(ways, file.read_text("utf-8")) == [], file


def test_the_page_needs_no_exception_from_a_strict_policy() -> None:
    page = (STATIC / "index.html").read_text("utf-8")
    assert re.findall(r"\son\w+=|\sstyle=|<style|javascript:|https?:", page) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (STATIC / address.removeprefix("/static/")).is_file(), address
    for file in FILES:
        if file.suffix == ".css":
            assert re.findall(r"url\(|@import", file.read_text("utf-8")) == [], file


def test_it_is_small() -> None:
    """60 kB in all as the browsers' best compression has it, with each comment and each name."""
    script = """
        import { readFileSync } from "node:fs";
        import { brotliCompressSync } from "node:zlib";
        process.stdout.write(String(brotliCompressSync(readFileSync(0)).length));
    """
    command = [NODE, "--input-type=module", "-e", script]
    together = b"".join(file.read_bytes() for file in FILES)
    done = subprocess.run(command, input=together, capture_output=True, check=True)
    assert int(done.stdout) <= 60_000
