"""The steps of `devbridge dev`, of which only the order is real."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.config import Config
from devbridge.deploy import Deployed
from devbridge.errors import DevbridgeError
from devbridge.live import develop, serving
from devbridge.live.deployer import Deployer
from devbridge.live.redeployer import Good
from devbridge.runs.model import JobSpec
from tests.unit.live.voices import Developer

SPEC = JobSpec("a", "a.handler", 60, 3072, "arn:aws:iam::1:role/job", {})


class Desk:
    """The steps of `devbridge dev`, of which only the order is real."""

    def __init__(self, root: Path) -> None:
        (root / "app.py").write_text('from devbridge import App\n\napp = App("demo")\n')
        self.root = root
        self.developer = Developer()
        self.steps: list[str] = []
        self.options: dict[str, Any] = {"local": True}
        self.error: DevbridgeError | None = None

    @property
    def config(self) -> Config:
        return Config(root=self.root, python=Path(sys.executable), stage="ann", **self.options)

    def run(self, *, yes: bool = False) -> list[str]:
        develop.develop(self.config, self.developer.voice, yes=yes)
        return self.developer.said

    # --- the steps

    def verify(self, python: Path) -> None:
        assert python == Path(sys.executable)

    @contextlib.contextmanager
    def schemas(self, *_: object, unloaded: object) -> Iterator[Future[dict[str, Any]]]:
        known: Future[dict[str, Any]] = Future()
        known.set_result({"a": {}})
        yield known

    @contextlib.contextmanager
    def embedded_cloud(self, *_: object) -> Iterator[Any]:
        self.steps.append("cloud")
        try:
            yield SimpleNamespace(running=SimpleNamespace(endpoint_url="http://127.0.0.1:1"))
        finally:
            self.steps.append("cloud ends")

    def connect(self, config: Config, endpoint: str | None) -> Any:
        self.steps.append(f"connect {endpoint}")

    def ask_first(self, *_: object, yes: bool) -> None:
        self.steps.append(f"ask yes={yes}")

    def deploy(self, deployer: Deployer, app: Any, schemas: Any) -> Deployed:
        self.steps.append(f"deploy {app.name} {schemas}")
        assert not deployer.consent.running, "it may ask"
        if self.error is not None:
            raise self.error
        return Deployed({}, [SPEC], True)

    async def serve(
        self,
        deployer: Deployer,
        good: Good,
        began: float,
        embedded: object | None,
        on_ready: Callable[[], None],
    ) -> None:
        self.steps.append(f"serve embedded={embedded is not None}")
        assert deployer.consent.running, "nothing may wait for an answer any more"


def desk_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk for an app in that folder."""
    desk = Desk(folder)
    monkeypatch.setattr(develop, "verify_interpreter", desk.verify)
    monkeypatch.setattr(develop, "payload_schemas", desk.schemas)
    monkeypatch.setattr(develop, "embedded_cloud", desk.embedded_cloud)
    monkeypatch.setattr(develop, "attach", lambda _: None)
    monkeypatch.setattr(serving, "connect", desk.connect)
    monkeypatch.setattr(serving, "ask_first", desk.ask_first)
    monkeypatch.setattr(serving, "serve", desk.serve)

    def deploy(deployer: Deployer, app: Any, schemas: Any) -> Deployed:
        return desk.deploy(deployer, app, schemas)

    monkeypatch.setattr(Deployer, "deploy", deploy)
    return desk
