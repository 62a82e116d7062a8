from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devbridge.config import Config
from devbridge.constructs import App, Function, Job
from devbridge.constructs.app import loading
from devbridge.daemon.developer import Health
from devbridge.daemon.functions import Followed
from devbridge.daemon.runtime_api import WorkerAddress
from devbridge.deploy import Deployed
from devbridge.languages.launchers import Launchers
from devbridge.live import compose as module
from devbridge.live.broken import Broken
from devbridge.live.compose import Composed, compose
from devbridge.live.consent import Consent
from devbridge.live.deployer import Deployer
from devbridge.live.redeployer import Good
from devbridge.live.unloaded import Unloaded
from devbridge.resources import variable
from devbridge.runs.model import JobSpec
from devbridge.runs.queued import WAITS
from devbridge.transport.base import Endpoint
from tests.unit.daemon.screens import Screen
from tests.unit.live.voices import Developer

ADDRESS = WorkerAddress("127.0.0.1:1/w", "http://127.0.0.1:1/c", "token")
SECRET = {variable("Secret", "parameterName", "key"): "/demo/key"}


def spec(environment: dict[str, str]) -> JobSpec:
    return JobSpec("a", "a.handler", 60, 3072, "arn:aws:iam::1:role/job", environment)


class Cloud:
    account = "123456789012"
    region = "eu-west-1"
    endpoint_url = "http://127.0.0.1:2"

    def iot_endpoint(self) -> Endpoint:
        return Endpoint("iot.example", self.region)

    def aws_credentials(self) -> None:
        return None

    def explain(self, error: Exception) -> None:
        return None


