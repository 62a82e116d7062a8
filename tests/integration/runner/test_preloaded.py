"""A fork is not to be told from a fresh interpreter: what it sees of its zygote's imports."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.environment import inherited
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.workers.base import FreshLauncher, Launcher
from tests.integration.test_worker_processes import Credentials
from tests.integration.workers import PYTHON, Bench, Worker, bench, developer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="linux only")


class Forks:
    """Workers of one app, as the daemon has them: forked, unless their launcher knows better."""

    def __init__(self, one: Bench, packages: Path, said: list[str], details: list[str]) -> None:
        self.one = one
        self.packages = packages
        self.said = said
        self.details = details

    @property
    def launcher(self) -> ZygoteLauncher:
        assert isinstance(self.one.launcher, ZygoteLauncher)
        return self.one.launcher

    async def loaded(self, code: str, job: str = "factorial", **environment: Any) -> Worker:
        """A worker that has loaded the code and is one to be used."""
        for _ in range(2):
            worker = await self.one.launch(textwrap.dedent(code), job_name=job, **environment)
            modules = await self.one.said.loaded(worker.id)
            if modules is None or not self.launcher.reported(job, modules):
                return worker
        raise AssertionError("a fresh interpreter was refused")

    async def run(self, code: str, job: str = "factorial", **environment: str) -> Any:
        """The result of a run of the code, whose `result` it is."""
        worker = await self.loaded(f"{textwrap.dedent(code)}\n{HANDLER}", job, **environment)
        await worker.run()
        return json.loads(await worker.result())

    def package(self, name: str, code: str) -> Path:
        """Install a module."""
        path = self.packages / f"{name}.py"
        path.write_text(textwrap.dedent(code))
        return path


GIVEN = ("PYTHONPATH",)
HANDLER = "def handler(payload): return result()"


@pytest.fixture
async def forks(tmp_path: Path) -> AsyncIterator[Forks]:
    packages = tmp_path / "packages" / "site-packages"
    packages.mkdir(parents=True)
    root = tmp_path / "app"
    root.mkdir()
    environment = {**developer(), "PYTHONPATH": str(packages)}
    of_all = inherited(environment, given=GIVEN)
    said: list[str] = []
    details: list[str] = []

    def launcher() -> Launcher:
        return ZygoteLauncher(PYTHON, of_all, root=root, say=said.append, details=details.append)

    async with bench(root, launcher, Credentials()) as one:
        one.environment, one.given = environment, GIVEN
        yield Forks(one, packages, said, details)


async def run_fresh(one: Bench, code: str) -> Any:
    """The result of the same code in a fresh interpreter."""
    worker = await one.launch(f"{textwrap.dedent(code)}\n{HANDLER}")
    await worker.run()
    return json.loads(await worker.result())


# --- what a fork sees ---------------------------------------------------------------------------


SEEN = [
    "import sys\nresult = lambda: sorted(sys.modules)",
    "import sys, boto3\nresult = lambda: sorted(sys.modules)",
    "import sys, boto3\nclient = boto3.client('s3')\nresult = lambda: sorted(sys.modules)",
    "import importlib\nresult = lambda: sorted(vars(importlib))",
    "import concurrent, xml\nresult = lambda: [sorted(vars(concurrent)), sorted(vars(xml))]",
    "import boto3, warnings\nresult = lambda: list(map(repr, warnings.filters))",
    "import warnings\nwarnings.simplefilter('ignore')\nimport boto3\n"
    "result = lambda: list(map(repr, warnings.filters))",
    "import logging\nresult = lambda: sorted(logging.root.manager.loggerDict)",
    "import logging\nlog = logging.getLogger('botocore')\nlog.setLevel(10)\nimport botocore\n"
    "result = lambda: [logging.getLogger('botocore.x').getEffectiveLevel(), len(log.handlers)]",
    "import logging.config\nlogging.config.dictConfig({'version': 1})\nimport boto3\n"
    "result = lambda: logging.getLogger('botocore.hooks').disabled",
    "import sys\nresult = lambda: [sys.argv, sys.orig_argv[-2], sys.warnoptions]",
    "import importlib.util\nspec = importlib.util.find_spec('botocore')\n"
    "import sys\nresult = lambda: [spec.origin, 'botocore' in sys.modules]",
    "import boto3, importlib\nbefore = boto3.Session\nimportlib.reload(boto3.session)\n"
    "result = lambda: before is boto3.session.Session",
    "import six, sys\ndel sys.modules['six']\nbefore = six\nimport six\n"
    "result = lambda: before is six",
    "import boto3, botocore.exceptions\nresult = lambda: [boto3.__spec__.name, "
    "type(boto3.__loader__).__name__, boto3.__spec__.loader is boto3.__loader__]",
    "import pickle, boto3, sys\nresult = lambda: pickle.loads(pickle.dumps(boto3.Session)) "
    "is boto3.Session",
]


async def test_it_sees_what_a_fresh_interpreter_sees(forks: Forks) -> None:
    await forks.launcher.preload(["boto3"])
    forked = [await forks.run(code) for code in SEEN]
    async with bench(forks.one.root, FreshLauncher, Credentials()) as one:
        for code, result in zip(SEEN, forked, strict=True):
            assert (code, result) == (code, await run_fresh(one, code))
    assert forks.launcher.distrusted == {}


async def test_the_sdk_is_the_zygotes_and_not_imported_again(forks: Forks) -> None:
    await forks.launcher.preload(["boto3"])
    # An import would have put the module into the memory of the fork alone.
    code = "import boto3, gc\nresult = lambda: boto3 in gc.get_objects()"
    assert await forks.run(code) is False
    async with bench(forks.one.root, FreshLauncher) as one:
        assert await run_fresh(one, code) is True


async def test_what_nobody_vouched_for_is_imported_in_each_worker(forks: Forks) -> None:
    forks.package("heavy", "import os\nPID = os.getpid()")
    await forks.launcher.preload(["boto3"])
    code = "import heavy, os\nresult = lambda: heavy.PID == os.getpid()"
    assert [await forks.run(code) for _ in range(3)] == [True] * 3


async def test_what_the_app_vouches_for_is_imported_once(forks: Forks) -> None:
    (forks.packages / "pack").mkdir()
    (forks.packages / "pack/heavy.py").write_text("import os\nPID = os.getpid()")
    await forks.launcher.preload(["pack.heavy"])
    code = "import pack.heavy\nresult = lambda: pack.heavy.PID"
    assert await forks.run(code) == forks.launcher.pid


# --- a library's import depends on the job ------------------------------------------------------


@pytest.mark.parametrize("vouched", [False, True])
async def test_a_library_reads_the_jobs_environment_when_it_is_imported(
    forks: Forks, vouched: bool
) -> None:
    forks.package("reader", "import os\nSEEN = os.environ.get('READER')")
    await forks.launcher.preload(["reader"] if vouched else ["boto3"])
    code = "import reader\nresult = lambda: reader.SEEN"
    assert [await forks.run(code, READER="1") for _ in range(3)] == ["1"] * 3
    told = "the environment's READER, which reader reads, was set or changed"
    expected = {"factorial": f"{told} before reader was imported"} if vouched else {}
    assert forks.launcher.distrusted == expected


async def test_a_job_sets_the_environment_above_an_import(forks: Forks) -> None:
    forks.package("reader", "import os\nSEEN = os.getenv('READER', 'nothing')")
    await forks.launcher.preload(["boto3"])
    code = "import os\nos.environ['READER'] = '1'\nimport reader\nresult = lambda: reader.SEEN"
    assert [await forks.run(code) for _ in range(3)] == ["1"] * 3


async def test_what_python_imports_at_its_start_reads_the_jobs_environment(forks: Forks) -> None:
    forks.package("sitecustomize", "import os\nLEVEL = os.environ.get('LEVEL')")
    await forks.launcher.preload(["boto3"])
    code = "import sitecustomize, os\nresult = lambda: [sitecustomize.LEVEL, os.getppid()]"
    assert await forks.run(code) == [None, forks.launcher.pid]
    level, parent = await forks.run(code, LEVEL="high")
    assert level == "high"
    assert parent != forks.launcher.pid


async def test_a_generator_that_a_library_made_is_no_other_runs(forks: Forks) -> None:
    forks.package("draws", "import random\nOWN = random.Random()")
    await forks.launcher.preload(["boto3"])
    code = "import draws, random\nresult = lambda: [draws.OWN.random(), random.random()]"
    drawn = [await forks.run(code) for _ in range(4)]
    assert len({number for pair in drawn for number in pair}) == 8


async def test_a_librarys_scratch_folder_is_removed_by_nobody_else(forks: Forks) -> None:
    forks.package(
        "scratch",
        """
        import atexit, os, shutil, tempfile
        FOLDER = tempfile.mkdtemp(dir=os.path.dirname(__file__))
        atexit.register(shutil.rmtree, FOLDER)
        """,
    )
    await forks.launcher.preload(["boto3"])
    code = "import scratch, os\nresult = lambda: os.path.isdir(scratch.FOLDER)"
    assert [await forks.run(code) for _ in range(3)] == [True] * 3


async def test_a_package_that_is_replaced_is_seen_by_the_next_worker(forks: Forks) -> None:
    module = forks.package("acme", "V = 1")
    await forks.launcher.preload(["boto3"])
    code = "import acme\nresult = lambda: acme.V"
    assert await forks.run(code) == 1
    module.write_text("V = 22")
    assert [await forks.run(code) for _ in range(2)] == [22, 22]


async def test_the_clock_of_logging_starts_with_its_import(forks: Forks) -> None:
    await forks.launcher.preload(["boto3"])
    code = """
        import time
        began = time.time()
        import logging
        record = logging.LogRecord("n", 10, "p", 1, "m", (), None)
        result = lambda: 0 <= record.relativeCreated <= (time.time() - began) * 1000 + 1
    """
    assert await forks.run(code) is True


async def test_a_relative_pythonpath_is_the_apps(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/near.py").write_text("HERE = True")
    environment = {**developer(), "PYTHONPATH": "lib"}
    of_all = inherited(environment, given=GIVEN)
    async with bench(tmp_path, lambda: ZygoteLauncher(PYTHON, of_all, root=tmp_path)) as one:
        one.environment, one.given = environment, GIVEN
        worker = await one.launch("import near\ndef handler(payload): return near.HERE")
        await worker.run()
        assert await worker.result() == b"true"


# --- what was preloaded is not what would be imported -------------------------------------------


CHANGES = [
    ("import socket\nsocket.create_connection = len", "socket.create_connection was replaced"),
    ("import ssl\nssl.SSLContext.wrap_socket = len", "ssl.SSLContext.wrap_socket was replaced"),
    ("import ssl\ndel ssl.create_default_context", "ssl.create_default_context was replaced"),
    ("import ssl\nssl.HAS_SNI = False", "ssl.HAS_SNI was replaced"),
    (
        "import sys, types\nimport ssl\nsys.modules['ssl'] = types.ModuleType('ssl')\n"
        "vars(sys.modules['ssl']).update(vars(ssl))",
        "ssl was replaced in sys.modules",
    ),
    (
        "import builtins\nreal = __import__\nbuiltins.__import__ = lambda *a, **k: real(*a, **k)",
        "__import__ was replaced",
    ),
    ("import builtins\nbuiltins.open = len and open.__class__", "builtins.open was replaced"),
    (
        "import sys\nclass Finder:\n    def find_spec(self, *_): return None\n"
        "sys.meta_path.insert(0, Finder())",
        "sys.meta_path was changed",
    ),
    (
        "import sys\ndef hook(path): raise ImportError\nsys.path_hooks.insert(0, hook)",
        "sys.path_hooks was changed",
    ),
    ("import os\nos.environ['OPENSSL_CONF'] = '/dev/null'", "the environment's OPENSSL_CONF"),
    (
        "import sys, types\nown = types.ModuleType('jmespath')\nown.JMESPathError = Exception\n"
        "sys.modules['jmespath'] = sys.modules['jmespath.exceptions'] = own",
        "jmespath",
    ),
    (
        "import sys, types\nown = types.ModuleType('brotli')\nown.error = Exception\n"
        "own.Decompressor = len\nsys.modules['brotli'] = own",
        "brotli, which urllib3.",
    ),
    (
        "import logging\nclass Own(logging.Logger): ...\nlogging.root.manager.setLoggerClass(Own)",
        "the class of loggers was set",
    ),
]


async def test_a_job_that_changes_what_is_preloaded_gets_fresh_interpreters(forks: Forks) -> None:
    await forks.launcher.preload(["boto3"])
    for number, (change, problem) in enumerate(CHANGES):
        code = f"{change}\nimport boto3, os\nresult = lambda: os.getppid()"
        job = f"job{number}"
        parents = [await forks.run(code, job) for _ in range(2)]
        assert forks.launcher.pid not in parents, change
        found = forks.launcher.distrusted[job]
        assert found.startswith(problem)
        assert found.endswith("was imported")
        assert forks.details[-1] == f"{job} gets a fresh interpreter for each run: {found}"
    assert len(forks.details) == len(CHANGES)


async def test_a_file_of_the_app_that_hides_a_preloaded_module_is_imported(forks: Forks) -> None:
    await forks.launcher.preload(["boto3"])
    for name in ("queue.py", "dateutil/__init__.py", "six.py"):
        top = name.partition("/")[0].removesuffix(".py")
        file = forks.one.write(name, "OWN = True")
        code = f"import {top}\nresult = lambda: {top}.OWN"
        assert [await forks.run(code, top) for _ in range(2)] == [True, True]
        found = forks.launcher.distrusted[top]
        assert found.startswith(f"{top} is hidden by a file in {forks.one.root}")
        file.unlink()


HARMLESS = [
    "import numbers, sys\nsys.path.append('/nowhere')",
    "import warnings\nwarnings.filterwarnings('ignore', message='numpy.dtype size changed')",
    "import logging\nlogging.basicConfig(level=logging.DEBUG)",
    "import socket\nsocket.setdefaulttimeout(1)",
    "import sys\nsys.excepthook = print\nsys.setrecursionlimit(2000)",
    "import random\nrandom.seed(1)",
    "import os\nos.environ['TABLE'] = 'x'\nos.environ['AWS_REGION'] = 'us-east-2'",
    "import builtins\nbuiltins._ = str",
    "import threading\nthreading.Thread(target=print, daemon=True).start()",
    "import platform, tempfile, uuid\nplatform.uname()\ntempfile.gettempdir()\nuuid.uuid1()",
    "import mimetypes\nmimetypes.init()",
    "import warnings\nwith warnings.catch_warnings(record=True): import boto3",
    "import sys\nclass Late:\n    def find_spec(self, *_): return None\n"
    "sys.meta_path.append(Late())",
]


async def test_what_changes_no_import_keeps_the_job_forked(forks: Forks) -> None:
    await forks.launcher.preload(["boto3"])
    for change in HARMLESS:
        assert await forks.run(f"{change}\nimport boto3, os\nresult = lambda: os.getppid()") == (
            forks.launcher.pid
        ), change
    assert forks.launcher.distrusted == {}


async def test_a_load_that_fails_only_in_a_fork_is_not_believed(forks: Forks) -> None:
    # As compiled modules do that may be imported once in a process only.
    forks.package("once", "import os, reader\nassert reader.PID == os.getpid(), 'not in a fork'")
    forks.package("reader", "import os\nPID = os.getpid()\nos.environ.get('READER')")
    await forks.launcher.preload(["boto3", "reader"])
    code = """
        import reader, os
        os.environ["OPENSSL_CONF"] = "/dev/null"
        import boto3
        import once
        result = lambda: 1
    """
    assert await forks.run(code) == 1
    assert "OPENSSL_CONF" in forks.launcher.distrusted["factorial"]


async def test_a_change_while_the_job_runs_is_met_by_a_real_import_and_remembered(
    forks: Forks,
) -> None:
    await forks.launcher.preload(["boto3"])
    worker = await forks.loaded("""
        import socket, sys
        def handler(payload):
            own = lambda *a, **k: None
            socket.create_connection = own
            import urllib3.util.connection, http.client
            return http.client.HTTPConnection("x")._create_connection is own
    """)
    assert forks.launcher.distrusted == {}
    await worker.run()
    assert await worker.result() == b"true"
    await worker.exit()
    told = forks.one.said.of("modules", worker.id)
    assert len(told) == 2
    assert forks.launcher.reported("factorial", told[-1])
    assert "socket.create_connection was replaced" in forks.launcher.distrusted["factorial"]


async def test_a_job_whose_imports_change_is_tried_with_a_fork_again(forks: Forks) -> None:
    forks.package("patches", "import socket\nsocket.create_connection = len")
    await forks.launcher.preload(["boto3"])
    body = "import boto3, os\nresult = lambda: os.getppid()"
    patching = f"import patches\n{body}"
    for _ in range(3):
        assert await forks.run(patching) != forks.launcher.pid
    await forks.run(body)
    assert forks.launcher.distrusted == {}
    assert await forks.run(body) == forks.launcher.pid


# --- what is preloaded changes ------------------------------------------------------------------


async def test_a_preloaded_package_that_is_replaced_is_preloaded_again(forks: Forks) -> None:
    module = forks.package("acme", "import os\nV, PID = 1, os.getpid()")
    await forks.launcher.preload(["acme"])
    old = forks.launcher.pid
    code = "import acme, os\nresult = lambda: [acme.V, acme.PID == os.getpid()]"
    assert await forks.run(code) == [1, False]
    module.write_text("import os\nV, PID = 22, os.getpid()")
    assert await forks.run(code) == [22, True]
    await forks.launcher.settled()
    assert forks.launcher.pid != old
    assert await forks.run(code) == [22, False]
    assert forks.said == [f"{module} has changed: what is preloaded is imported again"]
    assert forks.launcher.distrusted == {}


async def test_what_a_preloaded_package_can_do_without_is_found_when_it_is_installed(
    forks: Forks,
) -> None:
    forks.package(
        "acme",
        """
        import os
        PID = os.getpid()
        try:
            import extra
        except ImportError:
            extra = None
        """,
    )
    await forks.launcher.preload(["acme"])
    code = "import acme, os\nresult = lambda: [acme.extra is not None, acme.PID == os.getpid()]"
    assert await forks.run(code) == [False, False]
    extra = forks.package("extra", "")
    assert await forks.run(code) == [True, True]
    await forks.launcher.settled()
    assert await forks.run(code) == [True, False]
    assert forks.said == [f"{extra} has changed: what is preloaded is imported again"]
    assert forks.launcher.distrusted == {}


async def test_what_cannot_be_imported_in_the_zygote_either_renews_it_once(forks: Forks) -> None:
    forks.package("acme", "try: import extra\nexcept ImportError: extra = None")
    await forks.launcher.preload(["acme"])
    forks.package("extra", "raise ImportError")
    code = "import acme, os\nresult = lambda: os.getppid()"
    for _ in range(2):
        await forks.run(code)
        await forks.launcher.settled()
    assert await forks.run(code) == forks.launcher.pid
    assert len(forks.said) == 1


async def test_what_the_job_brings_along_for_a_preloaded_package_is_imported(forks: Forks) -> None:
    forks.package("acme", "try: import extra\nexcept ImportError: extra = None")
    await forks.launcher.preload(["acme"])
    forks.one.write("extra.py", "")
    code = "import acme\nresult = lambda: acme.extra is not None"
    assert [await forks.run(code) for _ in range(2)] == [True, True]
    assert forks.launcher.distrusted == {
        "factorial": "extra, which acme can do without, was added before acme was imported"
    }


async def test_what_could_not_be_preloaded_is_said_once_and_preloaded_when_it_can(
    forks: Forks,
) -> None:
    await forks.launcher.preload(["later"])
    await forks.launcher.preload(["json"])
    assert forks.said == ["not preloaded: later: ModuleNotFoundError: No module named 'later'"]
    forks.package("later", "import os\nPID = os.getpid()")
    code = "import later, os\nresult = lambda: later.PID == os.getpid()"
    assert await forks.run(code) is True
    await forks.launcher.settled()
    assert await forks.run(code) is False


async def test_the_sdk_is_preloaded_as_soon_as_a_job_imports_it(forks: Forks) -> None:
    code = "import boto3, gc\nresult = lambda: boto3 in gc.get_objects()"
    assert await forks.run(code) is True
    await forks.launcher.settled()
    assert await forks.run(code) is False
