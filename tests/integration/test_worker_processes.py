"""Real worker processes, fresh and forked, against the real Runtime API."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from devbridge.environment import inherited
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.runs.model import Exit
from devbridge.workers.base import FreshLauncher, Launcher
from tests.integration.workers import PYTHON, Bench, bench, developer

_LAUNCHERS = [
    "fresh",
    pytest.param("zygote", marks=pytest.mark.skipif(sys.platform != "linux", reason="linux only")),
]


class Credentials:
    async def get(self, role_arn: str) -> dict[str, str]:
        return {
            "AccessKeyId": "AKIAROLE",
            "SecretAccessKey": "secret",
            "Token": role_arn,
            "Expiration": "2099-01-01T00:00:00Z",
        }


@pytest.fixture(params=_LAUNCHERS)
async def workbench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    def launcher() -> Launcher:
        if request.param == "fresh":
            return FreshLauncher()
        return ZygoteLauncher(PYTHON, inherited(developer()))

    async with bench(tmp_path, launcher, Credentials()) as one:
        yield one


async def test_a_handler_gets_its_payload_and_answers(workbench: Bench) -> None:
    worker = await workbench.launch("""
        print("loaded")
        def handler(payload):
            print("got", payload)
            return {"twice": payload * 2}
    """)
    await worker.run(b'"\xe2\x82\xac"')
    assert json.loads(await worker.result()) == {"twice": "€€"}
    assert await worker.exit() == Exit(code=0)
    assert await worker.output() == "loaded\ngot €\n"


@pytest.mark.parametrize("payload", [b"0", b"false", b'""', b"null", b"[]", b'"\xe2\x80\xa8"'])
async def test_every_json_value_goes_through(workbench: Bench, payload: bytes) -> None:
    worker = await workbench.launch("def handler(payload): return payload")
    await worker.run(payload)
    assert await worker.result() == payload


async def test_a_second_parameter_gets_a_lambda_like_context(workbench: Bench) -> None:
    worker = await workbench.launch("""
        def handler(payload, context):
            return [context.aws_request_id, context.function_name, context.job_name,
                    context.attempt, context.max_attempts, context.memory_limit_in_mb,
                    context.invoked_function_arn, context.client_context.custom["job"],
                    0 < context.get_remaining_time_in_millis() <= 60_000]
    """)
    await worker.run(attempt="2", max_attempts="3")
    arn = "arn:aws:codebuild:eu-west-1:1:project/p"
    expected = [f"job-of-{worker.id}", "factorial", "factorial", 2, 3, 3072, arn, "factorial", True]
    assert json.loads(await worker.result()) == expected


async def test_an_asynchronous_handler_is_run(workbench: Bench) -> None:
    worker = await workbench.launch("""
        import asyncio
        async def handler(payload):
            await asyncio.sleep(0)
            return payload + 1
    """)
    await worker.run(b"1")
    assert await worker.result() == b"2"


async def test_the_modules_that_it_imported_are_reported(
    workbench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    helper = workbench.write("lib/maths.py", "ONE = 1")
    installed = workbench.write(".venv/lib/python3/site-packages/thing.py", "")
    beside = tmp_path_factory.mktemp("libraries") / "beside.py"
    beside.write_text("")
    worker = await workbench.launch(f"""
        import sys
        sys.path += [{str(installed.parent)!r}, {str(beside.parent)!r}]
        import thing, msgspec, lib.maths, beside
        def handler(payload): ...
    """)
    modules = await workbench.said.wait("modules", worker.id)
    assert modules.user_files == {helper, workbench.root / "jobs/factorial.py"}
    assert "msgspec" in modules.third_party
    assert {"thing", "beside"} <= set(modules.third_party)
    assert not [name for name in modules.third_party if name.split(".")[0] in ("json", "runner")]


async def test_an_exception_is_reported_with_the_users_frames(workbench: Bench) -> None:
    worker = await workbench.launch("""
        import json
        def handler(payload):
            return parse("{")
        def parse(text):
            return json.loads(text)
    """)
    await worker.run()
    failure = await worker.failure()
    assert failure.type == "JSONDecodeError"
    assert failure.frames == (
        'File "jobs/factorial.py", line 4, in handler\n    return parse("{")',
        'File "jobs/factorial.py", line 6, in parse\n    return json.loads(text)',
    )
    assert failure.trace[0] == "Traceback (most recent call last):"
    assert "jobs/factorial.py" in failure.trace[1]
    assert await worker.exit() == Exit(code=0)


@pytest.mark.parametrize(
    ("code", "type_", "message"),
    [
        ("sys.exit(3)", "SystemExit", "sys.exit(3)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("return handler(payload)", "RecursionError", "maximum recursion depth"),
        ("return {'a': [1, {2, 3}]}", "ResultNotJson", "result['a'][1] is of type set"),
        ("return float('nan')", "ResultNotJson", "result is nan"),
        ("return 'x' * 7_000_000", "ResultTooLarge", "over 6356992 bytes"),
    ],
)
async def test_other_ends_are_reported_as_what_they_are(
    workbench: Bench, code: str, type_: str, message: str
) -> None:
    worker = await workbench.launch(f"import sys\ndef handler(payload):\n    {code}\n")
    await worker.run()
    failure = await worker.failure()
    assert failure.type == type_
    assert message in failure.message
    assert len(failure.frames) <= 41
    codes = {"SystemExit": 3, "KeyboardInterrupt": 130}
    assert await worker.exit() == Exit(code=codes.get(type_, 0))


@pytest.mark.parametrize(
    ("code", "type_", "message", "frames"),
    [
        ("import nothing_like_it", "ModuleNotFoundError", "nothing_like_it", 1),
        ("1 / 0", "ZeroDivisionError", "division by zero", 1),
        ("def other(): ...", "HandlerNotFound", 'no function "handler"; it has: other', 0),
        ("raise SystemExit(2)", "SystemExit", "sys.exit(2)", 1),
    ],
)
async def test_a_handler_that_cannot_be_loaded_is_an_init_error(
    workbench: Bench, code: str, type_: str, message: str, frames: int
) -> None:
    worker = await workbench.launch(code)
    failure = await worker.init_failure()
    assert (failure.type, len(failure.frames)) == (type_, frames)
    assert message in failure.message
    assert await worker.exit() == Exit(code=2 if type_ == "SystemExit" else 1)


async def test_a_syntax_error_has_file_line_and_caret(workbench: Bench) -> None:
    worker = await workbench.launch("def handler(payload):\n    retrun payload\n")
    failure = await worker.init_failure()
    assert failure.type == "SyntaxError"
    frame = 'File "jobs/factorial.py", line 2\n    retrun payload\n           ^^^^^^^'
    assert failure.frames[-1] == frame


async def test_a_handler_file_that_does_not_exist_is_named(workbench: Bench) -> None:
    worker = await workbench.launch(handler="jobs/missing.handler")
    failure = await worker.init_failure()
    assert failure.type == "HandlerNotFound"
    assert "there is no file jobs/missing.py" in failure.message


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("os._exit(7)", Exit(code=7)),
        ("os.kill(os.getpid(), signal.SIGKILL)", Exit(signal=signal.SIGKILL)),
        ("os.kill(os.getpid(), signal.SIGTERM)", Exit(signal=signal.SIGTERM)),
        ("import ctypes; ctypes.string_at(0)", Exit(signal=signal.SIGSEGV)),
    ],
)
async def test_a_crash_is_an_exit_without_an_answer(
    workbench: Bench, code: str, expected: Exit
) -> None:
    worker = await workbench.launch(f"import os, signal\ndef handler(payload):\n    {code}\n")
    await worker.run()
    assert await worker.exit() == expected
    assert not workbench.said.of("responded", worker.id)
    assert not workbench.said.of("failed", worker.id)
    assert not psutil.pid_exists(worker.process.pid)
    if expected.signal == signal.SIGSEGV:
        assert "jobs/factorial.py" in await worker.output()


@pytest.mark.parametrize("code", ["sys.stdout.close()", "os.close(1)", "sys.stdout = None"])
async def test_a_handler_that_closed_its_output_still_answers(workbench: Bench, code: str) -> None:
    worker = await workbench.launch(f"""
        import os, sys
        def handler(payload):
            print("no newline", end="")
            {code}
            return 1
    """)
    await worker.run()
    assert await worker.result() == b"1"
    assert await worker.exit() == Exit(code=0)


async def test_output_is_there_before_the_answer_and_may_be_any_text(workbench: Bench) -> None:
    worker = await workbench.launch("""
        import sys
        def handler(payload):
            print("lone \\ud800", "emoji \\U0001f600", end="")
            print("to stderr", file=sys.stderr)
    """)
    await worker.run()
    await worker.result()
    output = await worker.read_until(b"stderr")
    assert "lone \\ud800 emoji \U0001f600" in output.decode()


async def test_a_handler_that_forks_answers_once(workbench: Bench) -> None:
    worker = await workbench.launch("""
        import os
        def handler(payload):
            if child := os.fork():
                os.waitpid(child, 0)
                return "parent"
            return "child"
    """)
    await worker.run()
    assert await worker.result() == b'"parent"'
    assert await worker.exit() == Exit(code=0)
    assert len(workbench.said.of("responded", worker.id)) == 1


@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_multiprocessing_works_in_a_handler(workbench: Bench, method: str) -> None:
    worker = await workbench.launch(f"""
        import multiprocessing
        def square(number):
            return number * number
        def handler(payload):
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                return pool.map(square, payload)
    """)
    await worker.run(b"[1,2,3]")
    assert await worker.result() == b"[1,4,9]"


async def test_a_worker_leads_its_group_without_a_terminal_in_its_own_environment(
    workbench: Bench,
) -> None:
    worker = await workbench.launch(
        """
        import os, sys
        def has_terminal():
            try:
                return bool(os.open("/dev/tty", os.O_RDWR))
            except OSError:
                return False
        def handler(payload):
            return [os.getpgrp() == os.getpid(), has_terminal(), os.getcwd(), os.environ["MINE"],
                    sys.stdin.read(),
                    sorted(k for k in os.environ if "KEY" in k and k.startswith("AWS")), sys.argv,
                    len(os.listdir("/proc/self/fd")) if os.path.exists("/proc") else 0]
        """,
        MINE="yes",
    )
    await worker.run()
    *head, descriptors = json.loads(await worker.result())
    assert head == [True, False, str(workbench.root), "yes", "", [], ["runner"]]
    assert descriptors <= 5  # 0, 1, 2, the Runtime API, and the listing itself


async def test_what_the_shell_has_and_the_job_looks_for_in_vain_is_told_once(
    workbench: Bench,
) -> None:
    workbench.environment.update(DB_URL="x", AT_LOAD="x", LISTED="x", IN_LIBRARY="x", ASKED="x")
    workbench.write("site-packages/library.py", "import os; FOUND = os.environ.get('IN_LIBRARY')")
    workbench.write("site-packages/called.py", "import os\ndef ask(): return os.getenv('ASKED')")
    worker = await workbench.launch("""
        import os, sys
        sys.path.append(os.path.join(os.getcwd(), "site-packages"))
        import called, library
        at_load = os.getenv("AT_LOAD"), os.getenv("AT_LOAD"), os.getenv("NOBODY_HAS_IT")
        def handler(payload):
            assert "DB_URL" not in os.environ and "DEVBRIDGE_WITHHELD" not in os.environ
            called.ask()
            return os.environ["DB_URL"]
    """)
    await worker.run()
    failure = await worker.failure()
    assert (failure.type, failure.message) == ("KeyError", "'DB_URL'")
    assert not any("runner" in line for line in failure.frames)
    assert workbench.said.of("missed", worker.id) == ["AT_LOAD", "DB_URL", "ASKED"]


async def test_a_module_that_is_found_with_the_shells_pythonpath_only_is_told(
    workbench: Bench,
) -> None:
    workbench.write("lib/mine.py", "")
    workbench.environment["PYTHONPATH"] = str(workbench.root / "lib")
    worker = await workbench.launch("import mine")
    assert (await worker.init_failure()).type == "ModuleNotFoundError"
    assert workbench.said.of("missed", worker.id) == ["PYTHONPATH"]


async def test_what_is_not_withheld_is_looked_up_as_ever(workbench: Bench) -> None:
    workbench.environment["DB_URL"] = "x"
    worker = await workbench.launch("""
        import os, subprocess, sys
        def handler(payload):
            os.environ["DB_URL"] = "mine"
            child = "import os; print(os.environ['DB_URL'], 'DEVBRIDGE_WITHHELD' in os.environ)"
            out = subprocess.check_output([sys.executable, "-c", child], text=True)
            copy = os.environ.copy()
            del os.environ["DB_URL"]
            try:
                os.environ["NOT_THERE"]
            except KeyError as error:
                found = error.args
            return [out, copy["DB_URL"], os.getenv("DB_URL"), found, os.environb.get(b"DB_URL")]
    """)
    await worker.run()
    assert json.loads(await worker.result()) == [
        "mine False\n", "mine", None, ["NOT_THERE"], None,
    ]  # fmt: skip


async def test_a_signal_reaches_what_the_handler_started(workbench: Bench) -> None:
    worker = await workbench.launch("""
        import subprocess, sys
        def handler(payload):
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            print("child", child.pid, flush=True)
            child.wait()
    """)
    await worker.run()
    output = await worker.read_until(b"\n")
    child = psutil.Process(int(output.split()[1]))
    worker.process.signal_group(signal.SIGTERM)
    assert await worker.exit() == Exit(signal=signal.SIGTERM)
    await asyncio.to_thread(psutil.wait_procs, [child], 30)
    assert not child.is_running()
    worker.process.signal_group(signal.SIGKILL)  # ignored: there is nobody left


async def test_a_save_is_seen_by_the_next_worker_and_not_by_the_one_that_runs(
    workbench: Bench,
) -> None:
    old = await workbench.launch("def handler(payload): return 'old'")
    await workbench.said.wait("ready", old.id)
    new = await workbench.launch("def handler(payload): return 'new one'")
    await old.run()
    await new.run()
    assert await old.result() == b'"old"'
    assert await new.result() == b'"new one"'


async def test_the_aws_sdk_gets_the_roles_credentials_whatever_the_developer_has(
    workbench: Bench, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    keys = "aws_access_key_id = AKIADEVELOPER\naws_secret_access_key = x\n"
    (home / ".aws/credentials").write_text(f"[default]\n{keys}[work]\n{keys}")
    (home / ".aws/config").write_text("[default]\nregion = us-west-2\n")
    worker = await workbench.launch(
        """
        import boto3
        client = boto3.client("sts")
        def handler(payload):
            found = client._request_signer._credentials
            frozen = found.get_frozen_credentials()
            return [found.method, frozen.access_key, frozen.token, client.meta.region_name]
        """,
        environment={**developer(), "HOME": str(home), "AWS_PROFILE": "work"},
    )
    await worker.run()
    expected = ["container-role", "AKIAROLE", "arn:aws:iam::1:role/job", "eu-west-1"]
    assert json.loads(await worker.result()) == expected


async def test_workers_end_with_the_runtime_api(workbench: Bench) -> None:
    worker = await workbench.launch("def handler(payload): ...")
    await workbench.said.wait("ready", worker.id)
    await workbench.api.close()
    assert await worker.exit() == Exit(code=1)


async def test_closing_the_launcher_ends_every_worker(workbench: Bench) -> None:
    workers = [await workbench.launch("def handler(payload): ...") for _ in range(3)]
    for worker in workers:
        await workbench.said.wait("ready", worker.id)
    await workbench.launcher.close()
    assert {await worker.exit() for worker in workers} == {Exit(signal=signal.SIGKILL)}
    assert not [worker for worker in workers if psutil.pid_exists(worker.process.pid)]


async def test_workers_end_when_the_daemon_is_killed(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("linux only")
    (tmp_path / "a.py").write_text("def handler(payload): ...")
    script = tmp_path / "daemon.py"
    script.write_text(_DAEMON)
    daemon = await asyncio.create_subprocess_exec(
        PYTHON,
        script,
        tmp_path,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert daemon.stdout is not None
    line = await asyncio.wait_for(daemon.stdout.readline(), 30)
    processes = [psutil.Process(int(pid)) for pid in line.split()]
    assert len(processes) == 3
    daemon.kill()
    await daemon.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, 30)
    assert not alive


_DAEMON = """
import asyncio, os, sys
from pathlib import Path
from devbridge.environment import inherited
from devbridge.workers.base import FreshLauncher
from devbridge.languages.python.zygote import ZygoteLauncher
from tests.integration.workers import bench, developer, PYTHON

