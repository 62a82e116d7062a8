"""The daemon under test, as a process: composed by `devbridge dev` itself, on a cloud that is only
a broker. ``python -m tests.chaos.daemon SETTINGS.json``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any, cast

from devbridge.cli import deploying
from devbridge.cloud.session import Cloud
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Deployed
from devbridge.live.broken import Broken
from devbridge.live.consent import Consent
from devbridge.live.deployer import Deployer
from devbridge.live.develop import serve
from devbridge.live.redeployer import Good
from devbridge.live.unloaded import Unloaded
from devbridge.live.voice import Voice
from devbridge.runs.lock import only_one
from devbridge.runs.model import JobSpec
from devbridge.transport import mqtt
from devbridge.transport.base import Endpoint
from tests.chaos.plan import JOBS, KEEP_ALIVE, STAGE
from tests.integration.brokers import HOST


class BrokerOnly:
    """What the daemon needs of a cloud, without one."""

    region = "us-east-1"
    endpoint_url = None

    def __init__(self, port: int) -> None:
        self._port = port

    def iot_endpoint(self) -> Endpoint:
        return Endpoint(HOST, self.region, ("127.0.0.1", self._port))

    def aws_credentials(self) -> None:
        return None

    def explain(self, error: Exception) -> None:
        return None

    def client(self, service: str) -> Any:
        raise RuntimeError(f"there is no {service} here")


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
            role_arn="arn:aws:iam::000000000000:role/chaos",
            environment={"CHAOS_EFFECTS": settings["effects"]},
            **job.options,
        )
        for job in JOBS
    ]
    mqtt.MqttTransport = BriskTransport  # type: ignore[misc]
    cloud = cast(Cloud, BrokerOnly(settings["port"]))
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_one(config.stage_dir / "daemon.lock", config.stage))
        stack.enter_context(deploying.interruptible())
        deployed = Deployed(outputs={}, jobs=jobs, changed=False)
        voice = Voice(print, warn=print, confirm=lambda *_: None, colour=False)
        consent, broken = Consent(cloud, voice, yes=True), Broken(voice)
        deployer = Deployer(config, cloud, voice, consent, broken, Unloaded(voice.warn))
        asyncio.run(serve(deployer, Good(app, {}, deployed), began, None))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
