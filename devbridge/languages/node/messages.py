"""esbuild's messages in the house's words: what is wrong, where, and what to do.

Pure, but for a look at which packages and files there are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from devbridge.errors import BundleError, did_you_mean
from devbridge.languages.node.esbuild import Location, Message
from runner.outcome import Failure

_UNRESOLVED: Final = re.compile(r'Could not resolve "(?P<name>.+)"')
_NO_EXPORT: Final = re.compile(r'No matching export in "(?P<file>.+)" for import "(?P<name>.+)"')
_AWAIT: Final = re.compile(r'Top-level await is currently not supported with the "cjs"')
_LOADER: Final = re.compile(r'No loader is configured for "(?P<extension>.+)" files')
_TARGET: Final = re.compile(r"to the configured target environment")
_OTHERS: Final = re.compile(
    r"Could not|No matching|Cannot |Failed|Top-level await|No loader|Must use|Refusing|Two output|"
    r"Transforming|Ambiguous import|The .* is marked as external|Package subpath|\[plugin"
)
"""How messages begin that are of no syntax."""
_BARE: Final = re.compile(r"(?P<package>(?:@[\w.~-]+/)?[\w~-][\w.~-]*)(?:/.*)?")
_WIDE: Final = 120
"""Characters of a line that are shown."""
_BEFORE: Final = 60
_SHOWN: Final = 5
"""Further errors that are told one by one."""


def bundle_error(errors: Sequence[Message], root: Path, what: str) -> BundleError:
    """The error for what esbuild says, the first first.

    Args:
        errors: at least one.
        root: the folder that was built in.
        what: whose bundle it is, for those without a place.
    """
    errors = [_placed_by_user(each) for each in errors]
    first = errors[0]
    text, remedy = said(first, root)
    further = [f"{placed(each.location)}: {said(each, root)[0]}" for each in errors[1:]]
    if len(further) > _SHOWN:
        further = [*further[:_SHOWN], f"and {len(further) - _SHOWN} more errors"]
    failure = Failure(
        kind(first),
        f"{text}; {remedy}" if remedy else text,
        (frame(first.location),) if first.location else (),
        tuple(line for each in errors for line in _traced(each, root)),
        tuple(further),
    )
    return BundleError(
        failure,
        where=placed(first.location) if first.location else what,
        remedy=remedy or None,
        files={path for each in errors for path in _mending(each, root)},
    )


def _mending(message: Message, root: Path) -> Iterator[str]:
    """What may mend an error when it changes."""
    if message.location is None:
        return
    file = root / message.location.file
    yield os.path.normpath(file)
    found = _UNRESOLVED.match(message.text)
    if found and found["name"].startswith("."):
        yield os.path.normpath((file.parent / found["name"]).parent)


def _placed_by_user(message: Message) -> Message:
    """Without the place in esbuild's own code, which has called a plugin."""
    inside = message.location and "node_modules/esbuild/" in message.location.file
    return replace(message, location=None) if message.plugin and inside else message


def kind(message: Message) -> str:
    """``SyntaxError`` or ``BundleError``."""
    if message.plugin or message.location is None or _OTHERS.match(message.text):
        return "BundleError"
    return "BundleError" if _TARGET.search(message.text) else "SyntaxError"


def said(message: Message, root: Path) -> tuple[str, str]:
    """What a message says, and what to do about it; the latter may be empty."""
    text = message.text
    if message.plugin:
        return f"plugin {message.plugin!r}: {text}", ""
    if found := _UNRESOLVED.match(text):
        return _unresolved(found["name"], message, root)
    if found := _NO_EXPORT.match(text):
        return f"{found['file']!r} has no export {found['name']!r}", ""
    if _AWAIT.match(text):
        what = "top-level await is not possible in CommonJS"
        return what, "leave esbuild's format at 'esm', or move the await into the handler"
    if found := _LOADER.match(text):
        extension = found["extension"]
        return (
            f"esbuild does not know what to do with {extension!r} files",
            f"say it: esbuild={{'loader': {{{extension!r}: 'text'}}}}, or 'binary', 'file', 'copy'",
        )
    return text, ""


def _unresolved(name: str, message: Message, root: Path) -> tuple[str, str]:
    importer = root / message.location.file if message.location else root / "x"
    text = f"cannot resolve {name!r}"
    if message.location:
        text += f", which {message.location.file!r} imports"
    if name.startswith((".", "/")):
        return text, _near(importer.parent, name)
    found = _BARE.fullmatch(name)
    if found is None or name.startswith("#"):
        return text, ""
    package = found["package"]
    if package == "devbridge":
        return text, "import from 'devbridge/job' or 'devbridge/resources'"
    for folder in (importer.parent, *importer.parents):
        if (folder / "node_modules" / package).exists():
            notes = " ".join(
                note.text for note in message.notes if "mark the path" not in note.text
            )
            return f"{text} of the package {package!r}", notes
    return text, f"npm install {package}, or correct the name"


def _near(folder: Path, name: str) -> str:
    """Files whose names are nearly that of one that is missing."""
    wanted = folder / name
    try:
        names = {each.stem: each.name for each in wanted.parent.iterdir()}
    except OSError:
        return f"there is no folder {wanted.parent.name!r}"
    hint = did_you_mean(wanted.stem, names).removeprefix("; ")
    return hint or "create it, or correct the path"


def placed(location: Location | None) -> str:
    """``jobs/resize.ts:3:7``"""
    if location is None:
        return "esbuild"
    return f"{location.file}:{location.line}:{_column(location) + 1}"


def _column(location: Location) -> int:
    """Characters before it in its line."""
    return len(location.text.encode()[: location.column].decode(errors="ignore"))


def frame(location: Location) -> str:
    """The place, its line, and a caret below it."""
    column, line = _column(location), location.text
    if len(line) > _WIDE:
        begin = max(0, column - _BEFORE)
        cut = line[begin : begin + _WIDE]
        line = f"{'...' * (begin > 0)}{cut}{'...' * (begin + _WIDE < len(line))}"
        column = column - begin + 3 * (begin > 0)
    stripped = line.lstrip()
    column = max(0, column - (len(line) - len(stripped)))
    lead = "".join("\t" if each == "\t" else " " for each in stripped[:column])
    return f"{placed(location)}\n    {stripped.rstrip()}\n    {lead}^"


def _traced(message: Message, root: Path) -> list[str]:
    lines = [f"{kind(message)}: {said(message, root)[0]}"]
    if message.location:
        lines += [f"  {line}" for line in frame(message.location).splitlines()]
    for note in message.notes:
        where = f"{placed(note.location)}: " if note.location else ""
        lines.append(f"  note: {where}{note.text}")
    return lines


def warning(message: Message, root: Path) -> str:
    """A warning, in one line."""
    text, remedy = said(message, root)
    told = f"{placed(message.location)}: {text}" if message.location else text
    notes = [note.text for note in message.notes if note.text][:1]
    return "; ".join(filter(None, (told, remedy, *notes)))
