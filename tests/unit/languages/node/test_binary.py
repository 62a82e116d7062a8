from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devbridge.errors import ToolMissing
from devbridge.languages.node import binary
from devbridge.languages.node.binary import VERSION, fetched, find_esbuild, own_esbuild, system


def package(folder: Path, manifest: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps(manifest))


def esbuild(modules: Path, version: str, *, inside: bool = False) -> Path:
    """An esbuild in that ``node_modules``, with its platform's package beside or in it."""
    package(modules / "esbuild", {"version": version})
    place = modules / "esbuild" / "node_modules" if inside else modules
    executable = place / "@esbuild" / system() / "bin" / "esbuild"
    executable.parent.mkdir(parents=True)
    executable.touch(0o755)
    return executable


@pytest.mark.parametrize("key", ["dependencies", "devDependencies"])
def test_the_projects_own_is_one_that_its_package_json_names(key: str, tmp_path: Path) -> None:
    executable = esbuild(tmp_path / "node_modules", VERSION)
    package(tmp_path, {key: {"vite": "1"}})
    assert own_esbuild(tmp_path) is None  # another package brought it
    package(tmp_path, {key: {"esbuild": "^0.28"}})
    found = own_esbuild(tmp_path)
    assert found is not None
    assert (found.version, found.binary, found.served) == (VERSION, executable, True)
    assert found.text() == f"esbuild {VERSION}, the project's own"


def test_a_workspace_has_it_above_or_in_the_package(tmp_path: Path) -> None:
    app = tmp_path / "packages" / "app"
    package(tmp_path, {"devDependencies": {"esbuild": "*"}})
    package(app, {})
    above = esbuild(tmp_path / "node_modules", VERSION)
    assert (found := own_esbuild(app)) is not None
    assert found.binary == above
    package(app, {"devDependencies": {"esbuild": "*"}})
    inner = esbuild(app / "node_modules", "0.25.0", inside=True)
    assert (found := own_esbuild(app)) is not None
    assert (found.binary, found.served) == (inner, False)
    assert "run by node: slower" in found.text()


def test_pnpm_links_it_and_its_platforms_package_lies_beside_what_is_linked(
    tmp_path: Path,
) -> None:
    package(tmp_path, {"devDependencies": {"esbuild": "*"}})
    store = tmp_path / "node_modules" / ".pnpm" / f"esbuild@{VERSION}" / "node_modules"
    executable = esbuild(store, VERSION)
    (tmp_path / "node_modules" / "esbuild").symlink_to(store / "esbuild")
    assert (found := own_esbuild(tmp_path)) is not None
    assert (found.binary, found.package) == (executable, store / "esbuild")


def test_one_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    package(tmp_path, {"devDependencies": {"esbuild": "*"}})
    with pytest.raises(ToolMissing, match="the project's esbuild is not installed") as caught:
        find_esbuild(tmp_path, {}, tmp_path / "cache")
    assert "npm install" in str(caught.value.remedy)
    (tmp_path / ".pnp.cjs").touch()
    with pytest.raises(ToolMissing, match="Yarn's Plug'n'Play") as caught:
        own_esbuild(tmp_path)
    assert "nodeLinker: node-modules" in str(caught.value.remedy)


@pytest.mark.parametrize("text", ["", "[]", '{"dependencies": 3}', "\xff"])
def test_a_broken_package_json_names_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(text, encoding="latin-1")
    assert own_esbuild(tmp_path) is None


def tarball(name: str = "package/bin/esbuild", text: bytes = b"#!/bin/sh\n") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


class Registry:
    """An npm registry that has one file."""

    def __init__(self) -> None:
        self.body = tarball()
        self.asked: list[tuple[str, str | None]] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append((self.path, self.headers["Authorization"]))
                self.send_response(200 if registry.body else 404)
                self.end_headers()
                self.wfile.write(registry.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/npm/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,)).start()

    def pin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What it has is what is expected."""
        digest = base64.b64encode(hashlib.sha512(self.body).digest()).decode()
        monkeypatch.setattr(binary, "SHA512", {system(): digest})


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_it_is_fetched_once_from_the_projects_registry(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.pin(monkeypatch)
    package(tmp_path, {})
    host = registry.url.partition(":")[2]
    (tmp_path / ".npmrc").write_text(f"registry={registry.url}\n{host}:_authToken=secret\n")
    for _ in range(2):
        found = find_esbuild(tmp_path, {}, tmp_path / "cache")
    name = system()
    path = f"/npm/@esbuild/{name}/-/{name}-{VERSION}.tgz"
    assert registry.asked == [(path, "Bearer secret")]
    assert found.binary is not None
    assert found.binary.read_bytes() == b"#!/bin/sh\n"
    assert found.binary.stat().st_mode & 0o777 == 0o755
    assert found.text() == f"esbuild {VERSION}, fetched by devbridge"


def test_what_is_not_what_it_should_be_is_refused_and_not_kept(
    tmp_path: Path, registry: Registry
) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(ToolMissing, match=f"is not esbuild {VERSION}: its SHA-512") as caught:
        fetched(tmp_path, {"npm_config_registry": registry.url}, cache)
    assert str(caught.value.where).startswith(registry.url)
    assert not cache.exists()


def test_no_network_and_no_such_file_are_errors_with_what_to_do(
    tmp_path: Path, registry: Registry
) -> None:
    registry.body = b""
    with pytest.raises(ToolMissing, match="the registry says 404"):
        fetched(tmp_path, {"npm_config_registry": registry.url}, tmp_path / "cache")
    with pytest.raises(ToolMissing, match="cannot be fetched") as caught:
        fetched(tmp_path, {"npm_config_registry": "http://127.0.0.1:9"}, tmp_path / "cache")
    assert "npm install --save-dev esbuild" in str(caught.value.remedy)
    with pytest.raises(ToolMissing, match="cannot be fetched"):
        fetched(tmp_path, {"npm_config_registry": "nonsense"}, tmp_path / "cache")


def test_there_are_machines_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "SHA512", {})
    with pytest.raises(ToolMissing, match="there is no esbuild for"):
        fetched(tmp_path, {}, tmp_path)


def test_each_platform_has_a_whole_sha512() -> None:
    assert {"linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"} < set(binary.SHA512)
    assert {len(base64.b64decode(text)) for text in binary.SHA512.values()} == {64}
