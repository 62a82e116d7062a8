"""Errors as the API answers them."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Final

import msgspec

from devbridge.console import model
from devbridge.errors import (
    AppError,
    CloudError,
    CredentialsError,
    DevbridgeError,
    InvalidValue,
    InvokeError,
    NotDeployed,
    NotFound,
    PayloadError,
    PayloadInvalid,
)
from devbridge.folders import explained
from devbridge.redaction import redacted

log = logging.getLogger(__name__)


class Conflict(DevbridgeError):
    """It is not any more as it was when it was asked for."""


_STATUSES: Final = (
    (Conflict, HTTPStatus.CONFLICT),
    (NotDeployed, HTTPStatus.CONFLICT),
    (NotFound, HTTPStatus.NOT_FOUND),
    (PayloadError, HTTPStatus.BAD_REQUEST),
    (InvalidValue, HTTPStatus.BAD_REQUEST),
    (AppError, HTTPStatus.CONFLICT),
    (CredentialsError, HTTPStatus.BAD_GATEWAY),
    (CloudError, HTTPStatus.BAD_GATEWAY),
    (InvokeError, HTTPStatus.BAD_GATEWAY),
    (DevbridgeError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
_PLACE: Final = re.compile(r"\bline (\d+), column (\d+)")


def status(found: HTTPStatus) -> tuple[HTTPStatus, bytes]:
    """An answer that says no more than its status."""
    return found, _body(model.Error(found.name.title().replace("_", ""), found.phrase))


def by(error: Exception) -> tuple[HTTPStatus, bytes]:
    """The answer that an error makes."""
    found, told = in_words(error)
    return found, _body(told)


def in_words(error: Exception) -> tuple[HTTPStatus, model.Error]:
    """What an error is, for who looks at the console. A defect of ours is logged."""
    if isinstance(error, OSError):  # a full disk, or a file that cannot be used
        error = explained(error) or error
    if isinstance(error, DevbridgeError):
        found = next(each for kind, each in _STATUSES if isinstance(error, kind))
        return found, _told(error)
    if isinstance(error, msgspec.MsgspecError):
        return HTTPStatus.BAD_REQUEST, model.Error("InvalidRequest", str(error))
    if type(error).__module__.startswith("botocore."):
        return HTTPStatus.BAD_GATEWAY, model.Error(type(error).__name__, redacted(str(error)))
    log.error("the console could not answer", exc_info=error)
    what = f"{type(error).__name__}: see devbridge's log (--verbose)"
    return HTTPStatus.INTERNAL_SERVER_ERROR, model.Error("InternalError", what)


def _told(error: DevbridgeError) -> model.Error:
    place = _PLACE.search(error.what) if isinstance(error, PayloadError) else None
    path = error.where if isinstance(error, PayloadInvalid) else None
    return model.Error(
        type(error).__name__,
        redacted(error.what),
        error.where,
        error.remedy,
        path=path,
        line=int(place[1]) if place else None,
        column=int(place[2]) if place else None,
    )


def _body(error: model.Error) -> bytes:
    return msgspec.json.encode(model.Failed(error))
