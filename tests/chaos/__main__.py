"""``python -m tests.chaos --minutes N --seed S [--jobs N]``."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from devbridge.config import Config
from devbridge.emulator.embedded import embedded_cloud
from tests.chaos.plan import STAGE
from tests.chaos.run import Plan, chaos
from tests.integration.brokers import mosquitto_executable


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long jobs are sent")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, help="default: 1000 a minute")
    parser.add_argument("--messages", type=int, help="of each kind; default: 100 a minute")
    parser.add_argument("--callers", type=int, default=6)
    parser.add_argument("--calm", action="store_true", help="no faults")
    parser.add_argument("--only", help="only these kinds of faults, with commas between them")
    parser.add_argument("--dir", type=Path, help="keep everything here")
    options = parser.parse_args()
    if mosquitto_executable() is None:
        sys.exit("mosquitto is needed, and not installed")
    folder = options.dir or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        seed=options.seed,
        seconds=options.minutes * 60,
        jobs=options.jobs or int(options.minutes * 1000),
        callers=options.callers,
        calm=options.calm,
        only=options.only.split(",") if options.only else None,
        concurrency=4 * (os.cpu_count() or 1),
        messages=int(options.minutes * 100) if options.messages is None else options.messages,
    )
    beside = folder / "cloud"
    beside.mkdir(exist_ok=True)
    config = Config(root=beside, stage=STAGE, python=Path(sys.executable), local=True)
    with embedded_cloud(config, print, "the chaos test") as cloud:
        broken = asyncio.run(chaos(plan, folder / "run", cloud.running.endpoint_url))
    if not broken and options.dir is None:
        shutil.rmtree(folder)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
