from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from devbridge.daemon.credentials import DURATION, MARGIN, RoleCredentials
from devbridge.errors import CredentialsError

ROLE = "arn:aws:iam::123456789012:role/job"
START = 1_700_000_000.0


class Sts:
    """STS, a clock and the calls that were made."""

    def __init__(self) -> None:
        self.now = START
        self.calls: list[Mapping[str, Any]] = []
        self.error: Exception | None = None
        self.lasts = float(DURATION)
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self) -> Sts:
        return self

    def clock(self) -> float:
        return self.now

    def assume_role(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        assert self.may_answer.wait(30)
        if self.error is not None:
            raise self.error
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{len(self.calls)}",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": datetime.fromtimestamp(self.now + self.lasts, UTC),
            }
        }


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "AssumeRole")


@pytest.fixture
def sts() -> Sts:
    return Sts()


@pytest.fixture
def credentials(sts: Sts) -> RoleCredentials:
    return RoleCredentials(sts, clock=sts.clock)


async def test_the_document_is_that_of_the_container_protocol(
    credentials: RoleCredentials, sts: Sts
) -> None:
    assert await credentials.get(ROLE) == {
        "AccessKeyId": "ASIA1",
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": "2023-11-14T23:13:20Z",
    }
    assert sts.calls == [{"RoleArn": ROLE, "RoleSessionName": "devbridge", "DurationSeconds": 3600}]


async def test_a_session_has_no_more_than_its_policy_says(sts: Sts) -> None:
    await RoleCredentials(sts, policy=lambda role: f"of {role}").get(ROLE)
    assert sts.calls[0]["Policy"] == f"of {ROLE}"


async def test_a_session_is_kept_until_the_sdk_would_ask_for_a_younger_one(
    credentials: RoleCredentials, sts: Sts
) -> None:
    first = await credentials.get(ROLE)
    sts.now += DURATION - MARGIN - 1
    assert await credentials.get(ROLE) == first
    sts.now += 1
    assert (await credentials.get(ROLE))["AccessKeyId"] == "ASIA2"


async def test_a_short_session_is_used_for_half_its_life(
    credentials: RoleCredentials, sts: Sts
) -> None:
    sts.lasts = 900
    first = await credentials.get(ROLE)
    sts.now += 449
    assert await credentials.get(ROLE) == first
    sts.now += 1
    assert await credentials.get(ROLE) != first


async def test_many_who_ask_at_once_share_one_call(credentials: RoleCredentials, sts: Sts) -> None:
    sts.may_answer.clear()
    asking = [asyncio.create_task(credentials.get(ROLE)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    sts.may_answer.set()
    results = await asyncio.gather(*asking[1:])
    assert all(result == results[0] for result in results)
    assert len(sts.calls) == 1


async def test_each_role_has_its_own_session(credentials: RoleCredentials, sts: Sts) -> None:
    assert await credentials.get(ROLE) != await credentials.get(ROLE + "2")
    assert len(sts.calls) == 2


@pytest.mark.parametrize(
    ("error", "what", "remedy"),
    [
        (client_error("ExpiredToken"), "expired", "renew"),
        (client_error("AccessDenied"), "may not assume", "devbridge dev"),
        (client_error("Throttling"), "cannot be assumed", "renew"),
        (NoCredentialsError(), "cannot be assumed", "renew"),
    ],
)
async def test_a_refusal_says_what_to_do(
    credentials: RoleCredentials, sts: Sts, error: Exception, what: str, remedy: str
) -> None:
    sts.error = error
    with pytest.raises(CredentialsError) as raised:
        await credentials.get(ROLE)
    assert what in raised.value.what
    assert raised.value.where == ROLE
    assert raised.value.remedy is not None
    assert remedy in raised.value.remedy


async def test_after_a_refusal_the_next_one_asks_again(
    credentials: RoleCredentials, sts: Sts
) -> None:
    sts.error = client_error("ExpiredToken")
    with pytest.raises(CredentialsError):
        await credentials.get(ROLE)
    sts.error = None
    assert (await credentials.get(ROLE))["AccessKeyId"] == "ASIA2"


async def test_a_refused_renewal_leaves_the_old_session_until_it_expires(
    credentials: RoleCredentials, sts: Sts
) -> None:
    first = await credentials.get(ROLE)
    sts.error = client_error("ExpiredToken")
    sts.now += DURATION - 1
    assert await credentials.get(ROLE) == first
    sts.now += 1
    with pytest.raises(CredentialsError):
        await credentials.get(ROLE)


async def test_a_job_of_eight_hours_is_never_without_a_session_of_at_most_one_hour(
    credentials: RoleCredentials, sts: Sts
) -> None:
    """Role chaining allows one hour, and the SDKs want 15 minutes at least to be left."""
    for _ in range(8 * 60):
        document = await credentials.get(ROLE)
        left = datetime.fromisoformat(document["Expiration"]).timestamp() - sts.now
        assert 15 * 60 < left <= 3600
        sts.now += 60
    assert {call["DurationSeconds"] for call in sts.calls} == {3600}
    assert 8 <= len(sts.calls) <= 12


async def test_sessions_of_fifteen_minutes_are_renewed_hundreds_of_times(
    credentials: RoleCredentials, sts: Sts
) -> None:
    sts.lasts = 900
    for _ in range(24 * 60):
        document = await credentials.get(ROLE)
        assert datetime.fromisoformat(document["Expiration"]).timestamp() > sts.now
        sts.now += 60
    assert len(sts.calls) > 100


class Developer:
    """The developer's own credentials: expired, until they are renewed elsewhere."""

    def __init__(self, sts: Sts) -> None:
        self.sts = sts
        self.renewed = False
        self.asked: list[CredentialsError] = []

    def explain(self, error: Exception) -> CredentialsError | None:
        return (
            CredentialsError("expired", remedy="run aws sso login")
            if "Expired" in str(error)
            else None
        )

    def renew(self, problem: CredentialsError) -> None:
        self.asked.append(problem)
        if not self.renewed:
            raise problem
        self.sts.error = None


async def test_renewed_developer_credentials_are_used_in_the_same_request(sts: Sts) -> None:
    developer = Developer(sts)
    credentials = RoleCredentials(
        sts, explain=developer.explain, renew=developer.renew, clock=sts.clock
    )
    sts.error = client_error("ExpiredToken")
    with pytest.raises(CredentialsError) as raised:
        await credentials.get(ROLE)
    assert (raised.value.remedy, raised.value.where) == ("run aws sso login", ROLE)

    developer.renewed = True
    assert (await credentials.get(ROLE))["AccessKeyId"] == "ASIA3"
    assert len(developer.asked) == 2


async def test_what_is_no_matter_of_credentials_does_not_renew_them(sts: Sts) -> None:
    developer = Developer(sts)
    credentials = RoleCredentials(
        sts, explain=developer.explain, renew=developer.renew, clock=sts.clock
    )
    sts.error = client_error("AccessDenied")
    with pytest.raises(CredentialsError, match="may not assume"):
        await credentials.get(ROLE)
    assert developer.asked == []
