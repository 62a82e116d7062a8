"""What pytest's user sees, in sessions of pytest's own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.unit.pytest_plugin.projects import APP

pytest_plugins = ["pytester"]

HANDLER = "def handler(payload):\n    print('adding')\n    return sum(payload)\n"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An app's folder; only this plugin is loaded there."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p devbridge.pytest_plugin")
    pytester.makepyfile(app=textwrap.dedent(APP))
    pytester.mkdir("jobs").joinpath("add.py").write_text(HANDLER)
    return pytester


def test_a_test_runs_a_job_by_its_name(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_add="""
        from devbridge import Job

        def test_add(devbridge_run, capsys):
            assert devbridge_run("add-up", [1, 2]) == 3
            assert capsys.readouterr().out == "adding\\n"

        def test_app(devbridge_app):
            assert [job.name for job in devbridge_app.of_type(Job)] == ["other", "add-up"]
        """
    )
    project.runpytest_inprocess("--strict-markers", "-p", "no:cacheprovider").assert_outcomes(
        passed=2
    )


def test_a_failure_shows_the_lines_of_the_test_and_of_the_handler(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        test_add="""
        def test_handler(devbridge_run):
            devbridge_run("add-up", 5)

        def test_name(devbridge_run):
            devbridge_run("ad-up")
        """
    )
    result = project.runpytest_inprocess()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            '>       devbridge_run("add-up", 5)',
            ">       return sum(payload)",
            "E       TypeError: 'int' object is not iterable",
            '>       devbridge_run("ad-up")',
            "E       *UnknownJob: the app 'demo' has no job 'ad-up'; did you mean 'add-up'?",
        ]
    )
    assert "pytest_plugin" not in result.stdout.str().partition("FAILURES")[2]


def test_a_broken_app_is_one_clear_error_for_each_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        app="from devbridge import App\n\nApp(nmae='demo')\n",
        test_add="""
        def test_one(devbridge_run): ...
        def test_two(devbridge_run): ...
        def test_three(devbridge_stage): ...
        """,
    )
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=3)
    said = result.stdout.str().partition(" ERRORS ")[2].partition("short test summary")[0]
    assert said.count("app.py raised TypeError") == 3
    assert "where: app.py:3: App(nmae='demo')" in said
    assert len(said.splitlines()) < 20


def test_without_an_app_it_is_said_how_to_name_it(project: pytest.Pytester) -> None:
    (project.path / "app.py").unlink()
    project.makepyfile(test_add="def test_one(devbridge_run): ...\n")
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["there is no app.py for the tests", '*devbridge_app = "path/*'])


def test_the_app_may_be_in_a_folder_that_the_setting_names(project: pytest.Pytester) -> None:
    services = project.mkdir("services")
    (project.path / "app.py").rename(services / "app.py")
    (project.path / "jobs").rename(services / "jobs")
    project.makeini("[pytest]\ndevbridge_app = services\n")
    tests = project.mkdir("tests")
    (tests / "test_add.py").write_text(
        "def test_add(devbridge_run):\n    assert devbridge_run('add-up', [4]) == 4\n"
    )
    project.runpytest_inprocess("tests").assert_outcomes(passed=1)


@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n", "1"]], ids=["one", "xdist"])
def test_what_conftest_sets_for_aws_counts_and_what_the_shell_has_does_not(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the shell")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    project.makeconftest("import os\nos.environ['AWS_ACCESS_KEY_ID'] = 'testing'\n")
    (project.path / "jobs" / "add.py").write_text(
        "import os\ndef handler(names):\n    return [os.environ.get(name) for name in names]\n"
    )
    project.makepyfile(
        test_add="""
        def test_add(devbridge_run):
            found = devbridge_run("add-up", ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION"])
            assert found == ["testing", None, "eu-west-1"]
        """
    )
    run = project.runpytest_subprocess if workers else project.runpytest_inprocess
    run(*workers).assert_outcomes(passed=1)


def test_the_mark_leaves_out_what_needs_the_stage(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_add="""
        import pytest

        @pytest.fixture
        def seeded(devbridge_stage): ...

        def test_directly(devbridge_stage): ...
        def test_through_a_fixture(seeded): ...
        def test_in_process(devbridge_run): ...
        """
    )
    result = project.runpytest_inprocess("--strict-markers", "-m", "not devbridge_stage")
    result.assert_outcomes(passed=1, deselected=2)


def test_pytest_explains_the_mark_the_setting_and_the_fixtures(project: pytest.Pytester) -> None:
    marks = project.runpytest_inprocess("--markers").stdout.str()
    assert "@pytest.mark.devbridge_stage: the test takes the fixture" in marks
    fixtures = project.runpytest_inprocess("--fixtures", "-v").stdout.str()
    for name in ("devbridge_app", "devbridge_run", "devbridge_stage"):
        assert name in fixtures
    assert 'assert devbridge_run("factorial", {"num": 5}) == 120' in fixtures
    assert "devbridge_app (string):" in project.runpytest_inprocess("--help").stdout.str()


def test_a_cloud_that_cannot_be_installed_is_a_clear_error(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    from devbridge.errors import EmbeddedCloudFailed
    from devbridge.pytest_plugin import start

    def install(python: Path, say: object) -> Path:
        raise EmbeddedCloudFailed("no network", remedy="check the network")

    monkeypatch.setattr(start, "install", install)
    project.makepyfile(test_add="def test_one(devbridge_stage): ...\n")
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["no network", "  to do: check the network"])
    assert "Traceback" not in result.stdout.str()


LOADED = """
import sys
import pytest

before = set(sys.modules)  # coverage, which measures what the tests start, has imported some

class Spy:
    def pytest_unconfigure(self):
        ours = {name for name in sys.modules if name.partition(".")[0] in ("devbridge", "runner")}
        heavy = {"boto3", "botocore", "troposphere", "msgspec", "asyncio", "sqlite3", "click"}
        print("LOADED", sorted(ours), sorted(heavy & sys.modules.keys() - before))

pytest.main(["-q", "-p", "devbridge.pytest_plugin", "test_it.py"], plugins=[Spy()])
"""


def test_what_does_not_use_the_plugin_loads_nothing_of_devbridge(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): ...\n")
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "LOADED ['devbridge', 'devbridge.pytest_plugin'] []" in done.stdout
    assert "1 passed" in done.stdout
