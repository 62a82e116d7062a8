"""What another user of this machine, or a page in the developer's browser, gets from devbridge.

Asked of the operating system, while everything runs that devbridge ever starts: `dev --local` with
a live run and a function's call, `deploy --local` with a build.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from devbridge.cloud import keys
from tests.clients import endpoint_of, root_client
from tests.e2e.dev_process import DevProcess, clean_environment, processes_of
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(240)

APP = """\
from devbridge import Api, App, Function, Job

app = App("seen")
waits = Job(app, "waits", handler="jobs/waits.handler")
Function(app, "holds", handler="jobs/holds.handler", timeout="1 minute")
Api(app, "api", routes={"GET /open": "jobs/holds.open"}, bind=[waits])
"""
WAITS = """\
import time
from pathlib import Path

def handler(payload):
    Path(payload["started"]).touch()
    while not Path(payload["until"]).exists():
        time.sleep(0.02)
"""
HOLDS = """\
from jobs.waits import handler as wait

def handler(event, context):
    wait(event)

def open(event, context):
    return {"statusCode": 200, "body": "open"}
"""
NOBODY = pwd.getpwnam("nobody")
DOORS = {"GET /_devbridge/health"}
"""What the embedded cloud answers at its own names to anybody without a page's Origin."""
needs_another_user = pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")


def as_nobody(function: Callable[[], Any]) -> Any:
    """What the function returns, in a process of another user that has nothing of ours."""
    near, far = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            near.close()
            os.setgroups([])
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            far.sendall(json.dumps(function()).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    far.close()
    with near.makefile("rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    near.close()
    assert said, "the other user's process has failed"
    return json.loads(said)


@dataclass
class Everything:
    """All that devbridge has running, and where it keeps its files."""

    app: Path
    temporary: Path
    processes: list[psutil.Process]

    @property
    def cloud_port(self) -> int:
        return int(endpoint_of(self.app).rpartition(":")[2])

    def listeners(self) -> dict[tuple[str, int], str]:
        return {
            (connection.laddr.ip, connection.laddr.port): " ".join(process.cmdline())
            for process in self.processes
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
        }


@pytest.fixture(scope="module")
def everything() -> Iterator[Everything]:
    # Not below pytest's own folder, which is closed to others as it is.
    place = Path(tempfile.mkdtemp(prefix="seen-"))
    place.chmod(0o755)
    app, temporary = place / "app", place / "tmp"
    for file, text in {"app.py": APP, "jobs/waits.py": WAITS, "jobs/holds.py": HOLDS}.items():
        (app / file).parent.mkdir(parents=True, exist_ok=True)
        (app / file).write_text(text)
    temporary.mkdir()
    environment = {**clean_environment(), "TMPDIR": str(temporary)}

    def devbridge(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "devbridge", *arguments],
            cwd=app,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def held(name: str) -> dict[str, str]:
        return {"started": str(place / name), "until": str(place / "until")}

    try:
        with DevProcess(app, "--local", environment={"TMPDIR": str(temporary)}) as dev:
            dev.wait_for(r"^Ready", deadline=120)
            devbridge("deploy", "--local", "--stage", "prod", "--yes")
            for stage, name in (((), "live"), (("--stage", "prod"), "built")):
                payload = json.dumps(held(name))
                devbridge("invoke", "waits", "--local", *stage, "--payload", payload)
            functions = root_client(endpoint_of(app), "lambda")
            outputs = devbridge("outputs", "--local", "--stage", "prod", "--json")
            name = json.loads(outputs)["HoldsFunction"]
            call = {"FunctionName": name, "Payload": json.dumps(held("called"))}
            caller = threading.Thread(target=lambda: functions.invoke(**call))
            caller.start()
            for started in ("live", "built", "called"):
                eventually((place / started).exists, 60)
            pids = [int(line.split()[0]) for line in processes_of(app)]
            yield Everything(app, temporary, [psutil.Process(pid) for pid in {dev.pid, *pids}])
            (place / "until").touch()
            caller.join(60)
    finally:
        subprocess.run(
            [sys.executable, "-m", "devbridge", "cloud", "stop"],
            cwd=app,
            env=environment,
            check=False,
        )
        shutil.rmtree(place)


def test_all_that_listens_is_on_loopback(everything: Everything) -> None:
    listeners = everything.listeners()
    commands = sorted(listeners.values())
    assert {address for address, _ in listeners} == {"127.0.0.1"}, listeners
    # dev's Runtime APIs, of jobs and of functions, its console, the cloud, the build's Runtime API,
    # and nothing else.
    assert len(listeners) == 5, commands
    assert everything.cloud_port in {port for _, port in listeners}


def requests(port: int) -> Iterator[tuple[str, str]]:
    """What a stranger tries: a name, and the request."""
    own = f"127.0.0.1:{port}"
    paths = [
        "GET /",
        "POST /",
        "OPTIONS /",
        "PUT /x/y",
        "GET /_devbridge/health",
        "GET /_ministack/health",
        "POST /_ministack/reset",
        "GET /_devbridge/credentials",
        "GET /credentials/x",
        "GET /2018-06-01/runtime/invocation/next",
        "GET //2018-06-01/runtime/invocation/next",
        "POST /2018-06-01/runtime/init/error",
        "POST /2015-03-31/functions",
        "GET /mqtt",
    ]
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n"
    )
    test = "AWS4-HMAC-SHA256 Credential=test/20261125/us-east-1/ssm/aws4_request, "
    extra = {
        "": "",
        "foreign Origin": "Origin: https://evil.example\r\n",
        "no Origin": "Origin: null\r\n",
        "preflight": "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
        "test's key": f"Authorization: {test}SignedHeaders=host, Signature=0\r\n",
        "some token": "Authorization: x\r\n",
        "WebSocket": upgrade,
        "WebSocket of a page": f"{upgrade}Origin: https://evil.example\r\n",
        "HTTP/2": "Upgrade: h2c\r\nHTTP2-Settings: AA\r\nConnection: Upgrade, HTTP2-Settings\r\n",
    }
    for host in (
        own,
        "evil.example",
        f"x.iot.us-east-1.localhost:{port}",
        "x.iot.us-east-1.localhost",
    ):
        for path in paths:
            for name, headers in extra.items():
                text = f"{path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: 0\r\n\r\n"
                yield (
                    f"{path} {host} {name}",
                    text.replace("\r\nContent-Length: 0", "") if ("Upgrade" in headers) else text,
                )


def first_line(port: int, request: str) -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request.encode())
        try:
            return connection.makefile("rb").readline().decode("latin-1").strip()
        except OSError:
            return ""


