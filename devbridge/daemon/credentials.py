"""The credentials of the jobs' roles, assumed with the developer's own and kept until they age."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from devbridge.errors import CredentialsError, DevbridgeError
from devbridge.redaction import secret

log = logging.getLogger(__name__)

DURATION: Final = 3600
"""Seconds that a session lasts: what role chaining allows at most."""
MARGIN: Final = 16 * 60
"""Seconds before its expiry at which a session is replaced. The SDKs ask for new credentials when
15 minutes are left, and ask again on each call until they get younger ones."""

_EXPIRED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired"}
)
_RENEW: Final = (
    "renew your AWS credentials (for example `aws sso login`); running jobs go on with them"
)


class StsClient(Protocol):
    """The one call that is needed of boto3's STS client."""

    def assume_role(
        self,
        *,
        RoleArn: str,  # noqa: N803 - boto3
        RoleSessionName: str,  # noqa: N803
        DurationSeconds: int,  # noqa: N803
        **more: str,
    ) -> Any:
        """boto3's AssumeRole."""


@dataclass(frozen=True, slots=True)
class _Session:
    document: Mapping[str, str]
    stale_at: float
    expires_at: float


class RoleCredentials:
    """A CredentialsProvider that assumes roles. Use it from one event loop."""

    def __init__(
        self,
        sts: Callable[[], StsClient],
        *,
        explain: Callable[[Exception], DevbridgeError | None] | None = None,
        renew: Callable[[CredentialsError], None] | None = None,
        policy: Callable[[str], str] | None = None,
        session_name: str = "devbridge",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`sts` is called, in a thread, for each renewal: a client with the developer's
        credentials as they are then.

        When `explain` says that these are what is wrong, `renew` is called, in that thread: it
        reads them again, or raises CredentialsError; then the role is assumed once more.

        `policy` has the session policy of a role, by its ARN: a session has no more than that.
        """
        self._sts = sts
        self._explain = explain
        self._renew_developers = renew
        self._policy = policy
        self._session_name = session_name
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._renewals: dict[str, asyncio.Task[_Session]] = {}

    async def get(self, role_arn: str) -> Mapping[str, str]:
        """The container protocol's document for a role: AccessKeyId, SecretAccessKey, Token and
        Expiration (ISO 8601, UTC).

        Raises:
            CredentialsError: the role could not be assumed, and nothing valid is left of it.
        """
        session = self._sessions.get(role_arn)
        if session is not None and self._clock() < session.stale_at:
            return session.document
        renewal = self._renewals.get(role_arn)
        if renewal is None:
            renewal = asyncio.create_task(self._renew(role_arn), name="assume-role")
            self._renewals[role_arn] = renewal
            renewal.add_done_callback(lambda _: self._renewals.pop(role_arn, None))
        try:
            return (await asyncio.shield(renewal)).document
        except CredentialsError as error:
            if session is None or self._clock() >= session.expires_at:
                raise
            log.warning("kept the old credentials of %s: %s", role_arn, error.what)
            return session.document

    async def _renew(self, role_arn: str) -> _Session:
        now = self._clock()
        answer = await asyncio.to_thread(self._assume_or_explain, role_arn)
        given = answer["Credentials"]
        secret(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        expires_at = given["Expiration"].timestamp()
        session = _Session(
            document={
                "AccessKeyId": given["AccessKeyId"],
                "SecretAccessKey": given["SecretAccessKey"],
                "Token": given["SessionToken"],
                "Expiration": _iso(given["Expiration"]),
            },
            # A short session is used for half its life at least.
            stale_at=max(expires_at - MARGIN, now + (expires_at - now) / 2),
            expires_at=expires_at,
        )
        self._sessions[role_arn] = session
        return session

    def _assume_or_explain(self, role_arn: str) -> Any:
        try:
            return self._assume(role_arn)
        except (ClientError, BotoCoreError, RuntimeError) as error:
            problem = self._problem(error, role_arn)
            if problem is None or self._renew_developers is None:
                raise problem or _explained(error, role_arn) from error
        self._renew_developers(problem)
        try:
            return self._assume(role_arn)
        except (ClientError, BotoCoreError, RuntimeError) as error:
            raise self._problem(error, role_arn) or _explained(error, role_arn) from error

    def _problem(self, error: Exception, role_arn: str) -> CredentialsError | None:
        """What is wrong with the developer's own credentials, if they are what is wrong."""
        problem = None if self._explain is None else self._explain(error)
        if not isinstance(problem, CredentialsError):
            return None
        return CredentialsError(problem.what, where=role_arn, remedy=problem.remedy)

    def _assume(self, role_arn: str) -> Any:
        return self._sts().assume_role(
            RoleArn=role_arn,
            RoleSessionName=self._session_name,
            DurationSeconds=DURATION,
            **({"Policy": self._policy(role_arn)} if self._policy else {}),
        )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _explained(error: Exception, role_arn: str) -> CredentialsError:
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        if code in _EXPIRED:
            what = f"your AWS credentials have expired or are not valid ({code})"
            return CredentialsError(what, where=role_arn, remedy=_RENEW)
        if code == "AccessDenied":
            return CredentialsError(
                "you may not assume the role",
                where=role_arn,
                remedy="a dev stage admits the principal that deployed it: start `devbridge dev` "
                "again as the one that you are now; a deployed stage admits who has the permission "
                "sts:AssumeRole on it",
            )
    return CredentialsError(f"the role cannot be assumed: {error}", where=role_arn, remedy=_RENEW)
