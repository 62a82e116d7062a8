"""Bundles of handlers, as they are deployed; and the esbuild that makes them."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from devbridge.errors import BundleError, ToolMissing
from devbridge.languages.node import messages, source_maps
from devbridge.languages.node.binary import Esbuild, find_esbuild
from devbridge.languages.node.driver import Driver
from devbridge.languages.node.esbuild import (
    Builds,
    Request,
    Result,
    Service,
    ServiceEnded,
)
from devbridge.languages.node.graph import ENTRY, Graph
from devbridge.languages.node.options import build_options, extension
from devbridge.languages.node.own_package import node_path
from devbridge.languages.node.tools import find_node, major, tool_environment
from devbridge.sources.node import NodeSource
from runner.outcome import Failure

SOURCE: Final = NodeSource()


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose bundle is wanted, and how."""

    root: Path
    """The app's folder."""
    handler: str
    """``jobs/resize.handler``"""
    options: Mapping[str, Any] = field(default_factory=dict)
    """``esbuild={...}``"""
    runtime: str = "nodejs24.x"
    external: tuple[str, ...] = ()
    """Packages that are installed beside the bundle."""

    @property
    def module(self) -> str:
        """``jobs/resize``"""
        return self.handler.rpartition(".")[0]

    @property
    def function(self) -> str:
        """``handler``"""
        return self.handler.rpartition(".")[2]

    @property
    def name(self) -> str:
        """The bundle's: ``jobs/resize.mjs``."""
        return f"{self.module}{extension(self.options)}"  # type: ignore[arg-type]

    def source(self) -> Path:
        """The handler's file.

        Raises:
            BundleError: there is none.
        """
        if (path := SOURCE.file(self.root, self.module)).is_file():
            return path
        text = f"the handler's file {self.module!r} does not exist, with any of"
        text = f"{text} {', '.join(SOURCE.suffixes)}"
        failure = Failure("BundleError", text)
        folder = str((self.root / self.module).parent)
        remedy = "create it, or correct the path"
        raise BundleError(failure, where=self.handler, remedy=remedy, files=(folder,))


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle."""

    files: Mapping[str, bytes] = field(repr=False)
    """The bundle, its source map, and what belongs to it, by their paths in the app's folder."""
    graph: Graph = field(repr=False)
    warnings: tuple[str, ...] = ()


