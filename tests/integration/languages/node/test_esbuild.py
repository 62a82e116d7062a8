from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.languages.node.binary import VERSION, fetched
from devbridge.languages.node.esbuild import LOADED, TESTED, Builds, Request, Service, ServiceEnded
from devbridge.languages.node.options import build_options
from devbridge.languages.node.packets import packet
from tests.integration.languages.node.conftest import CACHE, Write
from tests.npm import project


def binary() -> Path:
    found = fetched(Path.cwd(), os.environ, CACHE).binary
    assert found is not None
    return found


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service(binary(), VERSION, os.environ)
    yield made
    made.close()


def request(root: Path, entry: str = "export * from './a.ts'", **more: Any) -> Request:
    options = build_options({}, "a", outdir=str(root / "out"), target="node22")
    return Request(root, options, entry, **more)


def test_a_context_builds_what_the_files_are_now(service: Service, write: Write) -> None:
    root = write({"a.ts": "export const a: number = 1"})
    context = service.context(request(root))
    first = context.rebuild()
    assert b"var a = 1" in first.outputs[1].contents
    assert [output.path.name for output in first.outputs] == ["a.mjs.map", "a.mjs"]
    assert set(first.metafile["inputs"]) == {"a.ts", "devbridge-entry.mjs"}
    assert not (root / "out").exists()
    write({"a.ts": "export const a = 2"})
    assert b"var a = 2" in context.rebuild().outputs[1].contents
    write({"a.ts": "export const a = ;"})
    [error] = context.rebuild().errors
    assert error.text == 'Unexpected ";"'
    assert error.location is not None
    assert (error.location.file, error.location.line, error.location.column) == ("a.ts", 1, 17)
    assert error.location.text == "export const a = ;"
    write({"a.ts": "export const a = 3"})
    assert context.rebuild().errors == ()
    context.dispose()


def test_threads_may_build_at_the_same_time(service: Service, write: Write) -> None:
    root = write({f"{n}.ts": f"export const n = {n}" for n in range(8)})
    made: dict[int, bytes] = {}

    def build(number: int) -> None:
        context = service.context(request(root, f"export * from './{number}.ts'"))
        for _ in range(5):
            made[number] = context.rebuild().outputs[1].contents

    threads = [threading.Thread(target=build, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f"n = {n};".encode() in made[n] for n in range(8))


def test_one_context_may_be_built_by_several_threads(service: Service, write: Write) -> None:
    root = write({"a.ts": "export const a = 1"})
    context = service.context(request(root))
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(len(context.rebuild().outputs)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [2] * 6


def test_a_file_may_be_replaced_and_import_what_node_has_loaded(
    service: Service, write: Write
) -> None:
    root = write({"a.ts": "export { x } from './b (1)+.js'", "b (1)+.js": "export const x = 1"})
    text = f'export {{ x }} from "{LOADED}file:///else/where.js"'
    replaced = {str(root / "b (1)+.js"): text}
    result = service.build(request(root, replaced=replaced))
    assert b'import { x } from "file:///else/where.js";' in result.outputs[1].contents


def test_what_esbuild_does_not_take_is_an_error_and_the_service_goes_on(
    service: Service, write: Write
) -> None:
    root = write({"a.ts": ""})
    with pytest.raises(ValueError, match="no-such-option"):
        service.build(Request(root, {"noSuchOption": "x"}, ""))
    assert service.build(request(root)).errors == ()


def again(builds: Builds) -> None:
    for _ in range(100):
        builds.rebuild()


def test_one_that_dies_fails_whoever_waits_for_it(service: Service, write: Write) -> None:
    context = service.context(request(write({"a.ts": ""})))
    os.kill(service.pid, signal.SIGKILL)
    with pytest.raises(ServiceEnded):
        again(context)
    with pytest.raises(ServiceEnded):
        service.ask({"command": "ping"})


def test_one_that_says_what_nobody_understands_fails_whoever_waits_for_it(tmp_path: Path) -> None:
    said = (1).to_bytes(4, "little") + b"9" + packet(0, {"command": "on-resolve"}, answers=False)
    program = tmp_path / "esbuild"
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"sys.stdout.buffer.write({said!r})\n"
        "sys.stdout.flush()\nsys.stdin.read()\n"
    )
    program.chmod(0o755)
    service = Service(program, "9", os.environ)
    with pytest.raises(ServiceEnded):
        service.ask({"command": "ping"})
    service.close()


def test_another_version_and_another_program_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ServiceEnded, match=r"is not esbuild 0\.1\.0"):
        Service(binary(), "0.1.0", os.environ)
    with pytest.raises(ServiceEnded, match="is not esbuild"):
        Service(Path("/bin/true"), VERSION, os.environ)
    with pytest.raises(ServiceEnded, match="does not start"):
        Service(tmp_path / "nothing", VERSION, os.environ)


def test_it_ends_with_whoever_has_started_it() -> None:
    code = (
        "import sys, time; from pathlib import Path;"
        "from devbridge.languages.node.esbuild import Service;"
        f"print(Service(Path({str(binary())!r}), {VERSION!r}, {{}}).pid, flush=True);"
        "time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    parent.kill()
    parent.wait()
    parent.stdout.close()
    if descriptor is not None:
        import select

        assert select.select([descriptor], [], [], 30)[0]
        os.close(descriptor)


@pytest.mark.parametrize("version", sorted(TESTED - {VERSION}))
def test_each_version_that_is_spoken_to_understands(version: str, write: Write) -> None:
    modules = project("esbuild", {"esbuild": version}) / "node_modules"
    [found] = modules.glob("@esbuild/*/bin/esbuild")
    service = Service(found, version, os.environ)
    try:
        root = write({"a.ts": "export * from './b.js'", "b.js": "export const x = 1"})
        replaced = {str(root / "b.js"): f'export {{ x }} from "{LOADED}file:///x.js"'}
        context = service.context(request(root, replaced=replaced))
        for _ in range(2):
            assert b'"file:///x.js"' in context.rebuild().outputs[1].contents
        context.dispose()
    finally:
        service.close()
