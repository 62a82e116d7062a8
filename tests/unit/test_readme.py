"""The README's commands are the ones that are run: by CI and by the tests."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if "pip install" in line]


def test_the_readme_has_one_command_to_run_the_example_and_one_to_run_the_tests() -> None:
    run, test = commands()
    assert run.endswith("devbridge dev --local --app examples/factorial")
    assert test.endswith(".venv/bin/pytest")


def test_ci_runs_the_readmes_test_command_to_the_letter() -> None:
    assert commands()[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_page_that_is_linked_exists() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
