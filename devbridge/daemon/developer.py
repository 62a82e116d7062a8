"""The developer's own credentials, over hours: said loudly before they expire, renewed at once.

botocore refreshes what can be refreshed. What cannot (an SSO session, a session token in a file)
the developer renews in another terminal; that is noticed by the files that it writes, or when the
cloud is asked the next time. Nothing is started again for it: `Cloud` hands out the new ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from devbridge import folders
from devbridge.errors import CloudError, CredentialsError

log = logging.getLogger(__name__)

NOTICE: Final = 600.0
"""Seconds before their expiry at which the developer is told."""
LOOK: Final = 5.0
"""Seconds between two looks. One reads the clock and the dates of a few files; the network is
asked when these have changed, or by botocore when it refreshes."""
AGAIN: Final = 5.0
"""Seconds in which a renewal that has just failed is not tried again for another worker."""

Files = Mapping[Path, tuple[int, int]]


class Health(enum.Enum):
    """What is known of the credentials."""

    GOOD = enum.auto()
    ENDING = enum.auto()
    EXPIRED = enum.auto()


class Renewable(Protocol):
    """What is needed of `devbridge.cloud.session.Cloud`."""

    def aws_credentials(self) -> object:
        """The developer's credentials, refreshed if need be.

        Raises:
            CredentialsError: they cannot be had.
        """

    def credentials_expire_at(self) -> float | None:
        """When they expire, in seconds since the epoch; None: never, or nobody knows."""

    def how_to_renew(self) -> str:
        """What the developer has to do."""

    def renew(self) -> None:
        """Read them again from where they are kept."""


def judge(expires_at: float | None, problem: CredentialsError | None, now: float) -> Health:
    """`problem`: why they could not be refreshed, or that the cloud refused them."""
    left = None if expires_at is None else expires_at - now
    if left is not None and left <= 0:
        return Health.EXPIRED
    if problem is not None:
        return Health.EXPIRED if left is None else Health.ENDING
    return Health.ENDING if left is not None and left <= NOTICE else Health.GOOD


def words(health: Health, expires_at: float | None, remedy: str, now: float) -> str:
    """What the terminal says when the credentials have come to be in that health."""
    at = "" if expires_at is None else time.strftime(" at %H:%M", time.localtime(expires_at))
    go_on = f"{remedy}; running jobs and the bridge go on with the new ones, without a restart"
    if health is Health.EXPIRED:
        return f"YOUR AWS CREDENTIALS HAVE EXPIRED{at}: {go_on}"
    if health is Health.ENDING:
        minutes = max(1, round(((expires_at or now) - now) / 60))
        return f"YOUR AWS CREDENTIALS EXPIRE IN {minutes} MIN{at}: {go_on}"
    return f"your AWS credentials were renewed{'' if not at else f', good until{at[3:]}'}"


class DeveloperCredentials:
    """Watches a `Cloud`'s credentials. `run` is its life; `refused` may be called meanwhile."""

    def __init__(
        self,
        cloud: Renewable,
        say: Callable[[Health, str], None],
        *,
        files: Callable[[], Files] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`say` is called from any thread, when the health changes; `files` finds what a renewal
        writes, with dates and sizes."""
        self._cloud = cloud
        self._say = say
        self._files = files or credential_files
        self._clock = clock
        self._lock = threading.Lock()
        self._health = Health.GOOD
        self._seen = self._files()
        self._refused: CredentialsError | None = None
        self._refused_at = 0.0

    @property
    def health(self) -> Health:
        """What the last look has found."""
        return self._health

    async def run(self) -> None:
        """Look now and then until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except Exception:  # the daemon goes on, whatever a credential provider does
                log.exception("cannot look at the developer's credentials")
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Look once; blocks as long as botocore or the cloud does."""
        with self._lock:
            files = self._files()
            changed, self._seen = files != self._seen, files
            problem = self._refused
            try:
                if changed:
                    log.info("the developer's credential files have changed")
                    self._cloud.renew()
                    self._refused = problem = None
                    self._seen = self._files()  # botocore writes to its caches
                else:
                    self._cloud.aws_credentials()
            except CredentialsError as error:
                problem = error
            except CloudError as error:  # no network says nothing about credentials
                log.info("cannot look at the credentials: %s", error.what)
            self._tell(problem)

    def refused(self, problem: CredentialsError) -> None:
        """The cloud refused the credentials: read them again.

        Raises:
            CredentialsError: they are of no use still.
        """
        with self._lock:
            files, now = self._files(), self._clock()
            if self._refused and files == self._seen and now - self._refused_at < AGAIN:
                raise self._refused
            self._seen = files
            try:
                self._cloud.renew()
            except CredentialsError as error:
                self._refused, self._refused_at = error, now
                self._tell(error)
                raise
            except CloudError:
                self._tell(problem)
                raise problem from None
            self._refused = None
            self._seen = self._files()
            self._tell(None)

    def _tell(self, problem: CredentialsError | None) -> None:
        now, expires_at = self._clock(), self._cloud.credentials_expire_at()
        health = judge(expires_at, problem, now)
        if health is self._health:
            return
        self._health = health
        remedy = (problem.remedy if problem else None) or self._cloud.how_to_renew()
        self._say(health, words(health, expires_at, remedy, now))


def credential_files() -> Files:
    """What the commands that renew credentials write, as it is now."""
    home = (folders.home() or Path("/")) / ".aws"
    files = [
        Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials"),
        Path(os.environ.get("AWS_CONFIG_FILE") or home / "config"),
    ]
    for cache in (home / "sso" / "cache", home / "login" / "cache"):
        with contextlib.suppress(OSError):
            files += cache.iterdir()
    found = {}
    for file in files:
        with contextlib.suppress(OSError):
            status = file.stat()
            found[file] = (status.st_mtime_ns, status.st_size)
    return found
