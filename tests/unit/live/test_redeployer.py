"""What a save of the app comes to, without a cloud: the steps of a deployment are made up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.constructs import Api, App, Job
from devbridge.constructs.app import loading
from devbridge.deploy import Deployed
from devbridge.errors import AppError
from devbridge.live import redeployer as module
from devbridge.live.consent import Undecided
from devbridge.live.redeployer import Good, Redeployer
from devbridge.live.schemas import Schemas
from devbridge.runs.model import CodeSpec, JobSpec
from tests.unit.live.voices import Developer

URL = {"MainUrl": "http://x"}
INTEGER = {"a": {"type": "integer"}}
TEXT = {"a": {"type": "string"}}


def spec(name: str) -> JobSpec:
    return JobSpec(name, "a.handler", 60, 3072, "arn:aws:iam::1:role/job", {})


class Desk:
    """An app that is saved, and the steps of its deployment (`redeployer.Deploys`)."""

    def __init__(self, root: Path) -> None:
        (root / "a.py").write_text("def handler(payload): ...\n")
        self.root = root
        self.developer = Developer()
        self.steps: list[str] = []
        self.whole = True
        self.error: Exception | None = None
        """What the deployment meets."""
        self.jobs: tuple[str, ...] = ("a",)
        self.saved = self.app()
        self.types: Schemas = INTEGER
        self.changed = True
        self.outputs: dict[str, str] = {}
        self.preloaded: list[list[str]] = []
        self.listening: list[Callable[[], None]] = []
        self.inside = threading.Semaphore(1)

    def app(self, *routes: str, files: Iterable[str] = ("app.py",), **options: Any) -> App:
        with loading(self.root):
            app = App("demo", **options)
            Job(app, "a", handler="a.handler")
            if routes:
                Api(app, "main", routes=dict.fromkeys(routes, "a.handler"))
        app.files, app.loaded_at = frozenset(self.root / file for file in files), 100.0
        return app

    # --- Deploys

    def load(self) -> App:
        assert self.inside.acquire(blocking=False), "two deployments at once"
        self.steps.append("load")
        if isinstance(self.error, AppError):
            self.inside.release()
            raise self.error
        return self.saved

    def schemas(self, app: App) -> Schemas:
        self.steps.append("schemas")
        return self.types

    def deploy(self, app: App, schemas: Schemas) -> Deployed:
        self.inside.release()
        self.steps.append("deploy")
        if self.error is not None:
            raise self.error
        return self.deployed()

    # --- the rest of the world

    async def prepare(self, jobs: Iterable[CodeSpec], vouched: Iterable[str]) -> None:
        self.preloaded.append(list(vouched))

    def redeployer(self) -> Redeployer:
        """Deployed as it is saved now; nothing of that is counted."""
        good = Good(self.saved, self.types, self.deployed())
        return Redeployer(
            self, good, self.developer.voice, listen=self.listening.append, prepare=self.prepare
        )

    def deployed(self) -> Deployed:
        specs = [spec(name) for name in self.jobs]
        files = frozenset({self.root / "a.py"})
        return Deployed(self.outputs, specs, self.changed, files=files)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def never() -> None:
    pytest.fail("nothing waits for an answer")


async def test_at_the_start_the_daemon_is_told_what_was_deployed_and_when_it_was_loaded(
    desk: Desk,
) -> None:
    deployment = desk.redeployer().deployment
    assert list(deployment.jobs) == ["a"]
    assert deployment.files == {desk.root / "app.py", desk.root / "a.py"}
    assert (deployment.loaded, deployment.whole) == (100.0, True)


async def test_a_save_of_the_app_deploys_it_and_hands_its_jobs_on(desk: Desk) -> None:
    redeployer = desk.redeployer()
    desk.saved, desk.jobs = desk.app(files=["app.py", "more.py"]), ("a", "b")
    deployment = await redeployer.redeploy(never)
    assert desk.developer.said == [], "the daemon does not go by it yet"
    deployment.say()
    assert desk.steps == ["load", "schemas", "deploy"]
    assert list(deployment.jobs) == ["a", "b"]
    assert desk.root / "more.py" in deployment.files
    assert redeployer.deployment == deployment
    assert desk.developer.said[0].startswith("Deployed in ")
    assert len(desk.developer.said) == 1  # there is no more to call than before


async def test_what_is_new_is_said_with_how_to_call_it(desk: Desk) -> None:
    redeployer = desk.redeployer()
    desk.saved, desk.outputs = desk.app("POST /a"), URL
    (await redeployer.redeploy(never)).say()
    url, deployed, call = desk.developer.said
    assert url == "MainUrl      http://x"
    assert deployed.endswith("s. Try:")
    assert call == "  curl -X POST 'http://x/a'"


async def test_how_long_it_took_is_said_and_what_to_look_at_is_bold(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.developer = Developer(colour=True)
    redeployer = desk.redeployer()
    times = iter([10.0, 12.5, 20.0, 21.0])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(times)))
    desk.saved, desk.outputs = desk.app("POST /a"), URL
    (await redeployer.redeploy(never)).say()
    assert desk.developer.said[:2] == [
        "MainUrl      \x1b[1mhttp://x\x1b[0m",
        "\x1b[32mDeployed\x1b[0m in 2.5s. Try:",
    ]
    (await redeployer.redeploy(never)).say()
    assert desk.developer.said[3:] == ["\x1b[32mDeployed\x1b[0m in 1.0s."], "nothing is new"


async def test_a_save_that_changes_nothing_says_nothing(desk: Desk) -> None:
    redeployer = desk.redeployer()
    desk.changed = False
    (await redeployer.redeploy(never)).say()
    assert desk.developer.said == []


async def test_an_app_that_cannot_be_loaded_leaves_the_last_one_in_place(desk: Desk) -> None:
    redeployer = desk.redeployer()
    before = redeployer.good
    desk.error = AppError("app.py does not parse")
    with pytest.raises(AppError):
        await redeployer.redeploy(never)
    assert desk.steps == ["load"]
    assert redeployer.good is before
    desk.error, desk.jobs = None, ("b",)
    assert list((await redeployer.redeploy(never)).jobs) == ["b"]


async def test_what_nobody_has_agreed_to_leaves_all_in_place_and_watches_the_new_files(
    desk: Desk,
) -> None:
    redeployer = desk.redeployer()
    before = redeployer.good
    desk.error, desk.jobs = Undecided("the deployment waits"), ("b",)
    desk.saved = desk.app(files=["app.py", "tables.py"])
    again: list[str] = []
    deployment = await redeployer.redeploy(lambda: again.append("y"))
    assert list(deployment.jobs) == ["a"]
    assert desk.root / "tables.py" in deployment.files
    assert redeployer.good is before
    assert desk.preloaded == []
    (agreed,) = desk.listening
    agreed()
    assert again == ["y"]


async def test_two_deployments_are_one_after_the_other_and_the_second_sees_the_first(
    desk: Desk,
) -> None:
    redeployer = desk.redeployer()
    desk.types = TEXT
    async with asyncio.TaskGroup() as group:
        first = group.create_task(redeployer.redeploy(never))
        outdated = group.create_task(redeployer.outdated())
        second = group.create_task(redeployer.redeploy(never))
    assert first.result() == second.result()
    assert not outdated.result(), "what is deployed has these types already"
    assert desk.steps == ["load", "schemas", "deploy", "schemas", "load", "schemas", "deploy"]


async def test_changed_payload_types_ask_for_a_deployment_of_those_who_call(desk: Desk) -> None:
    redeployer = desk.redeployer()
    assert not await redeployer.outdated()
    assert desk.developer.said == []
    desk.types = TEXT
    assert await redeployer.outdated()
    assert desk.developer.said == ["payload types changed: redeploying the callers of a"]
    await redeployer.redeploy(never)
    assert not await redeployer.outdated()


async def test_what_the_app_vouches_for_reaches_the_launcher(desk: Desk) -> None:
    redeployer = desk.redeployer()
    desk.saved = desk.app(preload=["json"])
    await redeployer.redeploy(never)
    assert desk.preloaded == [["json"]]


async def test_what_was_left_out_is_told_to_the_daemon(desk: Desk) -> None:
    redeployer = desk.redeployer()
    desk.whole = False
    assert not (await redeployer.redeploy(never)).whole
