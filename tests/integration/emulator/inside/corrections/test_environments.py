"""What a function on the embedded cloud has for itself, and what of that outlives it: nothing."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import Stack, allow, function, role, wait_for
from tests.waiting import eventually

CODE: Final = """\
import os, subprocess, sys, tempfile, time
CHILD = [sys.executable, "-c", "import time; print('from the child', flush=True); time.sleep(60)"]
def handler(event, context):
    if event["do"] == "tell":
        return {
            "left": context.get_remaining_time_in_millis(),
            "log": [context.log_group_name, context.log_stream_name],
            "temporary": tempfile.gettempdir(),
            "pid": os.getpid(),
        }
    grandchild = ["/bin/sh", "-c", "sleep 60 & echo $!; wait"]
    shell = subprocess.Popen(grandchild, stdout=subprocess.PIPE, start_new_session=True, text=True)
    own = subprocess.Popen(CHILD, start_new_session=True)
    pids = [own.pid, shell.pid, int(shell.stdout.readline())]
    with open(event["file"] + ".new", "w") as file:
        print(*pids, file=file)
    os.rename(event["file"] + ".new", event["file"])
    if event["do"] == "die":
        time.sleep(0.3)
        os._exit(3)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def stack(shared_cloud: Running) -> Stack:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "environments")
    resources = {
        "Role": role(allow("logs:*")),
        "Long": function(CODE, Timeout=900),
        "Short": function(CODE, Timeout=1),
    }
    assert made.deploy(resources) == ("CREATE_COMPLETE", "")
    return made


def call(stack: Stack, title: str, **event: Any) -> Any:
    answer = stack.client("lambda").invoke(
        FunctionName=stack.resource(title), Payload=json.dumps(event)
    )
    return json.load(answer["Payload"])


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except ProcessLookupError:
        return True


def test_it_has_900_seconds_and_knows_how_many_are_left(stack: Stack) -> None:
    left = call(stack, "Long", do="tell")["left"]
    assert 899_000 < left <= 900_000


def test_its_log_is_in_the_stream_that_it_is_told(stack: Stack) -> None:
    group, stream = call(stack, "Long", do="tell")["log"]
    assert group == f"/aws/lambda/{stack.resource('Long')}"
    assert stream.startswith(time.strftime("%Y/%m/%d/[$LATEST]", time.gmtime()))
    events = stack.client("logs").get_log_events(logGroupName=group, logStreamName=stream)
    assert events["events"][0]["message"].startswith("START RequestId")


def test_each_has_a_temporary_folder_for_its_life(stack: Stack) -> None:
    first, again, other = (call(stack, title, do="tell") for title in ("Long", "Long", "Short"))
    assert first["pid"] == again["pid"]
    assert first["temporary"] == again["temporary"] != other["temporary"]
    assert Path(first["temporary"]).is_dir()
    name = stack.resource("Short")
    stack.client("lambda").update_function_configuration(FunctionName=name, Timeout=2)
    wait_for(lambda: not Path(other["temporary"]).exists() or None)
    assert is_gone(other["pid"])


@pytest.mark.parametrize("do", ["sleep", "die"])
def test_its_processes_end_with_it_and_have_written_into_its_log(
    stack: Stack, do: str, tmp_path: Path
) -> None:
    file = tmp_path / "pids"
    answer = call(stack, "Short", do=do, file=str(file))
    kinds = {"sleep": "Sandbox.Timedout", "die": "Runtime.ExitError"}
    assert answer["errorType"] == kinds[do]
    pids = [int(pid) for pid in file.read_text().split()]
    assert len(pids) == 3
    wait_for(lambda: all(is_gone(pid) for pid in pids) or None)
    group = f"/aws/lambda/{stack.resource('Short')}"
    found = stack.client("logs").filter_log_events(logGroupName=group)["events"]
    assert "from the child" in [event["message"].strip() for event in found[-6:]]


def test_an_update_ends_no_invocation_that_is_under_way(
    shared_cloud: Running, tmp_path: Path
) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    code = f"""\
import os, time
def handler(event, context):
    if event["do"] == "wait":
        open({str(begun)!r}, "w").close()
        while not os.path.exists({str(go)!r}):
            time.sleep(0.01)
    return [os.environ["SAYS"], os.getpid()]
"""
    made = Stack(shared_cloud.endpoint_url, "updated")

    def deploy(says: str, *, update: bool = False) -> tuple[str, str]:
        variables = {"Variables": {"SAYS": says}}
        long = function(code, Timeout=60, Environment=variables)
        return made.deploy({"Role": role(allow("logs:*")), "Long": long}, update=update)

    assert deploy("one") == ("CREATE_COMPLETE", "")
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(call, made, "Long", do="wait")
        eventually(begun.exists)
        assert deploy("other", update=True) == ("UPDATE_COMPLETE", "")
        assert call(made, "Long", do="tell")[0] == "other"
        go.touch()
        says, pid = waits.result(60)
    assert says == "one"
    eventually(lambda: is_gone(pid))
