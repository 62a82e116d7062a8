"""The embedded cloud as a process: where it listens, what it keeps, and that it goes."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from devbridge.cloud.session import connect
from devbridge.config import Config
from devbridge.emulator import embedded as module
from devbridge.emulator import install as installation
from devbridge.emulator import ports
from devbridge.emulator.embedded import EmbeddedCloud, open_cloud, start_detached, stop_running
from devbridge.emulator.state import Running, attach, healthy
from devbridge.emulator.users import users_of
from devbridge.errors import EmbeddedCloudFailed, PortTaken
from devbridge.transport import sigv4
from tests.waiting import eventually, gone

MakeConfig = Callable[..., Config]
ROLE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def silent(line: str) -> None:
    pass


def family(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


@pytest.fixture
def opened(make_config: MakeConfig) -> Iterator[Callable[..., EmbeddedCloud]]:
    """Opens the embedded cloud of a folder, and stops what the test has left running."""
    clouds: list[EmbeddedCloud] = []

    def open_(**settings: Any) -> EmbeddedCloud:
        cloud = open_cloud(make_config(**settings), silent)
        clouds.append(cloud)
        return cloud

    yield open_
    for cloud in clouds:
        cloud.stop()


def make_function(cloud: EmbeddedCloud, config: Config, source: str) -> Any:
    """Create the function `f` from `source` and return the client to invoke it with."""
    aws = connect(config, cloud.running.endpoint_url)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("index.py", textwrap.dedent(source))
    role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(ROLE))
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName="f",
        Role=role["Role"]["Arn"],
        Handler="index.handler",
        Runtime="python3.11",
        Timeout=60,
        Code={"ZipFile": body.getvalue()},
    )
    return functions


def invoke(functions: Any) -> Any:
    return json.loads(functions.invoke(FunctionName="f", Payload=b"{}")["Payload"].read())


IDLE = "def handler(event, context):\n    return 1\n"


def test_it_listens_on_loopback_only(opened: Callable[..., EmbeddedCloud]) -> None:
    cloud = opened()
    listening = [
        connection.laddr
        for process in family(cloud.running.pid)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
    ]
    assert listening == [("127.0.0.1", cloud.running.port)]


def test_it_is_in_a_session_of_its_own_so_that_ctrl_c_is_not_for_it(
    opened: Callable[..., EmbeddedCloud],
) -> None:
    pid = opened().running.pid
    assert os.getsid(pid) == os.getpgid(pid) == pid


def test_what_was_made_before_is_there_again_on_the_same_port(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig
) -> None:
    first = opened()
    s3 = connect(make_config(), first.running.endpoint_url).client("s3")
    s3.create_bucket(Bucket="before")
    s3.put_object(Bucket="before", Key="k", Body=b"v")
    assert first.stop()
    second = opened()
    assert second.running.port == first.running.port
    s3 = connect(make_config(), second.running.endpoint_url).client("s3")
    assert s3.get_object(Bucket="before", Key="k")["Body"].read() == b"v"


def test_everything_it_writes_is_the_user_s_alone(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig
) -> None:
    config = make_config()
    cloud = opened()
    invoke(make_function(cloud, config, IDLE))
    connect(config, cloud.running.endpoint_url).client("s3").create_bucket(Bucket="bucket")
    paths = {config.state_dir, *config.state_dir.rglob("*")}
    cloud.stop()
    paths.update(config.state_dir.rglob("*"))
    wide = [path for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert [path for path in wide if path.name != ".gitignore"] == []


def test_stopping_leaves_no_function_no_temporary_file_and_no_state_file(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig
) -> None:
    config = make_config()
    cloud = opened()
    assert invoke(make_function(cloud, config, IDLE)) == 1
    processes = family(cloud.running.pid)
    assert len(processes) > 1
    assert list((config.cloud_dir / "tmp").iterdir())
    assert cloud.stop()
    eventually(lambda: gone(*processes))
    assert not (config.cloud_dir / "tmp").exists()
    assert not (config.cloud_dir / "state.json").exists()
    assert attach(config) is None
    assert cloud.stop()


def test_a_function_that_is_busy_and_ignores_sigterm_neither_delays_the_stop_nor_survives_it(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config()
    cloud = opened()
    started = tmp_path / "started"
    functions = make_function(
        cloud,
        config,
        f"""
        import pathlib, signal, time
        def handler(event, context):
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            pathlib.Path({str(started)!r}).touch()
            time.sleep(50)
        """,
    )
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    eventually(started.exists)
    processes = family(cloud.running.pid)
    assert cloud.stop()  # not killed: the state is saved
    eventually(lambda: gone(*processes))
    again = opened()
    functions = connect(config, again.running.endpoint_url).client("lambda")
    assert [f["FunctionName"] for f in functions.list_functions()["Functions"]] == ["f"]


def test_a_request_that_waits_for_a_function_does_not_delay_the_stop(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig, tmp_path: Path
) -> None:
    cloud = opened()
    started = tmp_path / "started"
    functions = make_function(
        cloud,
        make_config(),
        f"""
        import pathlib, time
        def handler(event, context):
            pathlib.Path({str(started)!r}).touch()
            time.sleep(50)
        """,
    )

    def request() -> None:
        with suppress(BotoCoreError, ClientError, ValueError):  # whatever the answer is
            invoke(functions)

    waiting = threading.Thread(target=request)
    waiting.start()
    eventually(started.exists)
    assert cloud.stop()
    waiting.join(20)
    assert not waiting.is_alive()


def test_an_event_that_a_function_had_when_it_was_stopped_comes_again(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig, tmp_path: Path
) -> None:
    config, first = make_config(), opened()
    source = """
        import os, time
        def handler(event, context):
            with open(event["file"], "a") as file:
                print(context.aws_request_id, file=file)
            if not os.path.exists(event["go"]):
                time.sleep(60)
    """
    functions, file = make_function(first, config, source), tmp_path / "calls"
    event = {"file": str(file), "go": str(tmp_path / "go")}
    answer = functions.invoke(
        FunctionName="f", InvocationType="Event", Payload=json.dumps(event).encode()
    )
    eventually(lambda: file.exists() and file.read_text() != "")
    assert first.stop()
    (tmp_path / "go").touch()
    opened()
    eventually(lambda: file.read_text().count("\n") == 2)
    assert set(file.read_text().split()) == {answer["ResponseMetadata"]["RequestId"]}


def test_an_open_connection_does_not_delay_the_stop(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig
) -> None:
    cloud = opened()
    root = connect(make_config(), cloud.running.endpoint_url)
    endpoint = root.iot_endpoint()
    assert endpoint.dial
    path = sigv4.signed_path(endpoint, root.aws_credentials())
    with socket.create_connection(endpoint.dial, timeout=10) as client:
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {endpoint.host}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert b" 101 " in client.recv(4096)
        assert cloud.stop()


def test_it_lives_as_long_as_one_uses_it_whoever_started_it(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig
) -> None:
    first, second = opened(), opened()
    assert first.owned
    assert not second.owned
    assert second.running == first.running == attach(make_config())
    assert first.stop()
    assert healthy(first.running.port)
    assert second.failure() is None
    third = opened()
    assert third.running == first.running
    assert second.stop()
    assert healthy(first.running.port)
    assert third.stop()
    assert not healthy(first.running.port)
    assert not (make_config().cloud_dir / "tmp").exists()
    assert attach(make_config()) is None


def test_each_user_is_named_until_it_has_gone(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig
) -> None:
    folder = make_config().cloud_dir
    first = opened(stage="one")
    assert users_of(folder) == [f"devbridge of stage one, pid {os.getpid()}"]
    second = opened(stage="two")
    assert len(users_of(folder)) == 2
    assert first.stop()
    assert users_of(folder) == [f"devbridge of stage two, pid {os.getpid()}"]
    assert second.stop()
    assert users_of(folder) == []
    (folder / "user-999999999-7").write_text("one that was killed")
    assert users_of(folder) == []


USER = """
import signal, sys
from pathlib import Path
from devbridge.emulator.embedded import open_cloud
from devbridge.config import Config
config = Config(root=Path(sys.argv[1]), stage="test", python=Path(sys.executable))
cloud = open_cloud(config, lambda line: None)
print("in use", flush=True)
signal.pause()
"""


@contextmanager
def user(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that uses the cloud of a folder until it is killed."""
    with subprocess.Popen([sys.executable, "-c", USER, folder], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"in use\n"
            yield process
        finally:
            process.kill()


def test_whichever_user_is_killed_it_ends_with_the_last_and_not_before(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    with user(tmp_path) as first, user(tmp_path) as second, user(tmp_path) as third:
        running = attach(make_config())
        assert running
        for killed in (first, third):
            killed.kill()
            killed.wait()
            assert healthy(running.port)
        processes = family(running.pid)
        second.kill()
        eventually(lambda: gone(*processes))
    assert attach(make_config()) is None


def test_users_that_come_and_go_at_once_always_find_a_cloud_and_leave_none(
    make_config: MakeConfig,
) -> None:
    config, problems = make_config(), []

    def use() -> None:
        for _ in range(3):
            cloud = open_cloud(config, silent)
            if not healthy(cloud.running.port):
                problems.append(f"{cloud.running} does not answer")
            if not cloud.stop():
                problems.append(f"{cloud.running} was killed")

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert attach(config) is None
    assert not (config.cloud_dir / "tmp").exists()


def test_a_cloud_that_an_older_devbridge_has_started_is_not_used(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig
) -> None:
    opened()
    state = make_config().cloud_dir / "state.json"
    older = json.loads(state.read_text())
    del older["code"]
    state.write_text(json.dumps(older))
    with pytest.raises(EmbeddedCloudFailed, match="another version of devbridge"):
        opened()


def test_of_two_that_start_at_once_one_starts_it(make_config: MakeConfig) -> None:
    clouds: list[EmbeddedCloud] = []
    config = make_config()
    threads = [
        threading.Thread(target=lambda: clouds.append(open_cloud(config, silent))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert sorted(cloud.owned for cloud in clouds) == [False, True]
        assert clouds[0].running == clouds[1].running
        # The thread that started it has ended; the cloud has not.
        assert healthy(clouds[0].running.port)
    finally:
        for cloud in clouds:
            cloud.stop()


def test_its_death_is_noticed_with_the_log_s_last_lines(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig
) -> None:
    cloud = opened()
    assert cloud.failure() is None
    os.kill(cloud.running.pid, signal.SIGKILL)
    eventually(lambda: cloud.failure() is not None)
    failure = cloud.failure()
    assert failure is not None
    assert "has ended by itself, after:" in failure.what
    assert failure.where == str(make_config().cloud_dir / "ministack.log")
    assert attach(make_config()) is None
    assert opened().owned


def test_it_does_not_outlive_a_parent_that_is_killed_and_saves_its_state(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config()
    script = f"""
import signal, sys
from pathlib import Path
from devbridge.emulator.embedded import open_cloud
from devbridge.config import Config
config = Config(root=Path({str(tmp_path)!r}), stage="test", python=Path(sys.executable))
cloud = open_cloud(config, lambda line: None)
print("started", flush=True)
signal.pause()
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"started\n"
        running = attach(config)
        assert running
        cloud = EmbeddedCloud(running, config.cloud_dir)
        assert invoke(make_function(cloud, config, IDLE)) == 1
        processes = family(running.pid)
        assert len(processes) > 1
        parent.kill()
    eventually(lambda: gone(*processes))
    assert not (config.cloud_dir / "tmp").exists()
    assert attach(config) is None
    again = opened()
    assert again.owned
    functions = connect(config, again.running.endpoint_url).client("lambda")
    assert invoke(functions) == 1


def test_an_interrupt_while_it_stops_kills_at_once(
    opened: Callable[..., EmbeddedCloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = opened()
    process = cloud.process
    assert process
    processes = family(process.pid)
    wait = process.wait
    interrupted = False

    def wait_once(timeout: float | None = None) -> int:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt
        return wait(timeout)

    monkeypatch.setattr(process, "wait", wait_once)
    with pytest.raises(KeyboardInterrupt):
        cloud.stop()
    eventually(lambda: gone(*processes))


def test_a_port_that_is_taken_is_refused_and_nothing_is_left(
    opened: Callable[..., EmbeddedCloud], make_config: MakeConfig
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(PortTaken):
        opened(port=server.getsockname()[1])
    assert opened().owned


def test_a_port_that_was_asked_for_is_used(opened: Callable[..., EmbeddedCloud]) -> None:
    port = ports.free_port()
    assert opened(port=port).running.port == port


def test_a_cloud_that_ends_while_starting_shows_why(
    opened: Callable[..., EmbeddedCloud], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ImportError: no module named hypercorn'\nexit 1\n")
    python.chmod(0o755)
    calls: list[bool] = []

    def install(base: Path, on_progress: object, *, again: bool = False) -> Path:
        calls.append(again)
        return python

    monkeypatch.setattr(module, "install", install)
    with pytest.raises(EmbeddedCloudFailed) as caught:
        opened()
    assert "ImportError: no module named hypercorn" in caught.value.what
    assert calls == [False, True]  # the environment was checked, and made anew if it was broken


def test_a_broken_environment_is_made_again_and_then_it_starts(
    opened: Callable[..., EmbeddedCloud], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    install = installation.install

    def install_(base: Path, on_progress: Any, *, again: bool = False) -> Path:
        return install(base, on_progress, again=True) if again else broken

    monkeypatch.setattr(module, "install", install_)
    assert opened().owned


# detached


@pytest.fixture
def detached(make_config: MakeConfig) -> Iterator[Callable[..., Running]]:
    """Starts the detached cloud of the test's folder, which is stopped when the test ends."""

    def start(**settings: Any) -> Running:
        return start_detached(make_config(**settings), silent)

    yield start
    with suppress(EmbeddedCloudFailed):
        stop_running(make_config())


SCRIPT = """
import sys
from pathlib import Path
from devbridge.emulator.embedded import start_detached
from devbridge.config import Config
config = Config(root=Path(sys.argv[1]), stage="test", python=Path(sys.executable))
print(start_detached(config, lambda line: None).pid, flush=True)
"""


def test_a_detached_cloud_stays_when_its_starter_ends_and_is_stopped_with_its_state_saved(
    detached: Callable[..., Running], make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config()
    started = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path], capture_output=True, text=True, check=True
    )
    running = attach(config)
    assert running
    assert running.detached
    assert running.pid == int(started.stdout)
    cloud = EmbeddedCloud(running, config.cloud_dir)
    assert invoke(make_function(cloud, config, IDLE)) == 1
    processes = family(running.pid)
    assert detached() == running  # a second start attaches
    opened = open_cloud(config, silent)
    assert opened.stop()  # who has attached does not stop it
    assert cloud.failure() is None
    assert healthy(running.port)
    assert stop_running(config)
    eventually(lambda: gone(*processes))
    assert not (config.cloud_dir / "tmp").exists()
    assert attach(config) is None
    assert cloud.failure() is not None
    assert not stop_running(config)
    again = detached()
    assert again.port == running.port
    functions = connect(config, again.endpoint_url).client("lambda")
    assert invoke(functions) == 1


def test_a_detached_cloud_whose_folder_is_deleted_ends(
    detached: Callable[..., Running], make_config: MakeConfig
) -> None:
    processes = family(detached().pid)
    shutil.rmtree(make_config().cloud_dir, ignore_errors=True)
    eventually(lambda: gone(*processes))


def test_of_two_starts_at_once_there_is_one_detached_cloud(
    detached: Callable[..., Running],
) -> None:
    found: list[Running] = []
    threads = [threading.Thread(target=lambda: found.append(detached())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0].pid == found[1].pid


def test_a_cloud_that_a_command_uses_is_not_stopped_by_another(
    opened: Callable[..., EmbeddedCloud], detached: Callable[..., Running], make_config: MakeConfig
) -> None:
    cloud = opened()
    assert detached().pid == cloud.running.pid
    with pytest.raises(EmbeddedCloudFailed, match="is in use") as caught:
        stop_running(make_config())
    assert f"devbridge of stage test, pid {os.getpid()}" in str(caught.value.where)
    assert healthy(cloud.running.port)
    assert cloud.stop()
    assert healthy(cloud.running.port)  # it was told to stay
    assert stop_running(make_config())


def test_the_state_of_a_detached_cloud_that_was_killed_is_stale(
    detached: Callable[..., Running], make_config: MakeConfig
) -> None:
    config = make_config()
    running = detached()
    os.kill(running.pid, signal.SIGKILL)
    state = config.cloud_dir / "state.json"
    eventually(lambda: attach(config) is None and not state.exists())
    assert not stop_running(config)
    assert detached().pid != running.pid


def test_a_detached_cloud_that_hangs_is_killed_and_that_is_said(
    detached: Callable[..., Running], make_config: MakeConfig
) -> None:
    config = make_config()
    running = detached()
    processes = family(running.pid)
    os.kill(running.pid, signal.SIGSTOP)
    with pytest.raises(EmbeddedCloudFailed, match="did not stop within"):
        stop_running(config, timeout=0.2)
    eventually(lambda: gone(*processes))
    assert detached().pid != running.pid


def test_nothing_is_stopped_in_a_folder_that_never_had_a_cloud(make_config: MakeConfig) -> None:
    assert not stop_running(make_config())
