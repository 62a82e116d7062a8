"""A pytest plugin for apps: their jobs in the test's process, or whole on an embedded cloud.

pytest loads it by its entry point in every session of an environment that has devbridge: what a
session does not use, it does not import.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from devbridge.constructs import App as App
    from devbridge.pytest_plugin.in_process import JobRunner as JobRunner
    from devbridge.pytest_plugin.stage import Stage as Stage
    from devbridge.pytest_plugin.stage import StageRun as StageRun

_APP: Final = "devbridge_app"
_STAGE: Final = "devbridge_stage"
_MARKER: Final = (
    "devbridge_stage: the test takes the fixture devbridge_stage, which gives it this mark; "
    '-m "not devbridge_stage" runs the tests that need no embedded cloud.'
)
_INI: Final = (
    "The folder of the app.py that devbridge's fixtures use, relative to this file (default: the "
    "root folder, or the nearest one with an app.py above the folder where pytest was started)."
)

_SHELL: Final = "devbridge_shell"
_shell = pytest.StashKey[Mapping[str, str]]()
"""What AWS SDKs find in the shell's environment: as it was before any conftest.py, which may have
changed it for the tests."""
_stage = pytest.StashKey["Stage"]()
"""The stage, while there is one."""


def __getattr__(name: str) -> Any:
    """The types of the fixtures, for annotations: they are not imported before."""
    if name == "JobRunner":
        from devbridge.pytest_plugin import in_process

        return in_process.JobRunner
    if name in ("Stage", "StageRun"):
        from devbridge.pytest_plugin import stage

        return getattr(stage, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# --- hooks ----------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the setting that names the app's folder."""
    parser.addini(_APP, _INI, type="string", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Remembers what the shell has."""
    own = {name: os.environ[name] for name in os.environ if name.startswith(("AWS_", "BOTO_"))}
    early_config.stash[_shell] = own


def pytest_configure(config: pytest.Config) -> None:
    """Says what the mark means."""
    config.addinivalue_line("markers", _MARKER)
    if workerinput := getattr(config, "workerinput", None):
        config.stash[_shell] = workerinput.get(_SHELL, {})


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of pytest-xdist, which inherits what conftest.py has made of it."""
    node.workerinput[_SHELL] = node.config.stash.get(_shell, {})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that use the stage, before ``-m`` looks at marks."""
    for item in items:
        if _STAGE in getattr(item, "fixturenames", ()):
            item.add_marker(_STAGE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows what the stage's runs and functions have printed, where the test that has started and
    called them fails."""
    report = yield
    stage = item.config.stash.get(_stage, None)
    if stage is not None and call.when == "call":
        started, said = stage.forget_started(), stage.functions_said()
        if report.failed:
            report.sections += [
                *((f"Output of function {name}", text) for name, text in said.items()),
                *((f"Output of run {run.job} {run.job_id}", run.output) for run in started),
            ]
    return report


# --- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def devbridge_app(request: pytest.FixtureRequest) -> App:
    """The app of these tests: what its app.py makes, loaded once, as the stage "pytest".

    Its folder is the root folder of the tests, or what the setting devbridge_app names::

        def test_the_job_may_take_an_hour(devbridge_app):
            (job,) = devbridge_app.of_type(Job)
            assert job.timeout == timedelta(hours=1)
    """
    from devbridge.pytest_plugin import apps

    with _one_clear_error():
        return apps.load(apps.find(request.config))


@pytest.fixture
def devbridge_run(request: pytest.FixtureRequest, devbridge_app: App) -> JobRunner:
    """Run a job's handler here, in the test's process, as devbridge runs it, and return its result.

    ::

        def test_factorial(devbridge_run):
            assert devbridge_run("factorial", {"num": 5}) == 120
            with pytest.raises(PayloadInvalid):
                devbridge_run("factorial", {"num": "five"})

    The payload goes through JSON and the handler's own check, the result through JSON; what the
    handler raises is raised. Meanwhile os.environ has what the job has: `environment` of app.py,
    and nothing of the AWS account of whoever runs the tests.

    In a test that takes devbridge_stage, too, the job finds what it binds (Table.notes.table_name)
    on that stage, with the permissions of its own role: what `bind` lacks, is refused.
    """
    from devbridge.pytest_plugin.in_process import JobRunner

    stage = request.getfixturevalue(_STAGE) if _STAGE in request.fixturenames else None
    unused = request.config.stash.get(_stage, None)
    return JobRunner(
        devbridge_app,
        stage=stage,
        shell=request.config.stash.get(_shell, {}),
        hidden=unused.names if unused is not None else {},
    )


@pytest.fixture(scope="session")
def devbridge_stage(request: pytest.FixtureRequest, devbridge_app: App) -> Iterator[Stage]:
    """The app's own stage "pytest" on an embedded cloud, for the whole session: no AWS account.

    It is as `devbridge dev --local` makes it, with its jobs and functions live, but apart from
    yours: in a temporary folder, on a port of its own; each worker of pytest-xdist has one. When
    the session ends, however it ends, nothing of it is left. ::

        def test_the_whole_way(devbridge_stage):
            run = devbridge_stage.invoke("factorial", {"num": 5}).wait()
            assert run.result == 120
            assert "computing 5!" in run.output

    `outputs` has the stage's URLs, `client("s3")` is a boto3 client that may do everything there,
    `invoke` starts a job, `find` knows a run by its id, `set_secret` gives a secret its value.
    The names of what it has are in the environment: `Table.notes.table_name` of devbridge.resources
    can be read in tests. Data stays from one test to the next.
    """
    from devbridge.proxies import past_proxies
    from devbridge.pytest_plugin.start import started

    with contextlib.ExitStack() as stack:
        with _one_clear_error():
            stage = stack.enter_context(started(devbridge_app, _teller(request.config)))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in {**stage.names, **past_proxies(os.environ)}.items():
            patch.setenv(name, value)
        request.config.stash[_stage] = stage
        stack.callback(request.config.stash.__delitem__, _stage)
        yield stage


@contextlib.contextmanager
def _one_clear_error() -> Iterator[None]:
    """An error that says what to do is all that pytest shows: no traceback of devbridge."""
    from devbridge.errors import DevbridgeError

    try:
        yield
    except DevbridgeError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _teller(config: pytest.Config) -> Callable[[str], None]:
    """What says a line on the terminal while tests run, if there is one."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def say(line: str) -> None:
        if reporter is not None and capture is not None:
            with capture.global_and_fixture_disabled():
                reporter.ensure_newline()
                reporter.write_line(f"devbridge: {line}")

    return say
