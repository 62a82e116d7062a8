"""The handlers of Node.js: TypeScript and JavaScript, read as text, never run.

The text tells for sure what a file exports only as long as it exports by name, one by one; all else
is let through, and said by who bundles or runs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from devbridge.sources.base import Problem, no_file
from devbridge.sources.handlers import Handler, Missing

_TEXT_OR_COMMENT: Final = re.compile(
    r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|/\*.*?\*/|//[^\n]*""", re.DOTALL
)
"""What is in a text is no comment: ``"*/*"``, ``"https://x"``."""
_DECLARED: Final = re.compile(
    r"\bexport\s+(?:declare\s+)?(?:async\s+)?(?:function\s*\*?|const|let|var|class)\s+"
    r"(?P<name>[A-Za-z_$][\w$]*)"
)
_LISTED: Final = re.compile(r"\bexport\s*\{(?P<names>[^{}]*)\}")
_DEFAULT: Final = re.compile(r"\bexport\s+default\b")
_UNKNOWN: Final = re.compile(
    r"\bexport\s*[*=]|\bexport\s+import\b|\bexports\b|\bexport\s+(?:const|let|var)\s*[\[{]"
)
"""``export *``, what CommonJS and TypeScript's own forms export, and patterns."""
_FUNCTION: Final = re.compile(r"\bfunction\s*(?P<star>\*?)|=>")
"""Where a function is written: with a star it is a generator, with an arrow it cannot be one."""
REQUIREMENT: Final = re.compile(r"((?:@[a-z0-9~][\w.~-]*/)?[a-z0-9~][\w.~-]*)(?:@([^\s@]+))?")
"""A package of npm's registry, and what versions of it: ``sharp@0.35``."""
_INSTALL: Final = (
    "a list of npm packages with or without a version, e.g. ['sharp@0.35', 'pg-native']"
)


class NodeSource:
    """Node.js, as `devbridge.sources.base.Source`."""

    suffixes = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")

    def file(self, root: Path, module: str) -> Path:
        """See `Source.file`: the first that there is, else the one in TypeScript."""
        files = [root / f"{module}{suffix}" for suffix in self.suffixes]
        return next((file for file in files if file.is_file()), files[0])

    def missing(self, root: Path, handler: Handler) -> Missing | None:
        """See `Source.missing`."""
        path = self.file(root, handler.module)
        file = path.relative_to(root).as_posix()
        if not path.is_file():
            return no_file(root, path, file, self.suffixes)
        text = _code(path)
        names = set(_exported(text))
        default = _DEFAULT.search(text)
        if handler.function in names or _UNKNOWN.search(text):
            return None
        if handler.function == "default" and default:
            return None
        what = f"{file!r} does not export {handler.function!r}"
        remedy = "it exports nothing"
        if default:
            remedy = f"its export is a default one: write `export const {handler.function} = ...`"
        return Missing(what, f"it exports: {', '.join(sorted(names))}" if names else remedy)

    def is_generator(self, root: Path, handler: Handler) -> bool | None:
        """See `Source.is_generator`: of what is declared in the file itself, as it stands or within
        `jobHandler(...)`."""
        path = self.file(root, handler.module)
        return _yields(_code(path), handler.function) if path.is_file() else None

    def install_problem(self, install: tuple[str, ...]) -> Problem | None:
        """The first name that npm would not take for a package of its registry."""
        for name in install:
            if not REQUIREMENT.fullmatch(name):
                return repr(name), _INSTALL
        return None

    def environment_problem(
        self,
        root: Path,  # noqa: ARG002
        environment: Mapping[str, str],
        known: tuple[str, ...],  # noqa: ARG002
    ) -> Problem | None:
        """NODE_PATH, which only CommonJS would heed, and no bundle."""
        if "NODE_PATH" in environment:
            return repr({"NODE_PATH": environment["NODE_PATH"]}), (
                "no NODE_PATH: what is imported is found when it is bundled (tsconfig's paths,"
                " workspaces)"
            )
        return None

    def changed(self, file: Path) -> None:
        """See `Source.changed`: nothing is kept."""

    def folders(self, environment: Mapping[str, str]) -> tuple[str, ...]:  # noqa: ARG002
        """None: modules are found from the file that imports them."""
        return ()


def _code(path: Path) -> str:
    """A file's text without its comments."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return _TEXT_OR_COMMENT.sub(lambda found: found[1] or "", text)


def _yields(text: str, name: str) -> bool | None:
    """Whether what a file exports by that name is a generator; None if its text does not tell."""
    if name == "default":
        begin = export = r"\bexport\s+default\s+"
    else:
        listed = any(
            name in map(str.strip, found["names"].split(",")) for found in _LISTED.finditer(text)
        )
        begin = rf"\b(?:const|let|var)\s+{re.escape(name)}\s*(?::[^=;]*(?:=>[^=;]*)*)?=(?!>)\s*"
        export = "" if listed else r"\bexport\s+"
        begin = export + begin
    own = "" if name == "default" else rf"{re.escape(name)}\b"
    function = rf"{export}(?:async\s+)?\bfunction\b\s*(?P<star>\*?)\s*{own}"
    if declared := re.search(function, text):
        return bool(declared["star"])
    if not (given := re.search(begin, text)):
        return None
    rest = re.split(r"\n\s*export\b", text[given.end() :], maxsplit=1)[0]
    if not (first := _FUNCTION.search(rest)):
        return None
    before = rest[: first.start()]
    if re.match(r"jobHandler\b", before):
        stars = [bool(found["star"]) for found in _FUNCTION.finditer(rest)]
        return stars[0] if stars[0] or not any(stars) else None
    written = r"\s*(?:async\b)?\s*" if first[0] != "=>" else r"\s*(?:async\b)?\s*[\w$(][^;]*"
    return bool(first["star"]) if re.fullmatch(written, before) else None


def _exported(text: str) -> Iterator[str]:
    for found in _DECLARED.finditer(text):
        yield found["name"]
    for found in _LISTED.finditer(text):
        for item in filter(None, map(str.strip, found["names"].split(","))):
            yield item.split()[-1]
