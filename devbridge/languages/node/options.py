"""``esbuild={...}`` of a job or function: what esbuild is told. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbridge.sources.esbuild import Esbuild, Format

# Nobody else's names: they stand beside the user's own in one scope.
_OWN: Final = "__devbridge_{}_b7e1c2"
FILENAME: Final = _OWN.format("filename")
DIRNAME: Final = _OWN.format("dirname")
URL: Final = _OWN.format("url")
REQUIRE: Final = _OWN.format("require")
"""Node's own `require` in a bundle."""
_DECLARES: Final = re.compile(r"\b(?:const|let|var|function)\s+require\b|\bas\s+require\b")
ALWAYS_EXTERNAL: Final = ("pg-native",)
"""What is asked for only where it is installed, and could not be bundled."""


def extension(options: Esbuild) -> str:
    """Of a bundle: what tells Node its format."""
    return ".cjs" if options.get("format") == "cjs" else ".mjs"


def build_options(
    options: Esbuild,
    module: str,
    *,
    outdir: str,
    target: str,
    external: Sequence[str] = (),
    runs_at: str = "",
) -> dict[str, Any]:
    """What esbuild's JavaScript API is told to bundle a module.

    Paths are as if the bundle lay at its place in the app's folder, also where it does not.

    Args:
        module: ``jobs/resize``; the bundle gets this name below `outdir`.
        target: the Node it must run on, e.g. ``node24``.
        external: packages that are never bundled.
        runs_at: the absolute path that a bundle takes itself for; empty: where it is.
    """
    form = options.get("format", "esm")
    named = [*dict.fromkeys((*ALWAYS_EXTERNAL, *external, *options.get("external", ())))]
    given = options.get("target")
    told: dict[str, Any] = {
        "bundle": True,
        "platform": "node",
        "format": form,
        "target": [given] if isinstance(given, str) else list(given or [target]),
        "outdir": outdir,
        "outExtension": {".js": extension(options)},
        "entryNames": module,
        "chunkNames": f"{module.rpartition('/')[0] or '.'}/[name]-[hash]",
        "assetNames": f"{module.rpartition('/')[0] or '.'}/[name]-[hash]",
        "allowOverwrite": True,
        "charset": "utf8",
        "logOverride": {"unsupported-require-call": "warning", "indirect-require": "warning"},
        "keepNames": options.get("keep_names", True),
        "minify": options.get("minify", False),
        "sourcemap": options.get("sourcemap", True),
        "splitting": options.get("splitting", False),
        "external": named,
        "loader": {".node": "copy", ".wasm": "binary", **options.get("loader", {})},
        "define": {**_defined(form, runs_at), **options.get("define", {})},
        "banner": {"js": _banner(form, runs_at, options.get("banner", ""))},
        "inject": list(options.get("inject", ())),
        "alias": dict(options.get("alias", {})),
    }
    if "tsconfig" in options:
        told["tsconfig"] = options["tsconfig"]
    if "main_fields" in options:
        told["mainFields"] = list(options["main_fields"])
    if "conditions" in options:
        told["conditions"] = list(options["conditions"])
    return told


def _defined(form: Format, runs_at: str) -> dict[str, str]:
    """A name that the user's code declares itself is left alone: only free ones are replaced."""
    if form == "esm":
        defined = {"__filename": FILENAME, "__dirname": DIRNAME}
        if runs_at:
            own = {"url": URL, "filename": FILENAME, "dirname": DIRNAME}
            defined |= {f"import.meta.{key}": name for key, name in own.items()}
        return defined
    defined = {"__filename": FILENAME, "__dirname": DIRNAME} if runs_at else {}
    return {**defined, "import.meta.url": URL}


def _banner(form: Format, runs_at: str, added: str) -> str:
    """What CommonJS code expects, and ES modules have not; then the user's own."""
    place = json.dumps(runs_at) if runs_at else ""
    if form == "cjs":
        own = f"const {REQUIRE}=require,{FILENAME}={place or '__filename'},"
        own += f'{DIRNAME}=require("node:path").dirname({FILENAME}),'
        own += f'{URL}=require("node:url").pathToFileURL({FILENAME}).href;'
    else:
        names = ("create_require", "to_path", "to_url", "dirname_of")
        create, to_path, to_url, dirname = map(_OWN.format, names)
        own = f'import{{createRequire as {create}}}from"node:module";'
        own += f'import{{fileURLToPath as {to_path},pathToFileURL as {to_url}}}from"node:url";'
        own += f'import{{dirname as {dirname}}}from"node:path";'
        own += f"const {REQUIRE}={create}(import.meta.url),"
        own += f"{FILENAME}={place or f'{to_path}(import.meta.url)'},"
        own += f"{DIRNAME}={dirname}({FILENAME}),{URL}={to_url}({FILENAME}).href;"
        if not _DECLARES.search(added):
            own += f"const require={REQUIRE};"
    return f"{own}\n{added}" if added else own


def flags(told: Mapping[str, Any]) -> tuple[str, ...]:
    """The same for esbuild's command line and service.

    Args:
        told: as `build_options` makes it.
    """
    made: list[str] = []
    for key, value in told.items():
        name = re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", key)
        match value:
            case True:
                made.append(f"--{name}")
            case False | None:
                continue
            case str():
                made.append(f"--{name}={value}")
            case Mapping():
                made += [f"--{name}:{item}={text}" for item, text in value.items()]
            case _ if key in ("external", "inject"):
                made += [f"--{name}:{item}" for item in value]
            case _:
                made.append(f"--{name}={','.join(value)}")
    return tuple(made)
