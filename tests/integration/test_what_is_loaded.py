"""A run gets what is there when it is asked for, whatever its worker had imported before."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from devbridge.daemon.secrets import touch
from tests.integration.live import App, job, live

KINDS = [
    "fresh",
    pytest.param("zygote", marks=pytest.mark.skipif(sys.platform != "linux", reason="linux only")),
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


RETURNS_VALUE = "def handler(payload):\n    return VALUE\n"
J = job("j", "jobs/j.handler")


# --- a load that has failed ---------------------------------------------------------------------


async def test_what_was_missing_at_import_is_found_by_the_next_run(app: App, kind: str) -> None:
    missing = app.outside / "elsewhere" / "limit"
    app.write("jobs/j.py", f"VALUE = int(open({str(missing)!r}).read())\n{RETURNS_VALUE}")
    async with live(app, kind, J) as desk:
        for _ in range(3):
            assert (await desk.result("j")).startswith("FileNotFoundError")
        missing.parent.mkdir()
        missing.write_text("7")
        assert [await desk.result("j") for _ in range(3)] == ["7", "7", "7"]
        assert desk.said().count("j cannot be loaded") == 1
        assert desk.said().count("Reloaded j") == 1


async def test_a_package_that_is_installed_mends_a_job_by_itself(app: App, kind: str) -> None:
    app.write("jobs/j.py", f"import lateone\nVALUE = lateone.X\n{RETURNS_VALUE}")
    async with live(app, kind, J) as desk:
        assert await desk.result("j") == "ModuleNotFoundError: No module named 'lateone'"
        app.write(app.site / "lateone" / "__init__.py", "X = 7\n")
        await desk.line("^Reloaded j")
        assert [await desk.result("j") for _ in range(3)] == ["7", "7", "7"]


async def test_a_port_that_is_taken_at_import_is_free_again_when_its_run_has_ended(
    app: App, kind: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app.write(
        "jobs/j.py",
        f"""
        import socket
        from pathlib import Path
        MINE = socket.create_server(("127.0.0.1", {port}))
        def handler(payload):
            while payload and not Path(payload).exists(): ...
            return 7
        """,
    )
    async with live(app, kind, J) as desk:
        gate = app.outside / "gate"
        held = desk.start("j", f'"{gate}"'.encode())
        assert "Address already in use" in await desk.result("j", b"null")
        gate.touch()
        for _ in range(3):
            assert (await desk.end(held)).result == b"7"
            await desk.gone(held)  # until then it has the port
            held = desk.start("j", b"null")
        assert (await desk.end(held)).result == b"7"
        assert desk.said().count("j cannot be loaded") == 1


async def test_runs_that_wait_for_a_broken_job_have_it_tried_again(app: App, kind: str) -> None:
    missing = app.outside / "limit"
    app.write("jobs/j.py", f"VALUE = int(open({str(missing)!r}).read())\n{RETURNS_VALUE}")
    async with live(app, kind, J, fail_when_broken=False) as desk:
        waiting = [desk.start("j") for _ in range(3)]
        await desk.line("^Waiting j: it cannot be loaded; tried again in ")
        missing.write_text("7")
        assert [(await desk.end(one)).result for one in waiting] == [b"7", b"7", b"7"]
        assert desk.said().count("Waiting j") == 1


# --- what was read at import has changed --------------------------------------------------------


async def test_a_data_file_that_is_saved_is_read_by_the_very_next_run(app: App, kind: str) -> None:
    app.write(
        "jobs/j.py",
        f"""
        import json, pathlib
        VALUE = json.loads((pathlib.Path(__file__).parent / "config.json").read_text())
        {RETURNS_VALUE}""".replace("\n    return", "\n            return"),
    )
    for value in range(3):
        app.write("jobs/config.json", "0")
        async with live(app, kind, J) as desk:
            assert await desk.result("j") == "0"
            app.write("jobs/config.json", str(value + 1))
            assert [await desk.result("j") for _ in range(3)] == [str(value + 1)] * 3
            await desk.line("^Reloaded j in ")


async def test_a_file_that_is_read_outside_of_the_app_counts_too(app: App, kind: str) -> None:
    outside = app.outside / "elsewhere.txt"
    outside.write_text("1")
    app.write("jobs/j.py", f"VALUE = open({str(outside)!r}).read()\n{RETURNS_VALUE}")
    async with live(app, kind, J) as desk:
        for value in ("1", "2", "3"):
            outside.write_text(value)
            assert await desk.result("j") == f'"{value}"'


async def test_a_new_file_in_a_folder_that_is_listed_at_import_counts(app: App, kind: str) -> None:
    app.write(
        "jobs/j.py",
        f"""
