"""The pages in docs/, done for real: the first steps, what type checkers print."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.dev_process import (
    DEADLINE,
    DevProcess,
    clean_environment,
    processes_of,
    run,
    run_line,
)
from tests.unit.test_docs_pages import APPS, PAGES, blocks, write

pytestmark = pytest.mark.timeout(240)

START = PAGES["getting-started.md"]
TYPED = PAGES["typed-payloads.md"]
BIN = Path(sys.executable).parent


# --- getting started ----------------------------------------------------------------------------


def commands(section: str) -> list[str]:
    """The commands of a section of getting-started.md, without their comments."""
    text = START.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    assert text, section
    lines = "".join(blocks(text, "console")).splitlines()
    return [line.partition(" #")[0].strip() for line in lines]


def shell(folder: Path, command: str, **replaced: str) -> subprocess.CompletedProcess[str]:
    """What a reader types, with this environment's programs."""
    for old, new in replaced.items():
        command = command.replace(old, new)
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**clean_environment(), "PATH": path, "DEVBRIDGE_STAGE": "reader"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def ok(folder: Path, command: str, **replaced: str) -> str:
    done = shell(folder, command, **replaced)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def hello(tmp_path: Path) -> Iterator[Path]:
    """The app of the page, in an empty folder."""
    init, enter = commands("2. Make an app")
    assert enter == "cd hello"
    ok(tmp_path, init)
    yield tmp_path / "hello"
    run(tmp_path / "hello", "cloud", "stop")


def test_the_page_shows_the_app_that_init_makes(hello: Path) -> None:
    shown = next(code for name, code in APPS if name == "getting-started.md")
    assert shown.partition("\n")[2] == (hello / "app.py").read_text().partition("\n\n")[2]


def test_getting_started_from_nothing_to_deployed_and_removed(hello: Path) -> None:
    dev, invoke, *look = commands("3. Run it live")
    assert dev == "devbridge dev --local"
    with DevProcess(hello, *dev.split()[2:], "--stage", "reader") as process:
        process.wait_for("^Ready")
        curl = process.wait_for(r"^\s+(curl .+)$").group(1)
        assert "jobId" in ok(hello, f"{curl} -sf")
        short = ok(hello, invoke)[:8]
        process.wait_for(run_line(short, "Done +took .*, result 120$"))
        handler = hello / "jobs" / "factorial.py"
        handler.write_text(handler.read_text().replace("computing", "now computing"))
        process.wait_for("^Reloaded factorial")
        again = ok(hello, invoke)[:8]
        process.wait_for(run_line(again, r"\+\S+ +now computing 5!"))
        jobs, logs, _function, status = (
            ok(hello, command, **{"20733a42": short}) for command in look
        )
        assert short in jobs
        assert logs.startswith("computing 5!")
        assert "SUCCEEDED" in status
        for command in commands("4. Know the types"):
            assert "up to date" in ok(hello, command) or command.endswith("--check")
        assert process.interrupt() == 0

    deploy, run_it, jobs, diff, real = commands("5. Deploy it")
    assert "--profile" in real
    assert "Deployed in" in ok(hello, deploy)
    assert "result 120" in ok(hello, run_it)
    assert "SUCCEEDED" in ok(hello, jobs)
    assert ok(hello, diff) == "nothing to deploy: the stage is up to date\n"
    app = hello / "app.py"
    app.write_text(app.read_text().replace("1 hour", "2 hours"))
    assert "TimeoutInMinutes" in ok(hello, diff)

    clean, stop = commands("6. Clean up")
    assert "Table 'notes'" in ok(hello, f"{clean} --yes")
    ok(hello, stop)
    assert processes_of(hello) == []


def test_the_test_of_the_ci_page_passes_on_a_deployed_stage(hello: Path) -> None:
    code = next(code for code in blocks(PAGES["ci.md"], "python") if "tests/e2e" in code)
    path = hello / code.split()[1]
    path.parent.mkdir(parents=True)
    path.write_text(code)
    steps = re.findall(r"- run: (devbridge (?:types|deploy --local|bind)\b.*)", PAGES["ci.md"])
    assert len(steps) == 3
    for step in steps:
        done = ok(hello, step.replace("pytest", "pytest -p no:cacheprovider"))
    assert "2 passed" in done


# --- type checkers ------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The app of typed-payloads.md, with its stubs."""
    app = next(code for name, code in APPS if name == "typed-payloads.md")
    write(tmp_path, app, TYPED)
    (tmp_path / "jobs" / "others.py").unlink()  # of other jobs
    (tmp_path / "pyproject.toml").write_text(blocks(TYPED, "toml")[0])
    done = run(tmp_path, "types")
    assert done.returncode == 0, done.stderr
    return tmp_path


def marked(text: str) -> list[tuple[str, str]]:
    """The place and the rule of each diagnostic."""
    found = re.findall(
        r"^(\S+?:\d+)(?::\d+)?(?: -|:) error: .*[\[(](\S+)[\])]$", text, re.MULTILINE
    )
    assert found
    return found


def test_mypy_prints_what_the_page_shows(photos: Path) -> None:
    shown = next(text for text in blocks(TYPED, "text") if "[attr-defined]" in text)
    done = check(photos, "mypy", "api", "jobs")
    assert marked(done) == marked(shown)
    assert "api/start.py" not in done


def test_pyright_marks_what_the_page_shows(photos: Path) -> None:
    shown = next(text for text in blocks(TYPED, "text") if "(reportArgumentType)" in text)
    answer = check(photos, "pyright", "--outputjson", "--pythonpath", sys.executable, "api", "jobs")
    found = [
        (
            f"{Path(each['file']).relative_to(photos.resolve())}"
            f":{each['range']['start']['line'] + 1}",
            each["rule"],
        )
        for each in json.loads(answer)["generalDiagnostics"]
    ]
    assert found == marked(shown)


def check(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE * 2,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_the_error_of_the_page_is_the_one_that_run_raises(photos: Path) -> None:
    shown = next(text for text in blocks(TYPED, "text") if "$.sizes" in text)
    schemas = photos / "schemas.json"
    call = next(line for line in TYPED.splitlines() if line.startswith("`Job.resize.run("))
    code = (
        "from pathlib import Path; import json, sys\n"
        "from devbridge.constructs.load import load_app\n"
        "from devbridge.languages.python.types import probe\n"
        "from devbridge.types import schemas\n"
        "found = schemas(probe(load_app(Path()), Path(sys.executable)))\n"
        f"Path({str(schemas)!r}).write_text(json.dumps(found))\n"
        "from devbridge.job import Job\n"
        "try:\n"
        f"    {call.split('`')[1]}\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=photos,
        env={**clean_environment(), "DEVBRIDGE_SCHEMAS": str(schemas)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stdout == shown