class Made:
    """Stands in for a class: remembers what it was made with."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments = arguments
        self.options = options

    async def run(self) -> None: ...

    def refused(self) -> None: ...


class Desk:
    """`devbridge dev` when the app has been deployed."""

    def __init__(self, root: Path, screen: Screen) -> None:
        self.root = root
        self.screen = screen
        self.developer = Developer()
        self.jobs = [spec({"A": "1"})]
        self.options: dict[str, Any] = {"local": True}
        (root / "a.py").write_text("def handler(payload): ...\n")
        with loading(root):
            self.app = App("demo", preload=["json"])
        self.app.files, self.app.loaded_at = frozenset({root / "app.py"}), 100.0

    @property
    def config(self) -> Config:
        config = Config(root=self.root, python=Path(sys.executable), stage="ann", **self.options)
        config.make_dirs()
        return config

    def compose(self) -> Composed:
        voice, cloud = self.developer.voice, Cloud()
        there: Any = cloud
        deployer = Deployer(
            self.config,
            there,
            voice,
            Consent(there, voice, yes=False),
            Broken(voice, unloaded := Unloaded()),
            unloaded,
        )
        good = Good(self.app, {}, Deployed({}, self.jobs, True))
        return compose(deployer, good, self.screen.terminal)


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    made.close()


@pytest.fixture
async def desk(tmp_path: Path, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("Daemon", "MqttTransport", "DeveloperCredentials"):
        monkeypatch.setattr(module, name, Made)
    return Desk(tmp_path, screen)


def made(composed: Composed) -> Made:
    daemon: Any = composed.daemon
    assert isinstance(daemon, Made)
    return daemon


async def test_what_is_configured_reaches_the_daemon(desk: Desk) -> None:
    desk.options |= {"concurrency": 3, "grace": 7.0, "on_broken": "wait", "rerun_on_save": "cancel"}
    settings, deployment = made(desk.compose()).arguments
    assert (settings.root, settings.python) == (desk.root, Path(sys.executable))
    assert (settings.concurrency, settings.grace) == (3, 7.0)
    assert (settings.fail_when_broken, settings.rerun_on_save) == (False, "cancel")
    assert settings.secrets_mark == desk.config.secrets_mark
    assert list(settings.preload) == ["json"]
    assert list(deployment.jobs) == ["a"]
    assert (deployment.loaded, deployment.whole) == (100.0, True)


async def test_the_broker_keeps_requests_for_a_week_but_nothing_for_an_onlooker(
    desk: Desk,
) -> None:
    connection = made(desk.compose()).options["connection"]
    assert connection.topics.requests == "devbridge/demo/ann/requests"
    assert connection.presence.session_expiry == WAITS == 604_800
    daemons, onlookers = (connection.make_transport("id", clean) for clean in (False, True))
    assert daemons.arguments[:2] == (Endpoint("iot.example", "eu-west-1"), "id")
    assert (daemons.options["clean"], daemons.options["session_expiry"]) == (False, 604_800)
    assert (onlookers.options["clean"], onlookers.options["session_expiry"]) == (True, 0)


async def test_workers_get_their_jobs_variables_and_are_led_to_the_same_cloud(desk: Desk) -> None:
    desk.options["env"] = ("TOKEN=t",)
    workshop = made(desk.compose()).options["workshop"]
    environment = workshop.environment(desk.jobs[0], ADDRESS)
    assert environment["A"] == "1"
    assert environment["TOKEN"] == "t"
    assert environment["AWS_REGION"] == "eu-west-1"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:2"


@pytest.mark.parametrize(
    ("local", "beside"),
    [
        (True, {"dead-letters", "functions", "held", "imports", "mappings", "secrets"}),
        (
            False,
            {"credentials", "dead-letters", "functions", "held", "imports", "mappings", "secrets"},
        ),
    ],
)
async def test_credentials_are_watched_where_they_are_somebodys(
    desk: Desk, local: bool, beside: set[str]
) -> None:
    desk.options["local"] = local
    assert desk.compose().beside.keys() == beside


async def test_news_of_the_credentials_are_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    watchers: list[Made] = []

    def watcher(*arguments: Any) -> Made:
        watchers.append(Made(*arguments))
        return watchers[-1]

    monkeypatch.setattr(module, "DeveloperCredentials", watcher)
    desk.compose()
    _, say = watchers[0].arguments
    say(Health.EXPIRED, "expired")
    say(Health.GOOD, "renewed")
    assert desk.developer.said == ["expired", "renewed"]


async def test_secrets_versions_are_asked_for_while_a_job_binds_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def versions(cloud: object, app: str, stage: str) -> dict[str, object]:
        asked.append((app, stage))
        return {"key": 1}

    async def watch(found: Any, changed: Any) -> None:
        answers.append(await found())
        changed()

    answers: list[object] = []
    monkeypatch.setattr(module, "versions", versions)
    monkeypatch.setattr("devbridge.daemon.secrets.watch", watch)
    await desk.compose().beside["secrets"]()
    assert (answers, asked) == ([{}], [])
    assert desk.config.secrets_mark.exists()
    desk.jobs = [spec(SECRET)]
    await desk.compose().beside["secrets"]()
    assert answers[1:] == [{"key": 1}]
    assert asked == [("demo", "ann")]


async def test_a_damaged_ledger_is_set_aside_and_that_is_said(desk: Desk) -> None:
    desk.config.ledger.write_bytes(b"no database" * 1000)
    desk.compose()
    (line,) = desk.developer.said
    assert "is set aside as" in line


async def test_workers_are_launched_in_their_languages_with_what_the_shell_gives(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "vi")
    desk.options |= {"env": ("EDITOR",)}
    launcher = made(desk.compose()).options["workshop"].launcher
    assert isinstance(launcher, Launchers)
    place = launcher._place
    assert (place.root, place.python) == (desk.root, Path(sys.executable))
    assert place.environment["EDITOR"] == "vi"
    assert place.bundles == desk.config.bundles


async def test_the_logs_of_the_functions_that_are_deployed_are_followed_and_the_invokers(
    desk: Desk,
) -> None:
    composed = desk.compose()
    groups = composed.beside["functions"].__self__._groups  # type: ignore[attr-defined]
    assert groups() == {}
    assert groups() is groups()
    with loading(desk.root, lenient=True):
        app = App("demo")
        Function(app, "f", handler="f.handler")
        Job(app, "j", handler="a.handler")
    redeployer = made(composed).options["redeploys"]
    redeployer.good = replace(redeployer.good, app=app)
    assert groups() == {
        "/aws/lambda/demo_ann_f-fn": Followed("f"),
        "/aws/lambda/demo_ann_invokers": Followed(prefix="demo_ann_"),
    }
