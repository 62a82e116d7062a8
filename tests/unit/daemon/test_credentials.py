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
