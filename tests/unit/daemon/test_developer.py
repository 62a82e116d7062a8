from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.daemon import developer as developer_module
from devbridge.daemon.developer import (
    AGAIN,
    NOTICE,
    DeveloperCredentials,
    Health,
    credential_files,
    judge,
    words,
)
from devbridge.errors import CloudError, CredentialsError
from devbridge.testing import FakeClock

LOGIN = "run aws sso login --profile sandbox"
EXPIRED = CredentialsError("the AWS SSO session has expired", remedy=LOGIN)
HOUR = 3600.0


class FakeCloud:
    """A cloud whose credentials expire, and are replaced by the ones in `in_files` by `renew`."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.expires_at: float | None = clock() + HOUR
        self.in_files: float | None = self.expires_at
        self.refuses = False
        self.offline = False
        self.renewals = 0

    def aws_credentials(self) -> object:
        if self.offline:
            raise CloudError("the cloud cannot be reached")
        if self.expires_at is not None and self.clock() >= self.expires_at - NOTICE:
            raise EXPIRED
        return object()

    def credentials_expire_at(self) -> float | None:
        return self.expires_at

    def how_to_renew(self) -> str:
        return LOGIN

    def renew(self) -> None:
        self.renewals += 1
        if self.offline:
            raise CloudError("the cloud cannot be reached")
        if self.refuses:
            raise EXPIRED
        self.expires_at = self.in_files


class Watched:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cloud = FakeCloud(self.clock)
        self.files = {Path("sso.json"): (1, 1)}
        self.said: list[tuple[Health, str]] = []
        self.credentials = DeveloperCredentials(
            self.cloud,
            lambda health, text: self.said.append((health, text)),
            files=lambda: dict(self.files),
            clock=self.clock,
        )

    def log_in(self, lasts: float | None = HOUR) -> None:
        """What `aws sso login` in another terminal does."""
        self.cloud.refuses = False
        self.cloud.in_files = None if lasts is None else self.clock() + lasts
        self.files[Path("sso.json")] = (int(self.clock()), 1)

    def look(self, after: float = 0.0) -> list[Health]:
        self.clock.advance(after)
        before = len(self.said)
        self.credentials.look()
        return [health for health, _ in self.said[before:]]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_ten_minutes_before_the_end_and_at_the_end_it_is_said_loudly_and_once(
    watched: Watched,
) -> None:
    assert watched.look(HOUR - NOTICE - 1) == []
    assert watched.look(1) == [Health.ENDING]
    assert watched.look(60) == []
    assert watched.look(NOTICE) == [Health.EXPIRED]
    assert watched.look(HOUR) == []
    ending, expired = (text for _, text in watched.said)
    assert "EXPIRE IN 10 MIN at " in ending
    assert "HAVE EXPIRED at " in expired
    assert ending.count(LOGIN) == expired.count(LOGIN) == 1
    assert "without a restart" in expired


@pytest.mark.parametrize("after", [HOUR - NOTICE, HOUR])
def test_renewed_in_another_terminal_they_are_picked_up(watched: Watched, after: float) -> None:
    assert watched.look(after) != []
    watched.log_in()
    assert watched.look(5) == [Health.GOOD]
    assert watched.said[-1][1].startswith("your AWS credentials were renewed, good until ")
    assert watched.look(5) == []
    assert watched.cloud.renewals == 1


def test_files_that_are_written_while_all_is_well_are_read_without_a_word(
    watched: Watched,
) -> None:
    watched.log_in()
    assert watched.look(5) == []
    assert watched.cloud.renewals == 1


def test_a_login_that_was_of_no_use_is_tried_again_when_the_files_change_again(
    watched: Watched,
) -> None:
    watched.look(HOUR)
    watched.log_in()
    watched.cloud.refuses = True
    assert watched.look(5) == []
    assert watched.look(5) == []
    assert watched.cloud.renewals == 1
    watched.log_in()
    assert watched.look(5) == [Health.GOOD]


def test_refused_credentials_of_unknown_end_have_expired(watched: Watched) -> None:
    watched.cloud.expires_at = watched.cloud.in_files = None
    watched.cloud.refuses = True
    assert watched.look(HOUR * 24) == []
    with pytest.raises(CredentialsError, match="expired"):
        watched.credentials.refused(EXPIRED)
    assert [health for health, _ in watched.said] == [Health.EXPIRED]
    assert LOGIN in watched.said[0][1]
    assert watched.look(5) == []
    watched.log_in(None)
    assert watched.look(5) == [Health.GOOD]
    assert watched.said[-1][1] == "your AWS credentials were renewed"


def test_a_refusal_after_a_renewal_reads_them_at_once_and_is_silent(watched: Watched) -> None:
    watched.log_in()
    watched.credentials.refused(EXPIRED)
    assert watched.cloud.renewals == 1
    assert watched.said == []


def test_many_workers_that_are_refused_ask_the_cloud_once(watched: Watched) -> None:
    watched.cloud.refuses = True
    for _ in range(20):
        with pytest.raises(CredentialsError):
            watched.credentials.refused(EXPIRED)
    assert watched.cloud.renewals == 1
    watched.clock.advance(AGAIN)
    with pytest.raises(CredentialsError):
        watched.credentials.refused(EXPIRED)
    assert watched.cloud.renewals == 2
    watched.log_in()
    watched.credentials.refused(EXPIRED)
    assert watched.cloud.renewals == 3


def test_without_a_network_nothing_is_said_of_credentials(watched: Watched) -> None:
    watched.cloud.offline = True
    assert watched.look(60) == []
    with pytest.raises(CredentialsError):
        watched.credentials.refused(EXPIRED)


def test_what_a_login_writes_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shared = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    seen = [credential_files()]
    shared.write_text("[default]")
    seen.append(credential_files())
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (cache / "1234.json").write_text("{}")
    seen.append(credential_files())
    assert len({tuple(sorted(files.items())) for files in seen}) == 3


@pytest.mark.parametrize(
    ("left", "problem", "health"),
    [
        (None, None, Health.GOOD),
        (NOTICE + 1, None, Health.GOOD),
        (NOTICE, None, Health.ENDING),
        (1, EXPIRED, Health.ENDING),
        (0, None, Health.EXPIRED),
        (-1, EXPIRED, Health.EXPIRED),
        (None, EXPIRED, Health.EXPIRED),
    ],
)
def test_the_judgement(
    left: float | None, problem: CredentialsError | None, health: Health
) -> None:
    assert judge(None if left is None else 1000 + left, problem, 1000) is health


def test_the_last_minute_is_not_called_none() -> None:
    assert "IN 1 MIN" in words(Health.ENDING, 1010, LOGIN, 1000)


async def test_watching_goes_on_when_a_provider_breaks(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    monkeypatch.setattr(developer_module, "LOOK", 0.0)
    looks = 0
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks > 2:
            loop.call_soon_threadsafe(enough.set)
        raise ValueError("a credential_process that prints nonsense")

    monkeypatch.setattr(watched.credentials, "look", look)
    watching = asyncio.create_task(watched.credentials.run())
    await asyncio.wait_for(enough.wait(), 30)
    watching.cancel()
    await asyncio.wait([watching])
