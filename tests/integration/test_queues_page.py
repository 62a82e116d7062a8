"""docs/queues.md, done for real: what it says of a message that comes twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from devbridge.cli import main
from devbridge.cloud.session import connect
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.test_any_app_deploys import fast
from tests.unit.test_docs_pages import APPS, PAGES, write

PAGE = "queues.md"


def test_an_order_that_comes_twice_is_paid_once(shared_cloud: Running, tmp_path: Path) -> None:
    reset(shared_cloud.endpoint_url)
    app = next(text for page, text in APPS if page == PAGE)  # the first of them
    root = write(tmp_path, app, PAGES[PAGE])
    cloud = connect(
        Config(root=root, stage="test", python=Path(sys.executable), local=True),
        shared_cloud.endpoint_url,
    )
    done = deploy(Request(load_app(root), cloud, stage="test", mode="deployed", pace=fast))
    at = ["--app", str(root), "--stage", "test", "--endpoint", str(shared_cloud.endpoint_url)]

    def charged(order: str) -> Any:
        payload = json.dumps({"id": order, "euros": 5})
        asked = ["invoke", "charge", "--payload", payload, "--wait", "--json", *at]
        answer = CliRunner().invoke(main, asked)
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)["result"]

    first, again, other = charged("a"), charged("a"), charged("b")
    assert first == again != other
    table = done.outputs["PaymentsTable"]
    items = cloud.client("dynamodb").scan(TableName=table)["Items"]
    assert [item["status"]["S"] for item in items] == ["COMPLETED"] * 2
    assert all(item["id"]["S"].startswith("pay#") for item in items)