def attempts(port: int) -> dict[str, str]:
    return {name: first_line(port, request) for name, request in requests(port)}


def served(answers: Mapping[str, str]) -> set[str]:
    return {
        name for name, line in answers.items() if line and line.split()[1][:1] in ("1", "2", "3")
    }


@needs_another_user
def test_another_user_and_a_foreign_page_get_nothing_from_any_port(everything: Everything) -> None:
    for _, port in everything.listeners():
        answers = as_nobody(partial(attempts, port))
        assert len(answers) > 400
        allowed = set()
        if port == everything.cloud_port:
            names = ("127.0.0.1", "x.iot.us-east-1.localhost")
            allowed = {
                f"{door} {name}:{port} {way}"
                for door in DOORS
                for name in names
                for way in ("", "some token", "HTTP/2", "test's key")
            }
        assert served(answers) <= allowed, port
    # ... but what is an API's own is everybody's.
    port = everything.cloud_port
    for api in root_client(endpoint_of(everything.app), "apigatewayv2").get_apis()["Items"]:
        host = f"{api['ApiId']}.execute-api.localhost:{port}"
        request = f"GET /open HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\r\n"
        assert " 200 " in as_nobody(partial(first_line, port, request))


def readable(paths: list[str]) -> list[str]:
    found = []
    for path in paths:
        try:
            if stat.S_ISSOCK(Path(path).stat().st_mode):
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(path)
            else:
                Path(path).read_bytes()
            found.append(path)
        except OSError:
            pass
    return found


@needs_another_user
def test_another_user_reads_no_file_and_no_process(everything: Everything) -> None:
    files = [
        str(path)
        for folder in (everything.app / ".devbridge", everything.temporary)
        for path in folder.rglob("*")
        if not path.is_dir()
    ]
    sockets = {
        str(connection.laddr)
        for process in everything.processes
        for connection in process.net_connections("unix")
        if isinstance(connection.laddr, str) and connection.laddr.startswith("/")
    }
    private = [
        f"/proc/{process.pid}/{name}"
        for process in everything.processes
        for name in ("environ", "maps", "mem")
    ]
    assert any(path.endswith("root-key.json") for path in files)
    assert as_nobody(lambda: readable([*files, *sockets, *private])) == []


def test_what_everybody_sees_of_a_process_has_no_secret(everything: Everything) -> None:
    key = keys.root_key(everything.app / ".devbridge" / "cloud")
    assert key
    secrets = {key.secret_key, key.access_key}
    for process in everything.processes:
        environment = process.environ()
        secrets |= {
            value
            for name, value in environment.items()
            if name.startswith(("AWS_", "DEVBRIDGE_"))
            and any(part in name for part in ("SECRET_ACCESS", "SESSION_TOKEN", "AUTHORIZATION"))
        }
        # The root key is in no environment at all.
        assert key.secret_key not in json.dumps(environment)
    assert len(secrets) > 3
    seen = " ".join(" ".join(process.cmdline()) for process in everything.processes)
    assert not [secret for secret in secrets if secret in seen]


def test_what_the_state_has_is_closed_to_others_by_itself(everything: Everything) -> None:
    state = everything.app / ".devbridge"
    ours = [state, *(path for path in state.rglob("*") if path.exists())]
    open_ = {str(path.relative_to(state)) for path in ours if path.stat().st_mode & 0o077}
    # What a build unpacks has the modes that its zip gives; it is below a closed folder.
    unpacked = {path for path in open_ if path.startswith("cloud/tmp/")}
    assert open_ - unpacked <= {".gitignore"}
    assert stat.S_IMODE((state / "cloud" / "tmp").stat().st_mode) == 0o700
    key = keys.root_key(state / "cloud")
    assert key
    holding = [
        path for path in ours if path.is_file() and key.secret_key.encode() in path.read_bytes()
    ]
    assert holding == [state / "cloud" / "root-key.json"]
