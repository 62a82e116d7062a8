"""What else of the embedded cloud would listen."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from devbridge.config import Config
from devbridge.emulator import process
from devbridge.emulator.embedded import embedded_cloud
from devbridge.emulator.ports import free_port
from devbridge.emulator.state import Running
from tests.integration.emulator.inside.world import ROLE, Ask, World
from tests.waiting import eventually

BOOTSTRAP = """\
#!{python}
import os, sys, time, urllib.request
from pathlib import Path
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
with urllib.request.urlopen(api + "next") as answer:
    run, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], answer.read()
Path("{started}").touch()
while not Path("{until}").exists():
    time.sleep(0.02)
urllib.request.urlopen(api + run + "/response", event).read()
"""


def listening(pid: int) -> set[tuple[str, int]]:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_the_runtime_api_of_a_custom_runtime_is_for_its_function_alone(
    world: World, shared_cloud: Running, tmp_path: Path
) -> None:
    places = {name: tmp_path / name for name in ("started", "until")}
    archive, entry = io.BytesIO(), zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(entry, BOOTSTRAP.format(python=sys.executable, **places))
    functions = world.client("lambda")
    functions.create_function(
        FunctionName="custom",
        Runtime="provided.al2023",
        Role=ROLE,
        Handler="bootstrap",
        Code={"ZipFile": archive.getvalue()},
    )
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(functions.invoke, FunctionName="custom", Payload=b'{"a": 1}')
        eventually(places["started"].exists)
        others = {each for each in listening(shared_cloud.pid) if each[1] != world.port}
        try:
            assert {address for address, _ in others} == {"127.0.0.1"}
            for _, port in others:
                stranger = World(f"http://127.0.0.1:{port}")
                for path in ("", "/x", "/"):
                    ask = Ask("GET", f"{path}/2018-06-01/runtime/invocation/next")
                    assert stranger.send(ask).status == 403
                forged = Ask("POST", "/2018-06-01/runtime/init/error", b"{}")
                assert stranger.send(forged).status == 403
        finally:
            places["until"].touch()
        assert json.load(call.result()["Payload"]) == {"a": 1}


def test_what_would_listen_on_all_interfaces_listens_on_loopback(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    mtls = free_port()
    made = process.cloud_environment

    def with_mtls(*arguments: Any) -> dict[str, str]:
        return {**made(*arguments), "IOT_MTLS_ENABLED": "1", "IOT_MTLS_PORT": str(mtls)}

    monkeypatch.setattr(process, "cloud_environment", with_mtls)
    with embedded_cloud(make_config(), lambda _: None) as cloud:
        pid, port = cloud.running.pid, cloud.running.port
        eventually(lambda: len(listening(pid)) == 2)
        assert listening(pid) == {("127.0.0.1", port), ("127.0.0.1", mtls)}
