"""A payload from the command line: text, a file or stdin. JSON, or an error that shows where."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from devbridge.errors import PayloadError, PayloadInvalid, PayloadNotJson
from devbridge.payload import digits

if TYPE_CHECKING:
    from devbridge.config import Config


def read_payload(given: str) -> tuple[bytes, str]:
    """The payload's bytes and where they are from: the text itself, ``@file``, or ``-`` (stdin).

    Raises:
        PayloadError: the file cannot be read.
    """
    if given == "-":
        return sys.stdin.buffer.read(), "stdin"
    if not given.startswith("@"):
        return given.encode("utf-8", "surrogateescape"), "--payload"
    path = Path(given[1:])
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise PayloadError(
            f"the payload's file cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="name a file that is there: --payload @payload.json",
        ) from error


_QUOTE: Final = """quote it for the shell, as in '{"num": 5}', or give a file: @payload.json"""


def check_json(data: bytes, where: str, remedy: str = _QUOTE) -> str:
    """The payload's text, if it is JSON.

    Args:
        where: what it is from.
        remedy: what to do about one that is not.

    Raises:
        PayloadNotJson: it is not; the error names the line and column and shows the place.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        raise _not_json(before, len(before), f"not UTF-8 ({error.reason})", where, remedy) from None
    try:
        json.loads(text, parse_constant=_refuse_constant, parse_int=_refuse_long)
    except json.JSONDecodeError as error:
        raise _not_json(text, error.pos, error.msg.lower(), where, remedy) from None
    except _ConstantError as error:
        at = next(found.start(1) for found in _CONSTANTS.finditer(text) if found[1])
        raise _not_json(text, at, f"{error} is not a JSON value", where, remedy) from None
    except _LongError as error:
        at = next(found.start(1) for found in _NUMBERS.finditer(text) if found[1] == error.args[0])
        what = f"{digits.TOO_LONG}: it has {len(error.args[0].lstrip('-')):,}"
        raise _not_json(text, at, what, where, digits.AS_TEXT) from None
    except (RecursionError, ValueError) as error:
        raise _not_json(text, 0, str(error), where, remedy) from None
    return text


def check_accepted(config: Config, job: str, payload: str, remedy: str = "--no-check") -> None:
    """Refuse what the job's handler would refuse, as the app's own code does before it sends.

    The types are those that `devbridge dev` or `devbridge deploy` has last found in this folder;
    where they are not known, anything passes.

    Args:
        payload: a JSON text.
        remedy: how it is sent all the same.

    Raises:
        PayloadInvalid: it is not what the handler declares; the path inside it is named.
    """
    from devbridge.payload.check import checker

    if accepts := checker(job, str(config.schemas)):
        try:
            accepts(json.loads(payload))
        except PayloadInvalid as error:
            error.remedy = f"{error.remedy}; or send it all the same: {remedy}"
            raise


class _ConstantError(Exception):
    """NaN or Infinity, which Python's reader takes and JSON does not have."""


_CONSTANTS: Final = re.compile(r'"(?:\\.|[^"\\])*"|(-?Infinity|NaN)')
_NUMBERS: Final = re.compile(r'"(?:\\.|[^"\\])*"|(-?\d+)')
_AROUND: Final = 36
"""Characters shown on either side of an error's place."""


def _refuse_constant(name: str) -> object:
    raise _ConstantError(name)


class _LongError(Exception):
    """An integer that the command line can read, and that Lambda's Python cannot."""


def _refuse_long(number: str) -> None:
    if len(number) > digits.MAX_DIGITS and len(number.lstrip("-")) > digits.MAX_DIGITS:
        raise _LongError(number)


def _not_json(text: str, at: int, why: str, where: str, remedy: str) -> PayloadNotJson:
    line_start = text.rfind("\n", 0, at) + 1
    line_end = text.find("\n", at)
    line = text[line_start : line_end if line_end >= 0 else len(text)]
    column = at - line_start
    left = max(0, column - _AROUND)
    shown = "".join(
        character if character.isprintable() else " " for character in line[left : column + _AROUND]
    )
    number = text.count("\n", 0, at) + 1
    return PayloadNotJson(
        f"the payload is not JSON: line {number}, column {column + 1}: {why}\n"
        f"    {shown}\n    {' ' * (column - left)}^",
        where=where,
        remedy=remedy,
    )
