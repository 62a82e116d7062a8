"""What others wrote, made fit for a terminal: the one place that decides what may reach it.

Colours pass (SGR, ``ESC [ ... m``: ECMA-48, 8.3.117) and are closed at the end of their line. What
else a terminal obeys, and what reorders text, is shown as text: ``\\x1b``, ``\\u202e``. Pure.

By hand: `click.unstyle` knows the sequences that begin with ``ESC [``, and none of the others.
"""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol, TextIO

RESET: Final = "\x1b[0m"
LONGEST_COLOUR: Final = len("\x1b[") + 64 + len("m")
"""Characters of a sequence that colours."""

_SGR: Final = "\x1b\\[[0-9;:]{0,64}m"
_BIDI: Final = "\u202a-\u202e\u2066-\u2069"
"""Embeddings, overrides and isolates: they reorder what is read."""
_SEPARATORS: Final = "\u2028\u2029"
"""Of lines and paragraphs: they forge lines."""
_C0: Final = "\x00-\x08\x0b\x0c\x0e-\x1f"
"""Without tab, newline and carriage return."""
_DEL_AND_C1: Final = "\x7f-\x9f"
_ALL: Final = f"{_C0}{_DEL_AND_C1}{_SEPARATORS}{_BIDI}"
# One class, as this is searched for in all of a job's output; then whether it begins a colour.
_UNLESS_COLOUR: Final = r"(?:(?<!\x1b)|(?!\[[0-9;:]{0,64}m))"
_BUT_RETURNS: Final = re.compile(f"[{_ALL}]{_UNLESS_COLOUR}")
_OBEYED: Final = re.compile(f"[\r{_ALL}]{_UNLESS_COLOUR}")
_COLOUR: Final = re.compile(_SGR)
_RESETS: Final = (RESET, "\x1b[m")
_OPEN: Final = re.compile(r"(\x1b\[(?!0?m)[0-9;:]{0,64}m[^\x1b\n]*)(?=\n|\Z)")
"""The last colour of a line that is not closed, and the rest of the line."""
_BEGUN: Final = re.compile(r"\x1b(?:\[[0-9;:]{0,64})?\Z")
_IN_JSON: Final = re.compile(f"[{_DEL_AND_C1}{_SEPARATORS}{_BIDI}]")

_PLAIN: Final = bytes(
    byte
    for byte in range(256)
    if byte in b"\t\n" or (byte >= 0x20 and byte not in (0x7F, 0xC2, 0xE2))
)
_NOT_SHOWN: Final = tuple(
    chr(number).encode()
    for number in (*range(0x80, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
)
"""C1 controls begin with the byte C2; separators and bidirectional controls with E2."""


def plain(data: bytes) -> bool:
    """Whether it is UTF-8 that is shown as it is; fast, for what is printed much.

    What has colours or carriage returns is not plain.
    """
    left = set(data.translate(None, _PLAIN))
    if not left <= {0xC2, 0xE2} or any(each in data for each in _NOT_SHOWN if each[0] in left):
        return False
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def shown(text: str) -> str:
    """One or more lines as they may be shown."""
    return _closed(_OBEYED.sub(_escaped, text))


def one_line(text: str) -> str:
    """The same, newlines shown as ``\\n``."""
    return shown(text.replace("\n", "\\n"))


def lines(text: str) -> list[str]:
    """The lines of a text as they may be shown; one at least."""
    return shown(text.replace("\r\n", "\n").rstrip("\n")).split("\n")


def continued(text: str) -> str:
    """The same as one text, whose lines after the first are indented: none looks like another's."""
    first, *others = lines(text)
    return "\n".join(
        [first, *(line if line[:1] in ("", " ", "\t") else f"  {line}" for line in others)]
    )


def in_json(text: str) -> str:
    """JSON, with escapes of JSON's own for what `shown` would make unreadable to programs."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def without_colours(text: str) -> str:
    """The text without the escapes that colour a terminal."""
    return _COLOUR.sub("", text)


def cut_colour(text: str) -> int:
    """Where a colour begins that the text's end cuts in two; the text's length if none does."""
    begun = _BEGUN.search(text[-LONGEST_COLOUR:])
    return len(text) - (len(begun[0]) if begun else 0)


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _closed(text: str) -> str:
    return _OPEN.sub(rf"\1{RESET}", text) if "\x1b" in text else text


class Cleaner:
    """Makes a stream of bytes fit for a terminal, as it comes. Carriage returns pass: they are what
    progress bars are made of, and never leave their line."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._held = ""
        """A colour that has begun."""
        self._open = False
        """A colour of the line that has begun is not closed."""

    def __call__(self, data: bytes) -> None:
        """Write what has come, as far as it is whole."""
        self._take(self._decoder.decode(data))

    def end(self) -> None:
        """Nothing more will come."""
        self._take(self._decoder.decode(b"", final=True), end=True)

    def _take(self, text: str, *, end: bool = False) -> None:
        text = self._held + text
        cut = len(text) if end else cut_colour(text)
        text, self._held = text[:cut], text[cut:]
        text = _BUT_RETURNS.sub(_escaped, text)
        if "\x1b" in text or self._open:
            parts = text.split("\n")
            text = "\n".join([*map(self._ended, parts[:-1]), self._begun(parts[-1])])
            if end and self._open:
                text += RESET
        if text:
            self._write(text.encode("utf-8", "backslashreplace"))

    def _ended(self, line: str) -> str:
        line = self._begun(line)
        closed, self._open = (line + RESET if self._open else line), False
        return closed

    def _begun(self, line: str) -> str:
        if colours := _COLOUR.findall(line):
            self._open = colours[-1] not in _RESETS
        return line


class OutputError(OSError):
    """What a command prints cannot be written, e.g. to a file on a full disk."""


class Above(Protocol):
    """Makes room above what is on a terminal's last line: `devbridge.progress.ProgressLine`."""

    def above(self, *, whole: bool) -> AbstractContextManager[None]:
        """The block may write; `whole`: what ends with a newline."""


class Printer:
    """Stands before a text stream: what is written to it is `shown`, and where the stream is no
    terminal, or colours are not wanted, without colours.

    Args:
        last: the terminal's last line, if it has one that others write.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        colour: bool,
        redact: Callable[[str], str],
        last: Above | None = None,
    ) -> None:
        self._stream = stream
        self._colour = colour
        self._redact = redact
        self._last = last

    def write(self, text: str) -> int:
        """Write the text as it may be shown. Raises OutputError."""
        cleaned = self._redact(shown(text))
        cleaned = cleaned if self._colour else without_colours(cleaned)
        if not cleaned:
            return len(text)
        whole = cleaned.endswith("\n")
        with _of_output(), self._last.above(whole=whole) if self._last else nullcontext():
            self._stream.write(cleaned)
        return len(text)

    def flush(self) -> None:
        """Raises OutputError."""
        with _of_output():
            self._stream.flush()

    def writelines(self, texts: Any) -> None:
        """`write` each of them."""
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _of_output() -> Iterator[None]:
    """Such an error names no file: who reports it could not tell whose it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error.errno, error.strerror) from error
