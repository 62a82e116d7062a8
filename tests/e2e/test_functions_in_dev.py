"""What functions that are not live print in the cloud, in the terminal of `devbridge dev`."""

from __future__ import annotations

import http.client
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.dev_process import DevProcess, run

APP = """\
from devbridge import Api, App, Function, Job, LambdaAuthorizer

app = App("shop")
job = Job(app, "count", handler="jobs/count.handler")
guard = Function(app, "guard", handler="api/guard.handler", enable_live_dev=False)
start = Function(app, "api-start", handler="api/start.handler", bind=[job], enable_live_dev=False)
Api(
    app,
    "api",
    authorizers={"guard": LambdaAuthorizer(guard, identity_sources=[])},
    authorizer="guard",
    routes={"POST /start": start},
)
"""
GUARD = """\
def handler(event, context):
    print("who is it?")
    return {"isAuthorized": True}
"""
START = """\
from devbridge.job import Job
from lib.prices import price

def handler(event, context):
    print("hello from the API function")
    Job.count.run(payload=1)
    return {"statusCode": 200, "body": str(price(event["body"]))}
"""
PRICES = """\
def price(name):
    return {"apple": 1}[name]
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    for path, text in (
        ("app.py", APP),
        ("api/guard.py", GUARD),
        ("api/start.py", START),
        ("lib/prices.py", PRICES),
        ("jobs/count.py", "def handler(payload):\n    return payload\n"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def post(url: str, body: str) -> tuple[int, str]:
    parts = urlsplit(url)
    assert parts.port is not None
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
    connection.request(
        "POST", parts.path, body, {"Host": parts.netloc, "Content-Type": "text/plain"}
    )
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_prints_and_errors_of_functions_are_on_the_terminal_and_in_a_file(app: Path) -> None:
    with DevProcess(app, "--local") as dev:
        url = dev.wait_for(r"curl -X POST '(.*/start)'")[1]
        mark = dev.mark
        assert post(url, "apple") == (200, "1")
        dev.wait_for(r"^\|  guard  who is it\?$", after=mark)
        dev.wait_for(r"^\|  api-start  hello from the API function$", after=mark)
        mark = dev.mark
        assert post(url, "pear") == (500, '{"message":"Internal Server Error"}')
        dev.wait_for(r"^\|  api-start  Error   KeyError: 'pear'$", after=mark)
        dev.wait_for(r'^\|  api-start  ↳ File "lib/prices.py", line 2, in price$', after=mark)
        dev.wait_for(r'^\|  api-start        return {"apple": 1}\[name\]$', after=mark)
        mark = dev.mark
        (app / "api/start.py").write_text(START.replace("hello", "good morning"))
        dev.wait_for(r"^Deployed", after=mark)
        assert post(url, "apple") == (200, "1")
        dev.wait_for(r"^\|  api-start  good morning from the API function$", after=mark)
        printed = run(app, "logs", "api-start", "--local")
        assert printed.returncode == 0, printed.stderr
        assert dev.interrupt() == 0
    (log,) = app.glob(".devbridge/*/logs/functions/api-start.log")
    kept = log.read_text()
    frames = re.findall(r'File "(.*)", line', kept)
    assert frames == ["api/start.py", "lib/prices.py"]
    assert kept.splitlines()[0] == "hello from the API function"
    assert kept.splitlines()[-1] == "good morning from the API function"
    assert "RequestId" not in dev.text
    assert printed.stdout == kept
