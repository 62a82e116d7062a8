"""``esbuild={...}`` of a job or function: what it may be. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypedDict

from devbridge.errors import did_you_mean
from devbridge.sources.base import Problem

Format = Literal["esm", "cjs"]


class Esbuild(TypedDict, total=False):
    """What of esbuild's options a job or function may set."""

    format: Format
    external: Sequence[str]
    loader: Mapping[str, str]
    define: Mapping[str, str]
    banner: str
    minify: bool
    sourcemap: bool
    splitting: bool
    tsconfig: str
    plugins: str
    keep_names: bool
    target: str | Sequence[str]
    main_fields: Sequence[str]
    conditions: Sequence[str]
    inject: Sequence[str]
    alias: Mapping[str, str]


LOADERS: Final = (
    *("base64", "binary", "copy", "css", "dataurl", "default", "empty", "file", "global-css"),
    *("js", "json", "jsx", "local-css", "text", "ts", "tsx"),
)
_FLAGS: Final = ("minify", "sourcemap", "splitting", "keep_names")
_TEXTS: Final = {
    "banner": "JavaScript as a text",
    "tsconfig": "a path below the app's folder, e.g. 'tsconfig.json'",
    "plugins": "the path of a JavaScript file whose default export is an array of esbuild plugins",
}
_LISTS: Final = {
    "external": "a list of packages, e.g. ['pg-native']",
    "main_fields": "a list of fields of package.json, e.g. ['module', 'main']",
    "conditions": "a list of conditions of package.json's exports, e.g. ['production']",
    "inject": "a list of files, e.g. ['shims/process.ts']",
}
_JOINED: Final = ("main_fields", "conditions", "target")
"""What esbuild gets with commas between."""
_MAPPINGS: Final = {
    "loader": "a mapping of file extensions, e.g. {'.txt': 'text'}",
    "define": "a mapping of names to JavaScript, e.g. {'process.env.MODE': '\"live\"'}",
    "alias": "a mapping of packages to others or to files, e.g. {'lodash': 'lodash-es'}",
}
_KEYS: Final = tuple(Esbuild.__annotations__)
_TARGET: Final = re.compile(r"(?:node\d+(?:\.\d+){0,2}|es(?:\d{1,4}|next)|esnext)", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*", re.ASCII)
_EXTENSION: Final = re.compile(r"\.[\w.-]+", re.ASCII)


def options_problem(  # noqa: PLR0911
    value: object, language: str | None
) -> Problem | None:
    """What is wrong with ``esbuild=``, and what is allowed; None if nothing is.

    Args:
        language: of the construct that has it.
    """
    if value is None:
        return None
    if language != "nodejs":
        return repr(value), "only with a runtime of Node.js, e.g. runtime='nodejs24.x'"
    if not isinstance(value, Mapping):
        return repr(value), "a mapping, e.g. {'minify': True}"
    for key, item in value.items():
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS) if isinstance(key, str) else ""
            return repr(key), f"{', '.join(_KEYS)}{hint}"
        if allowed := _disallowed(key, item):
            return f"{key}={item!r}", allowed
    if value.get("splitting") and value.get("format", "esm") != "esm":
        return "splitting=True", "only with format 'esm'"
    return None


def _disallowed(key: str, item: object) -> str:
    """What is allowed for a key, if that is not what it has."""
    if key == "format":
        return "" if item in ("esm", "cjs") else "'esm' or 'cjs'"
    if key in _FLAGS:
        return "" if isinstance(item, bool) else "True or False"
    if key in _TEXTS:
        return "" if isinstance(item, str) and item.strip() else _TEXTS[key]
    if key in _LISTS:
        return "" if _names(item, joined=key in _JOINED) else _LISTS[key]
    if key == "target":
        items: Any = [item] if isinstance(item, str) else item
        valid = _names(items, joined=True) and all(_TARGET.fullmatch(each) for each in items)
        return "" if valid else "'node22', 'es2022' or the like, or a list of them"
    return _disallowed_mapping(key, item)


def _names(items: Any, *, joined: bool) -> bool:
    return (
        isinstance(items, Sequence)
        and not isinstance(items, str)
        and all(isinstance(each, str) and each for each in items)
        and not (joined and any("," in each for each in items))
    )


def _disallowed_mapping(key: str, item: object) -> str:
    if not isinstance(item, Mapping) or not all(
        isinstance(name, str) and name and isinstance(text, str) and text
        for name, text in item.items()
    ):
        return _MAPPINGS[key]
    for name, text in item.items():
        if key == "loader" and not _EXTENSION.fullmatch(name):
            return f"{_MAPPINGS[key]}; {name!r} is no extension"
        if key == "loader" and text not in LOADERS:
            return f"one of {', '.join(LOADERS)}{did_you_mean(text, LOADERS)}"
        if key == "define" and not _NAME.fullmatch(name):
            return f"{_MAPPINGS[key]}; {name!r} is no name"
        if key == "alias" and "=" in name:
            return f"{_MAPPINGS[key]}; {name!r} is no package"
    return ""
