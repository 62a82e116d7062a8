"""What a handler returns live it returns from its zips, in a bare interpreter: over real small
distributions, installed in the ways that tools install them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import runner
from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.emulator.inside.machines.runtimes import interpreter
from devbridge.languages.python.packing import Builder

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
BARE = Path(getattr(sys, "_base_executable", sys.executable))
RUNNER = Path(runner.__file__).parent

SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


def project(name: str, more: str = "", *, build: str = SETUPTOOLS, requires: str = "") -> str:
    return (
        f'{build}[project]\nname = "{name}"\nversion = "1.2.3"\ndependencies = [{requires}]\n{more}'
    )


PACKAGES = "[tool.setuptools]\npackages = [{}]\n"
EDITABLE: Mapping[str, Mapping[str, str]] = {
    "liba": {
        "pyproject.toml": project("acme-liba", requires='"acme-libb"'),
        "src/liba/__init__.py": "from libb import rate\ndef total(n):\n    return n * rate()\n",
        "src/liba/.env": "TOKEN=abc",
        "src/liba/node_modules/a.js": "",
        "src/liba/data.txt": "data",
    },
    "libb": {
        "pyproject.toml": project("acme-libb"),
        "src/libb/__init__.py": "def rate():\n    return 2\n",
    },
    "core": {
        "pyproject.toml": project("acme-core", PACKAGES.format('"acme.core"')),
        "acme/core/__init__.py": "NAME = 'core'\n",
    },
    "hatched": {
        "pyproject.toml": project(
            "hatched",
            '[tool.hatch.build]\ndev-mode-dirs = ["src"]\n',
            build=HATCH,
            requires='"plain"',
        ),
        "src/hatched/__init__.py": "from importlib import import_module\n"
        "lazy = import_module('pl' + 'ain')\n",
    },
    "plugged": {
        "pyproject.toml": project(
            "plugged-dist",
            '[project.entry-points."plugged.steps"]\nclean = "plugged.steps:clean"\n',
        ),
        "src/plugged/__init__.py": "from importlib.metadata import entry_points, version\n"
        "__version__ = version('plugged-dist')\n"
        "def steps():\n    return [e.load()() for e in entry_points(group='plugged.steps')]\n",
        "src/plugged/steps.py": "def clean():\n    return 'cleaned'\n",
    },
    "old_one": {
        "pyproject.toml": project("old-one", PACKAGES.format('"old", "old.one"')),
        "old/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
        "old/one/__init__.py": "NAME = 'one'\n",
    },
}
INSTALLED: Mapping[str, Mapping[str, str]] = {
    "io": {
        "pyproject.toml": project("acme-io", PACKAGES.format('"acme.io"')),
        "acme/io/__init__.py": "NAME = 'io'\n",
    },
    "old_two": {
        "pyproject.toml": project("old-two", PACKAGES.format('"old", "old.two"')),
        "old/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
        "old/two/__init__.py": "NAME = 'two'\n",
    },
    "plain": {
        "pyproject.toml": project("plain", PACKAGES.format('"plain"')),
        "plain/__init__.py": "NAME = 'plain'\n",
    },
    "needsgui": {
        "pyproject.toml": project(
            "needsgui", PACKAGES.format('"needsgui"'), requires='"opencv-python>=4"'
        ),
        "needsgui/__init__.py": "def answer():\n    return 42\n",
    },
}


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter in whose environment all of these are installed, each in its way."""
    folder = tmp_path_factory.mktemp("mixed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    arguments = [os.fspath(write(folder / name, files)) for name, files in INSTALLED.items()]
    for name, files in EDITABLE.items():
        arguments += ["-e", os.fspath(write(folder / name, files))]
    pip = [sys.executable, "-m", "pip", "--python", os.fspath(python), "--quiet", "install"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    # The build backends are those of the tests' own environment.
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run(
        [*pip, *offline, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    site = folder / "venv" / "lib" / f"python{VERSION}" / "site-packages"
    # As Debian installs: metadata without a list of files.
    write(
        site,
        {
            "listless/__init__.py": "from .part import NAME\n",
            "listless/part.py": "NAME = 'listless'\n",
            "Listless_Dist-2.6.egg-info/PKG-INFO": "Name: listless-dist\nVersion: 2.6\n",
            "Listless_Dist-2.6.egg-info/top_level.txt": "listless\n",
        },
    )
    # A folder that a .pth names, and a module that lies about.
    write(folder / "beside", {"beside/__init__.py": "import plain\nNAME = plain.NAME\n"})
    (site / "beside.pth").write_text(f"{folder / 'beside'}\n")
    write(site, {"stray.py": "NAME = 'stray'\n"})
    return python


@dataclass(frozen=True)
class Case:
    files: Mapping[str, str]
    result: Any
    options: Mapping[str, Any] = ()  # type: ignore[assignment]
    absent: tuple[str, ...] = ()
    """Names that must not be in the zips."""
    warned: str = ""


def case(body: str, result: Any, *, more: Mapping[str, str] = {}, **rest: Any) -> Case:
    return Case({"jobs/j.py": body, **more}, result, **rest)


RETURN = "def handler(payload):\n    return "
CASES: Mapping[str, Case] = {
    "guarded imports": case(
        "import sys\nfrom contextlib import suppress\nfrom importlib.util import find_spec\n"
        "import builtins\nfast = False\n"
        "if sys.platform == 'win32':\n    import win32api\n"
        "with suppress(ImportError):\n    import no_such_fast_json\n    fast = True\n"
        "if find_spec('nothing_here'):\n    import nothing_here\n"
        "try:\n    import absent\nexcept builtins.ImportError:\n    pass\n" + RETURN + "fast",
        False,
    ),
    "an import that is never reached": case(
        "def other():\n    import not_there\n" + RETURN + "1", 1, warned="'not_there' is imported"
    ),
    "a folder without __init__": case(
        "from jobs import lib\nimport jobs.lib.util\n" + RETURN + "lib.util.X",
        1,
        more={"jobs/lib/util.py": "X = 1\n", "jobs/lib/unused.py": "no("},
        absent=("jobs/lib/unused.py",),
    ),
    "a folder that is called as an installed package": case(
        "import plain\n" + RETURN + "plain.NAME", "plain", more={"plain/notes.txt": "no package"}
    ),
    "a star import whose __all__ names modules": case(
        "from jobs.steps import *\n" + RETURN + "[one.N, two.N]",
        [1, 2],
        more={
            "jobs/steps/__init__.py": "__all__ = ['one', 'two']\n",
            "jobs/steps/one.py": "N = 1\n",
            "jobs/steps/two.py": "N = 2\n",
        },
    ),
    "a star import whose __all__ is worked out": case(
        "from jobs.steps import *\n" + RETURN + "one.N",
        1,
        more={
            "jobs/steps/__init__.py": "from pathlib import Path\n"
            "__all__ = [f.stem for f in Path(__file__).parent.glob('[!_]*.py')]\n",
            "jobs/steps/one.py": "N = 1\n",
        },
    ),
    "modules by their names": case(
        "import importlib\nlate = importlib.import_module('.late', __package__)\n"
        "def handler(payload):\n"
        "    return [late.N, importlib.import_module(f'jobs.steps.{payload}').N]",
        [3, 1],
        more={"jobs/late.py": "N = 3\n", "jobs/steps/one.py": "N = 1\n"},
    ),
    "a workspace of editables": case(
        "import liba\n" + RETURN + "liba.total(21)", 42, warned=".env (hidden)"
    ),
    "no secrets of an editable's folder": case(
        "import liba\nfrom pathlib import Path\n"
        + RETURN
        + "(Path(liba.__file__).parent / 'data.txt').read_text()",
        "data",
        absent=(".env", "node_modules"),
        warned=".env (hidden)",
    ),
    "metadata and entry points of an editable": case(
        "import plugged\n" + RETURN + "[plugged.__version__, plugged.steps()]",
        ["1.2.3", ["cleaned"]],
    ),
    "an editable of hatchling whose requirement no import names": case(
        "import hatched\n" + RETURN + "hatched.lazy.NAME", "plain"
    ),
    "a namespace that is half editable": case(
        "from acme import core, io\n" + RETURN + "[core.NAME, io.NAME]", ["core", "io"]
    ),
    "a namespace of which the app has a third": case(
        "import acme.core, acme.io, acme.app\n" + RETURN + "acme.core.NAME + acme.app.NAME",
        "coreapp",
        more={"acme/app.py": "NAME = 'app'\n"},
    ),
    "an old style namespace": case(
        "from old import one, two\n" + RETURN + "[one.NAME, two.NAME]", ["one", "two"]
    ),
    "a package without a list of files": case(
        "import listless\n" + RETURN + "listless.NAME", "listless"
    ),
    "a folder of a .pth, and what it imports": case(
        "import beside\n" + RETURN + "beside.NAME", "plain"
    ),
    "a stray module": case("import stray\n" + RETURN + "stray.NAME", "stray"),
    "requirements left out on purpose": case(
        "import needsgui\n" + RETURN + "needsgui.answer()", 42, warned='install=["opencv-python"]'
    ),
    "PYTHONPATH": case(
        "import mylib\n" + RETURN + "mylib.x",
        5,
        more={"src/mylib.py": "import other\nx = other.y\n", "src/other.py": "y = 5\n"},
        options={"environment": {"PYTHONPATH": "src"}},
    ),
    "a child process that runs a module": case(
        "import subprocess, sys\n"
        + RETURN
        + "subprocess.check_output([sys.executable, '-m', 'jobs.tool'], text=True).strip()",
        "tool",
        more={"jobs/tool.py": "print('tool')\n"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_job_returns_from_its_zips_what_it_returns_live(
    name: str, mixed: Path, tmp_path: Path
) -> None:
    app = write(tmp_path / "app", CASES[name].files)
    check(CASES[name], app, mixed, tmp_path)


def test_the_project_itself_asks_for_its_version(mixed: Path, tmp_path: Path) -> None:
    """In the folder of the project that is installed editable."""
    root = mixed.parents[2] / "plugged"
    write(
        root, {"jobs/j.py": "import plugged\n" + RETURN + "[plugged.__version__, plugged.steps()]"}
    )
    check(Case({}, ["1.2.3", ["cleaned"]]), root, mixed, tmp_path)


def test_a_compiled_module_lies_beside_the_handlers(mixed: Path, tmp_path: Path) -> None:
    gcc = shutil.which("gcc")
    include = Path(sysconfig.get_path("include"))
    if gcc is None or not (include / "Python.h").is_file():
        pytest.skip("there is no C compiler with Python's headers")
    source = """#include <Python.h>
static PyObject *answer(PyObject *s, PyObject *a) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fastmod", 0, -1, methods};
PyMODINIT_FUNC PyInit_fastmod(void) { return PyModule_Create(&module); }
"""
    body = "import fastmod\n" + RETURN + "fastmod.answer()"
    app = write(tmp_path / "app", {"fastmod.c": source, "jobs/j.py": body})
    made = app / f"fastmod{sysconfig.get_config_var('EXT_SUFFIX')}"
    command: list[str | Path] = [
        gcc,
        "-shared",
        "-fPIC",
        f"-I{include}",
        "-o",
        made,
        app / "fastmod.c",
    ]
    subprocess.run(command, check=True)
    check(Case({}, 42), app, mixed, tmp_path)


def test_the_apps_python_may_be_newer_than_devbridges(tmp_path: Path) -> None:
    """Its syntax, and what its standard library has no more."""
    base = interpreter("3.13")
    if base is None or sys.version_info >= (3, 13):
        pytest.skip("there is no newer Python 3.13 here")
    subprocess.run([base, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    info = "legacy_cgi-2.6.dist-info"
    site = tmp_path / "venv" / "lib" / "python3.13" / "site-packages"
    record = f"cgi.py,,\n{info}/METADATA,,\n{info}/RECORD,,\n"
    metadata = "Metadata-Version: 2.1\nName: legacy-cgi\nVersion: 2.6\n"
    files = {"cgi.py": "N = 1\n", f"{info}/METADATA": metadata, f"{info}/RECORD": record}
    write(site, files)
    body = "import cgi\ntype Row = dict[str, int]\ndef handler(payload):\n"
    app = write(
        tmp_path / "app", {"jobs/j.py": f"{body}    row: Row = {{'a': cgi.N}}\n    return row\n"}
    )
    python = tmp_path / "venv" / "bin" / "python"
    check(Case({}, {"a": 1}), app, python, tmp_path, version="3.13", bare=base)


def check(
    case: Case,
    app: Path,
    python: Path,
    folder: Path,
    *,
    version: str = VERSION,
    bare: Path = BARE,
) -> None:
    options = dict(case.options)
    with loading(app):
        job = Job(App("mix"), "j", handler="jobs/j.handler", **options)
    builder = Builder(python, version, folder / "cache", local=True)
    made = builder.job_assets(job)
    variables: Mapping[str, str] = options.get("environment", {})
    assert result([python, RUNNER, "build"], app, variables) == case.result, "live"
    code, packages = folder / "code", folder / "packages"
    for asset, place in ((made.code, code), (made.packages, packages)):
        if asset is not None:
            with asset.open() as file, zipfile.ZipFile(file) as archive:
                archive.extractall(place)
    names = {path.relative_to(folder).as_posix() for path in files(code, packages)}
    assert not [name for name in names for absent in case.absent if absent in name]
    there = {**variables, "CODEBUILD_SRC_DIR_packages": os.fspath(packages)}
    assert result([bare, "-m", "runner", "build"], code, there) == case.result, "deployed"
    said = "\n".join(builder.remarks.warnings)
    assert case.warned in said
    assert bool(case.warned) == bool(said), said


def files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file())


def result(command: list[str | Path], folder: Path, variables: Mapping[str, str]) -> Any:
    """What the handler returns in a process of its own."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "DEVBRIDGE_JOB_NAME": "j",
            "DEVBRIDGE_HANDLER": "jobs/j.handler",
            "DEVBRIDGE_PAYLOAD": '"one"',
            "DEVBRIDGE_INLINE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith('{"devbridge"')]
    return json.loads(line)["devbridge"].get("result")