async def main():
    root = Path(sys.argv[1])
    async with bench(root, FreshLauncher) as a, bench(
        root, lambda: ZygoteLauncher(PYTHON, inherited(developer()))
    ) as b:
        workers = [(one, await one.launch(handler="a.handler")) for one in (a, b)]
        for one, worker in workers:
            await one.said.wait("ready", worker.id)
        print(*(worker.process.pid for _, worker in workers), b.launcher.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


LIMIT = str(512 << 20)


@pytest.mark.skipif(sys.platform != "linux", reason="linux only")
async def test_memory_over_the_limit_is_a_memory_error_with_a_traceback(workbench: Bench) -> None:
    worker = await workbench.launch(
        """
        def handler(payload):
            kept = []
            while True:
                kept.append(bytearray(16 << 20))
        """,
        DEVBRIDGE_MEMORY_LIMIT=LIMIT,
    )
    await worker.run()
    failure = await worker.failure()
    assert failure.type == "MemoryError"
    assert failure.message == "the process reached its memory_limit of 512 MiB"
    assert "in handler" in failure.frames[0]
    assert await worker.exit() == Exit(code=0)


@pytest.mark.skipif(sys.platform != "linux", reason="linux only")
async def test_a_handler_below_its_memory_limit_is_not_disturbed(workbench: Bench) -> None:
    worker = await workbench.launch(
        """
        import mmap, subprocess, sys, threading
        def handler(payload):
            kept = bytearray(200 << 20)
            reserved = mmap.mmap(-1, 8 << 30)  # shared, and never touched
            thread = threading.Thread(target=print, args=("thread",))
            thread.start(), thread.join()
            child = subprocess.run([sys.executable, "-c", "print('child')"])
            return [len(kept), child.returncode]
        """,
        DEVBRIDGE_MEMORY_LIMIT=LIMIT,
    )
    await worker.run()
    assert json.loads(await worker.result()) == [200 << 20, 0]


@pytest.mark.skipif(sys.platform != "linux", reason="linux only")
async def test_an_import_over_the_memory_limit_is_reported(workbench: Bench) -> None:
    worker = await workbench.launch(
        "TABLE = bytearray(1 << 30)\ndef handler(payload): ...", DEVBRIDGE_MEMORY_LIMIT=LIMIT
    )
    failure = await worker.init_failure()
    assert failure.type == "MemoryError"
    assert "memory_limit of 512 MiB" in failure.message