class Bundles:
    """Makes bundles. Its methods may be called from any thread.

    Args:
        environ: where tools and npm's registry are looked for.
        cache: the folder that keeps what is fetched.
        told: is told what is worth a line, once.
    """

    def __init__(
        self, environ: Mapping[str, str], cache: Path, told: Callable[[str], None] = lambda _: None
    ) -> None:
        self.environ = environ
        self.cache = cache
        self._told = told
        self._lock = threading.Lock()
        self._found: dict[Path, Esbuild] = {}
        self._running: dict[tuple[Path, str], Service | Driver] = {}
        self._kept: dict[str, tuple[Service | Driver, Builds]] = {}
        self._closed = False

    def esbuild(self, root: Path) -> Esbuild:
        """The esbuild of an app, found once.

        Raises:
            ToolMissing: there is none.
        """
        with self._lock:
            if root not in self._found:
                self._found[root] = find_esbuild(root, self.environ, self.cache)
            return self._found[root]

    def deployed(self, asked: Asked, target: str = "") -> Made:
        """A bundle as it is deployed.

        Args:
            target: what it must run on, if not the runtime's Node: ``node22``.

        Raises:
            BundleError: it cannot be made.
            ToolMissing: there is no esbuild.
        """
        wanted = target or f"node{major(asked.runtime)}"
        request = self.request(asked, str(asked.root), wanted)
        made = self.made(asked, self.built(asked, request, keep=False), asked.root)
        files = {
            name: source_maps.deployed(name, body, asked.root) for name, body in made.files.items()
        }
        return Made(files, made.graph, made.warnings)

    def request(
        self,
        asked: Asked,
        outdir: str,
        target: str,
        *,
        runs_at: str = "",
        replaced: Mapping[str, str] = {},
    ) -> Request:
        """What esbuild is told for a handler.

        Raises:
            BundleError: the handler's file, or that of its plugins, does not exist.
        """
        source = asked.source().relative_to(asked.root).as_posix()
        return Request(
            asked.root,
            build_options(
                asked.options,  # type: ignore[arg-type]
                asked.module,
                outdir=outdir,
                target=target,
                external=asked.external,
                runs_at=runs_at,
            ),
            f"export {{ {asked.function} }} from {json.dumps(f'./{source}')};\n",
            (node_path(self.cache),),
            *self._plugins(asked),
            replaced,
        )

    def _plugins(self, asked: Asked) -> tuple[str, int]:
        """The file of the plugins, and when it was changed."""
        name = asked.options.get("plugins")
        if not name:
            return "", 0
        path = asked.root / name
        if not path.is_file():
            failure = Failure(
                "BundleError", f"the file of esbuild's plugins, {name!r}, does not exist"
            )
            raise BundleError(failure, where=asked.handler, remedy="create it, or correct the path")
        return str(path), path.stat().st_mtime_ns

    def built(self, asked: Asked, request: Request, *, keep: bool = True) -> Result:
        """What esbuild makes of a request; an esbuild that has ended is started once more.

        Args:
            keep: it will be asked again, and is to be faster then.

        Raises:
            BundleError: esbuild does not take the request, or ends twice.
            ToolMissing: there is no esbuild.
        """
        for again in (True, False):
            try:
                return self._built(request, keep)
            except ValueError as error:
                failure = Failure("BundleError", str(error))
                raise BundleError(failure, where=asked.handler) from error
            except ServiceEnded as error:
                if not again or self._closed:
                    failure = Failure("BundleError", f"esbuild does not work: {error}")
                    raise BundleError(failure, where=asked.handler) from error
        raise AssertionError  # pragma: no cover

    def _built(self, request: Request, keep: bool) -> Result:
        service = self._service(request)
        key = _key(request)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept[0] is service:
            return kept[1].rebuild()
        builds = service.context(request)
        try:
            result = builds.rebuild()
        except BaseException:
            keep = False
            raise
        finally:
            if keep:
                with self._lock:
                    self._kept[key] = (service, builds)
            else:
                with contextlib.suppress(ServiceEnded, ValueError):
                    builds.dispose()
        return result

    def forget(self, request: Request) -> None:
        """That request will not come again."""
        key = _key(request)
        with self._lock:
            kept = self._kept.pop(key, None)
        if kept is not None:
            with contextlib.suppress(ServiceEnded, ValueError):
                kept[1].dispose()

    def _service(self, request: Request) -> Service | Driver:
        found = self.esbuild(request.root)
        kind = "driver" if request.plugins or not found.served else "service"
        with self._lock:
            if self._closed:
                raise ServiceEnded("it is closed")
            running = self._running.get((request.root, kind))
            if running is None or not running.alive:
                if running is not None:
                    running.close()
                    self._told("esbuild has ended, and is started again")
                running = self._running[request.root, kind] = self._started(found, kind, request)
            return running

    def _started(self, found: Esbuild, kind: str, request: Request) -> Service | Driver:
        environ = tool_environment(self.environ)
        if kind == "service":
            assert found.binary is not None  # noqa: S101
            return Service(found.binary, found.version, environ)
        if found.package is None:
            raise ToolMissing(
                "esbuild's plugins need the project's own esbuild",
                where=request.plugins,
                remedy="npm install --save-dev esbuild",
            )
        return Driver(find_node(self.environ).path, found.package, environ)

    def made(self, asked: Asked, result: Result, outdir: Path) -> Made:
        """The bundle that esbuild has made.

        Args:
            outdir: the folder that esbuild was told to write to.

        Raises:
            BundleError: it has not made any.
        """
        if result.errors:
            if all(each.location and each.location.file == ENTRY for each in result.errors):
                raise self._unexported(asked)
            error = messages.bundle_error(result.errors, asked.root, asked.handler)
            error.files |= {str(asked.source())}
            raise error
        files = {e.path.relative_to(outdir).as_posix(): e.contents for e in result.outputs}
        warnings = [messages.warning(each, asked.root) for each in result.warnings]
        return Made(files, Graph(result.metafile, asked.root), tuple(dict.fromkeys(warnings)))

    def _unexported(self, asked: Asked) -> BundleError:
        file = asked.source().relative_to(asked.root).as_posix()
        names = self.exports(asked)
        text = f"{file!r} exports no {asked.function!r}"
        if names == ["default"]:
            text += f", only a default: write 'export const {asked.function} = ...'"
        elif names:
            text += f"; it exports: {', '.join(sorted(names))}"
        else:
            text += "; it exports nothing"
        files = (str(asked.source()),)
        return BundleError(Failure("HandlerNotFound", text), where=asked.handler, files=files)

    def processes(self) -> list[int]:
        """The process ids of the esbuilds that run."""
        with self._lock:
            return [each.pid for each in self._running.values() if each.alive]

    def close(self) -> None:
        """End what was started."""
        with self._lock:
            self._closed = True
            running, self._running, self._kept = [*self._running.values()], {}, {}
        for each in running:
            each.close()

    def exports(self, asked: Asked) -> list[str]:
        """What the handler's file exports, as far as it can be told."""
        request = self.request(asked, str(asked.root), "esnext")
        source = json.dumps(f"./{asked.source().relative_to(asked.root).as_posix()}")
        found: list[str] = []
        for text in (f"export * from {source};\n", f"export {{ default }} from {source};\n"):
            result = self.built(asked, replace(request, entry=text), keep=False)
            for told in result.metafile.get("outputs", {}).values():
                if told.get("entryPoint") == ENTRY and not result.errors:
                    found += told["exports"]
        return found


def _key(request: Request) -> str:
    told = [str(request.root), request.options, request.entry, request.replaced]
    return json.dumps([*told, request.plugins, request.plugins_changed])
