"""Fixtures that all tests share: a clean environment, and an embedded cloud."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from inspect import CO_VARKEYWORDS
from pathlib import Path
from typing import Any, Final

import pytest
from botocore import hooks
from botocore.hooks import EventAliaser
from botocore.loaders import Loader
from hypothesis import HealthCheck, settings

from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config
from devbridge.emulator.embedded import embedded_cloud
from devbridge.emulator.state import Running
from devbridge.proxies import past_proxies
from tests.clients import reset
from tests.settings import is_personal

TESTS: Final = Path(__file__).parent
# Asserts of tests that stand in a module without `test_` tell what they have compared, too.
pytest.register_assert_rewrite("tests.e2e.dev_and_deployed", "tests.e2e.documented_answers")

# No test fails because the machine has other things to do, too.
settings.register_profile("any load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")


def pytest_configure() -> None:
    """Whoever runs the tests: this machine is reached past any proxy, and signals are heard by them
    and what they start, also where a script has started them in the background, or nohup. What they
    start again and again is compiled once, as on a user's machine: that is a third of their time.
    """
    os.environ.update(past_proxies(os.environ))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # A process that keeps thousands of tests looks for garbage among them again and again: that is
    # an eighth of its time.
    gc.set_threshold(50_000, 20, 100)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_sessionstart(session: pytest.Session) -> None:
    """In a fresh checkout, where no test is compiled yet: each worker compiles its own part, before
    all of them load all."""
    whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if whole and worker:
        parts = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        for path in sorted(TESTS.rglob("test_*.py"))[int(worker) :: parts]:
            with suppress(Exception):  # which collecting it tells
                import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))


@pytest.fixture(scope="session", autouse=True)
def what_botocore_knows_it_finds_out_once() -> Iterator[None]:
    """botocore reads its models once for each session, and looks once more at each of its event
    handlers: that would be in nearly every test."""
    models: dict[type, dict[object, object]] = {}
    names: dict[str, str] = {}
    load, alias, accepts_kwargs = Loader.__init__, EventAliaser.__init__, hooks.accepts_kwargs

    def load_once(loader: Loader, *arguments: Any, **options: Any) -> None:
        load(loader, *arguments, **options)
        vars(loader)["_cache"] = models.setdefault(type(loader), {})

    def alias_once(aliaser: EventAliaser, *arguments: Any) -> None:
        alias(aliaser, *arguments)
        vars(aliaser)["_alias_name_cache"] = names

    def accepts(handler: Any) -> Any:
        code = getattr(handler, "__code__", None)
        return code.co_flags & CO_VARKEYWORDS if code else accepts_kwargs(handler)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "__init__", load_once)
        patch.setattr(EventAliaser, "__init__", alias_once)
        patch.setattr(hooks, "accepts_kwargs", accepts)
        yield


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or could ever use, the AWS account or the settings of who runs it."""
    for name in os.environ:
        if is_personal(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[..., Config]:
    """Makes a Config for an app in the test's own folder: an app.py, this interpreter, --local."""

    def make(root: Path = tmp_path, **settings: object) -> Config:
        (root / "app.py").touch()
        values: dict[str, object] = {
            "root": root,
            "stage": "test",
            "python": Path(sys.executable),
            "local": True,
            **settings,
        }
        return Config(**values)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An embedded cloud, one for each process of the test run. Use `local_cloud`: it is emptied."""
    config = Config(
        root=tmp_path_factory.mktemp("cloud"), stage="test", python=Path(sys.executable), local=True
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DEVBRIDGE_METRICS_SECONDS", "1")
        with embedded_cloud(config, lambda line: None) as cloud:
            yield cloud.running


@pytest.fixture
def embedded(shared_cloud: Running) -> Running:
    """A running embedded cloud with nothing in it."""
    reset(shared_cloud.endpoint_url)
    return shared_cloud


@pytest.fixture
def local_cloud(embedded: Running, make_config: Callable[..., Config]) -> Cloud:
    """A connection to `embedded`, as root."""
    return connect(make_config(), embedded.endpoint_url)
