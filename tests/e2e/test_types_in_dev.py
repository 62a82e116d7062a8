"""`devbridge dev` keeps what is deployed, and what type checkers see, true to the saved code."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.dev_process import DevProcess, client

APP = """\
from devbridge import App, Function, Job

app = App("typed-app")
order = Job(app, "order", handler="jobs/order.handler")
Function(app, "ask", handler="functions/ask.handler", bind=[order])
"""
JOB = """\
from dataclasses import dataclass

from devbridge.job import job_handler


@dataclass
class Order:
    sku: str


@job_handler("order")
def handler(payload: Order) -> str:
    return payload.sku
"""
ASK = """\
from devbridge.errors import PayloadInvalid
from devbridge.job import Job


def handler(event, context):
    try:
        return Job.order.run(payload=event).state
    except PayloadInvalid as error:
        return error.where
"""


def test_a_save_reaches_functions_callers_and_stubs(tmp_path: Path) -> None:
    root = tmp_path / "app"
    for name, text in (
        ("app.py", APP), ("jobs/order.py", JOB), ("functions/ask.py", ASK)
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with DevProcess(root, "--local", "--stage", "types") as dev:
        dev.wait_for("^Ready")
        functions = client(root, "lambda")

        def ask(payload: object) -> object:
            answer = functions.invoke(
                FunctionName="typed-app_types_ask-fn", Payload=json.dumps(payload)
            )
            return json.loads(answer["Payload"].read())

        stub = root / "typings" / "devbridge" / "job.pyi"
        assert "sku" in stub.read_text()
        assert "count" not in stub.read_text()
        assert ask({"sku": 5}) == "$.sku"
        assert ask({"sku": "a"}) in ("QUEUED", "RUNNING")

        mark = dev.mark
        (root / "jobs" / "order.py").write_text(JOB.replace("sku: str", "sku: str\n    count: int"))
        dev.wait_for("^Reloaded order", after=mark)
        dev.wait_for("^payload types changed: .*order", after=mark)
        dev.wait_for(r"update complete .*Function 'ask'", after=mark)
        dev.wait_for(r"^(Deployed|Reloaded) .*ask", after=mark)
        assert "count" in stub.read_text()
        assert ask({"sku": "a"}) == "$"

        mark = dev.mark
        (root / "functions" / "ask.py").write_text(ASK.replace("error.where", "'mended'"))
        dev.wait_for(r"^Reloaded ask in", after=mark)
        assert ask({"sku": "a"}) == "mended"
        assert dev.interrupt() == 0