import pathlib
VALUE = sorted(p.name for p in (pathlib.Path(__file__).parent / "sql").glob("*.sql"))
{RETURNS_VALUE}""",
    )
    app.write("jobs/sql/a.sql", "")
    async with live(app, kind, J) as desk:
        assert await desk.result("j") == '["a.sql"]'
        app.write("jobs/sql/b.sql", "")
        assert await desk.result("j") == '["a.sql","b.sql"]'


async def test_a_library_beside_the_app_is_reloaded_when_it_is_saved(app: App, kind: str) -> None:
    library = app.outside / "lib" / "src"
    app.write(app.site / "__editable__.shared.pth", f"{library}\n")
    app.write(library / "shared_lib" / "__init__.py", "def rate():\n    return 2\n")
    app.write(
        "jobs/j.py", "import shared_lib\ndef handler(payload):\n    return shared_lib.rate()\n"
    )
    async with live(app, kind, J) as desk:
        assert await desk.result("j") == "2"
        app.write(library / "shared_lib" / "__init__.py", "def rate():\n    return 1000\n")
        await desk.line("^Reloaded j in ")
        assert [await desk.result("j") for _ in range(3)] == ["1000"] * 3


async def test_a_package_that_is_upgraded_is_imported_anew(app: App, kind: str) -> None:
    app.write(app.site / "acmepkg.py", "V = 1\n")
    app.write("jobs/j.py", f"import acmepkg\nVALUE = acmepkg.V\n{RETURNS_VALUE}")
    async with live(app, kind, J) as desk:
        assert [await desk.result("j") for _ in range(3)] == ["1"] * 3
        mark = desk.mark
        (app.site / "acmepkg.py").unlink()
        app.write(app.site / "acmepkg.py", "V = 22\n")
        await desk.line("^Reloaded j in ", after=mark)
        assert [await desk.result("j") for _ in range(3)] == ["22"] * 3


async def test_a_file_that_is_replaced_with_its_time_and_size_kept_is_another_one(
    app: App, kind: str
) -> None:
    file = app.write("jobs/j.py", "def handler(payload):\n    return 1\n")
    async with live(app, kind, J) as desk:
        assert await desk.result("j") == "1"
        found = file.stat()
        draft = app.write("jobs/draft", "def handler(payload):\n    return 2\n")
        os.utime(draft, ns=(found.st_atime_ns, found.st_mtime_ns))
        draft.replace(file)
        shutil.rmtree(file.parent / "__pycache__", ignore_errors=True)
        assert await desk.result("j") == "2"


async def test_a_new_module_that_hides_an_installed_one_is_what_is_imported(
    app: App, kind: str
) -> None:
    app.write(app.site / "helper.py", "X = 'installed'\n")
    app.write("jobs/j.py", f"import helper\nVALUE = helper.X\n{RETURNS_VALUE}")
    async with live(app, kind, J) as desk:
        assert await desk.result("j") == '"installed"'
        app.write("helper.py", "X = 'mine'\n")
        assert [await desk.result("j") for _ in range(3)] == ['"mine"'] * 3
        (app.root / "helper.py").unlink()
        assert await desk.result("j") == '"installed"'


@pytest.mark.parametrize("way", ["statement", "import_module"])
async def test_an_optional_module_that_is_there_now_is_used(app: App, kind: str, way: str) -> None:
    wanted = (
        "import fast" if way == "statement" else "import importlib; importlib.import_module('fast')"
    )
    app.write(
        "jobs/j.py",
        f"try:\n    {wanted}\n    VALUE = 'fast'\nexcept ImportError:\n    VALUE = 'slow'\n"
        + RETURNS_VALUE,
    )
    async with live(app, kind, J) as desk:
        assert await desk.result("j") == '"slow"'
        app.write(app.site / "fast" / "__init__.py", "")
        assert [await desk.result("j") for _ in range(3)] == ['"fast"'] * 3


async def test_a_module_that_is_deleted_is_missed_by_the_next_run(app: App, kind: str) -> None:
    app.write("lib/extra.py", "X = 1\n")
    app.write("jobs/j.py", f"import lib.extra\nVALUE = lib.extra.X\n{RETURNS_VALUE}")
    async with live(app, kind, J) as desk:
        assert await desk.result("j") == "1"
        (app.root / "lib/extra.py").unlink()
        assert await desk.result("j") == "ModuleNotFoundError: No module named 'lib.extra'"


@pytest.mark.parametrize("linked", ["folder", "file", "library"])
async def test_saves_behind_symbolic_links_count(app: App, kind: str, linked: str) -> None:
    shared = app.outside / "shared"
    shared.mkdir()
    app.write("jobs/lib.py", "VALUE = 1\n")
    app.write("jobs/j.py", f"from jobs.lib import VALUE\n{RETURNS_VALUE}")
    place = {"folder": "jobs", "file": "jobs/j.py", "library": "jobs/lib.py"}[linked]
    (app.root / place).rename(shared / Path(place).name)
    (app.root / place).symlink_to(shared / Path(place).name)
    saved = {"folder": "jobs/j.py", "file": "j.py", "library": "lib.py"}[linked]
    new = "VALUE = 2\n" if linked == "library" else f"VALUE = 2\n{RETURNS_VALUE}"
    async with live(app, kind, J) as desk:
        assert await desk.result("j") == "1"
        app.write(shared / saved, new)
        await desk.line("^Reloaded j in ")
        assert [await desk.result("j") for _ in range(3)] == ["2"] * 3


async def test_a_link_that_points_elsewhere_now_is_followed(app: App, kind: str) -> None:
    for version in ("1", "2"):
        app.write(app.outside / version / "j.py", f"VALUE = {version}\n{RETURNS_VALUE}")
    (app.root / "jobs").symlink_to(app.outside / "1")
    async with live(app, kind, J) as desk:
        assert await desk.result("j") == "1"
        (app.root / "jobs").unlink()
        (app.root / "jobs").symlink_to(app.outside / "2")
        assert [await desk.result("j") for _ in range(3)] == ["2"] * 3


async def test_every_save_counts_however_fast_they_follow(app: App, kind: str) -> None:
    """Python takes a file of the same second and size for the one that it has compiled."""
    app.write("lib/value.py", "VALUE = 0\n")
    app.write("jobs/j.py", f"from lib.value import VALUE\n{RETURNS_VALUE}")
    async with live(app, kind, J) as desk:
        for value in range(1, 10):
            app.write("lib/value.py", f"VALUE = {value}\n")
            assert await desk.result("j") == str(value)


async def test_a_secret_that_got_another_value_concerns_those_who_bind_it(
    app: App, kind: str
) -> None:
    """What SSM has is a file here; the rest is the real thing."""
    value = app.outside / "value"
    bound = {"DEVBRIDGE_Secret_parameterName_token": str(value)}
    app.write(
        "jobs/j.py",
        f"import os, subprocess\nVALUE = subprocess.run(['cat', {str(value)!r}], check=True, "
        f"capture_output=True, text=True).stdout\n{RETURNS_VALUE}",
    )
    mark = app.outside / "state" / "marks" / "secrets"
    bound_j, other = job("j", "jobs/j.handler", environment=bound), job("o", "jobs/j.handler")
    async with live(app, kind, bound_j, other, secrets_mark=mark) as desk:
        assert (await desk.result("j")).startswith("CalledProcessError")
        for new in ("one", "two", "three"):
            value.write_text(new)
            touch(mark)
            assert [await desk.result("j") for _ in range(2)] == [f'"{new}"'] * 2
        assert "Reloaded j" in desk.said()
        assert desk.said().count("Reloaded o") == 0


# --- what the import itself changes -------------------------------------------------------------


async def test_a_file_that_the_import_writes_and_reads_makes_no_new_workers(
    app: App, kind: str
) -> None:
    app.write("cache.json", "0")
    app.write(
        "jobs/j.py",
        """
        from pathlib import Path
        cache = Path("cache.json")
        VALUE = int(cache.read_text()) + 1
        cache.write_text(str(VALUE))
        def handler(payload): return "ran"
        """,
    )
    async with live(app, kind, J) as desk:
        for _ in range(3):
            assert await desk.result("j") == '"ran"'
        assert "Reloaded" not in desk.said()


async def test_a_file_that_others_change_with_each_import_does_not_reload_for_ever(
    app: App, kind: str
) -> None:
    app.write("cache.json", "0")
    app.write(
        "jobs/j.py",
        """
        import subprocess
        from pathlib import Path
        VALUE = Path("cache.json").read_text()
        subprocess.run(["sh", "-c", "echo x >> cache.json"], check=True)
        def handler(payload): return "ran"
        """,
    )
    async with live(app, kind, J) as desk:
        await desk.line("^Notice  j: .*cache.json, which its import reads, changes again and again")
        for _ in range(3):
            assert await desk.result("j") == '"ran"'
        assert desk.said().count("Notice") == 1


# --- who is meant -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "by"),
    [("email", "email/__init__.py"), ("queue", "queue.py"), ("acme", "acme/__init__.py")],
)
async def test_a_folder_that_another_module_hides_is_said_to_be(
    app: App, kind: str, folder: str, by: str
) -> None:
    app.write(app.site / "acme" / "__init__.py", "")
    app.write(f"{folder}/send.py", "def handler(payload):\n    return 1\n")
    async with live(app, kind, job("j", f"{folder}/send.handler")) as desk:
        error = await desk.result("j")
        hidden = f"HandlerNotFound: {folder}/send.py is hidden by another module of the same name, "
        assert error.startswith(hidden)
        assert f"{by}: rename its folder" in error


@pytest.mark.parametrize("handler", ["jobs/email.handler", "jobs/json.handler"])
async def test_a_module_in_a_package_may_have_any_name(app: App, kind: str, handler: str) -> None:
    app.write(f"{handler.removesuffix('.handler')}.py", "def handler(payload):\n    return 1\n")
    async with live(app, kind, job("j", handler)) as desk:
        assert [await desk.result("j") for _ in range(3)] == ["1"] * 3
