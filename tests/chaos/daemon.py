"""The daemon under test, as a process: composed by `devbridge dev` itself, on an embedded cloud
with another broker. ``python -m tests.chaos.daemon SETTINGS.json``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from devbridge.cli import deploying
from devbridge.cloud.session import Cloud
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Deployed
from devbridge.live.broken import Broken
from devbridge.live.consent import Consent
from devbridge.live.deployer import Deployer
from devbridge.live.redeployer import Good
from devbridge.live.serving import serve
from devbridge.live.unloaded import Unloaded
from devbridge.live.voice import Voice
from devbridge.runs.lock import only_one
from devbridge.runs.model import JobSpec
from devbridge.transport import mqtt
from devbridge.transport.base import Endpoint
from tests.chaos.plan import JOBS, KEEP_ALIVE, STAGE
from tests.chaos.post import cloud_of
from tests.integration.brokers import HOST


@dataclass(frozen=True, slots=True)
class BehindProxy(Cloud):
    """A cloud whose broker is another one."""

    port: int = 0

    @staticmethod
    def of(cloud: Cloud, port: int) -> BehindProxy:
        """That cloud, with the broker at that port."""
        return BehindProxy(
            **{each.name: getattr(cloud, each.name) for each in fields(cloud)}, port=port
        )

    def iot_endpoint(self) -> Endpoint:
        return Endpoint(HOST, self.region, ("127.0.0.1", self.port))


class BriskTransport(mqtt.MqttTransport):
    """Notices a half-open connection within seconds."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"keep_alive": KEEP_ALIVE, **options})


def main(settings_file: str) -> int:
    began = time.monotonic()
    settings = json.loads(Path(settings_file).read_text())
    root = Path(settings["root"])
    config = Config(
        root=root,
        stage=STAGE,
        local=True,  # nobody's credentials are watched
        python=Path(sys.executable),
        concurrency=settings["concurrency"],
        grace=settings["grace"],
        on_broken=settings["on_broken"],
    )
    config.make_dirs()
    app = load_app(root)
    jobs = [
        JobSpec(
            name=job.name,
            handler=job.handler,
            memory_mb=3072,
            role_arn=settings["roles"][job.name],
            environment={"CHAOS_EFFECTS": settings["effects"]},
            **job.options,
        )
        for job in JOBS
    ]
    mqtt.MqttTransport = BriskTransport  # type: ignore[misc]
    cloud = BehindProxy.of(cloud_of(root, settings["endpoint"]), settings["port"])
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_one(config.lock, config.stage))
        stack.enter_context(deploying.interruptible())
        deployed = Deployed(outputs={}, jobs=jobs, changed=False)
        voice = Voice(print, warn=print, confirm=lambda *_: None, colour=False)
        consent, unloaded = Consent(cloud, voice, yes=True), Unloaded()
        deployer = Deployer(config, cloud, voice, consent, Broken(voice, unloaded), unloaded)
        good = Good(app, deployer.schemas(app), deployed)
        asyncio.run(serve(deployer, good, began, None))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
