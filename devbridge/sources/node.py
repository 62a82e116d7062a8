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
        text = path.read_text(encoding="utf-8", errors="replace")
        text = _TEXT_OR_COMMENT.sub(lambda found: found[1] or "", text)
        names = set(_exported(text))
        default = _DEFAULT.search(text)
        if handler.function in names or _UNKNOWN.search(text):
            return None
        if handler.function == "default" and default:
            return None
        what = f"{file!r} does not export {handler.function!r}"
        if default:
            return Missing(
                what,
                f"its export is a default one: write `export const {handler.function} = ...`",
            )
        return Missing(
            what, f"it exports: {', '.join(sorted(names))}" if names else "it exports nothing"
        )

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


def _exported(text: str) -> Iterator[str]:
    for found in _DECLARED.finditer(text):
        yield found["name"]
    for found in _LISTED.finditer(text):
        for item in filter(None, map(str.strip, found["names"].split(","))):
            yield item.split()[-1]
