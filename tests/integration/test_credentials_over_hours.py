"""A worker's boto3 across many sessions, with the embedded cloud's STS. It does not enforce how
long a session is valid, so its answers are made to expire soon, and the daemon's clock to jump."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.cloud.session import Cloud
from devbridge.daemon.credentials import RoleCredentials
from devbridge.daemon.developer import DeveloperCredentials, Health
from devbridge.workers.base import FreshLauncher
from tests.integration.workers import Bench, bench

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)
CALLS = 12
HANDLER = f"""
    import boto3

    def handler(payload):
        session = boto3.Session()
        sts = session.client("sts")
        keys = []
        for _ in range({CALLS}):
            sts.get_caller_identity()
            keys.append(session.get_credentials().get_frozen_credentials().access_key)
        return keys
"""
PATIENT = """
    import time
    import boto3
    from botocore.exceptions import BotoCoreError

    def handler(payload):
        failures = 0
        while True:
            try:
                sts = boto3.client("sts")
                return [failures > 0, sts.get_caller_identity()["Account"]]
            except BotoCoreError as error:
                print("no credentials", flush=True)
                failures += 1
"""


class Sts:
    """The cloud's STS, with sessions that expire in `lasts` seconds."""

    def __init__(self, cloud: Cloud, role_arn: str, lasts: float) -> None:
        self.cloud = cloud
        self.role_arn = role_arn
        self.lasts = lasts
        self.calls = 0
        self.expired = False

    def __call__(self) -> Sts:
        return self

    def assume_role(self, **arguments: Any) -> Any:
        self.calls += 1
        if self.expired:
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "m"}}, "AssumeRole")
        arguments["RoleArn"] = self.role_arn
        answer = self.cloud.client("sts").assume_role(**arguments)
        expires = datetime.fromtimestamp(time.time() + self.lasts, UTC)
        answer["Credentials"]["Expiration"] = expires
        return answer


@pytest.fixture
def role(local_cloud: Cloud) -> str:
    iam = local_cloud.client("iam")
    answer = iam.create_role(RoleName="job", AssumeRolePolicyDocument=TRUST)
    return str(answer["Role"]["Arn"])


async def launched(workbench: Bench, cloud: Cloud, code: str) -> Any:
    worker = await workbench.launch(code, AWS_ENDPOINT_URL=cloud.endpoint_url or "")
    await worker.run()
    return worker


async def test_a_workers_calls_go_on_across_many_sessions(
    tmp_path: Path, local_cloud: Cloud, role: str
) -> None:
    sts = Sts(local_cloud, role, lasts=60)
    hours = 0

    def clock() -> float:
        nonlocal hours
        hours += 1
        return time.time() + hours * 3600

    async with bench(tmp_path, FreshLauncher, RoleCredentials(sts, clock=clock)) as workbench:
        worker = await launched(workbench, local_cloud, HANDLER)
        keys = json.loads(await worker.result())
    assert len(keys) == CALLS
    assert len(set(keys)) == CALLS
    assert sts.calls >= CALLS


async def test_a_worker_goes_on_when_the_developer_has_logged_in_again(
    tmp_path: Path, local_cloud: Cloud, role: str
) -> None:
    sts = Sts(local_cloud, role, lasts=3600)
    sts.expired = True
    said: list[tuple[Health, str]] = []
    developer = DeveloperCredentials(
        Expired(local_cloud, sts), lambda health, text: said.append((health, text))
    )
    credentials = RoleCredentials(sts, explain=local_cloud.explain, renew=developer.refused)
    async with bench(tmp_path, FreshLauncher, credentials) as workbench:
        worker = await launched(workbench, local_cloud, PATIENT)
        await worker.read_until(b"no credentials")
        assert [health for health, _ in said] == [Health.EXPIRED]
        assert "aws sso login" in said[0][1]
        sts.expired = False  # in another terminal
        assert json.loads(await worker.result()) == [True, local_cloud.account]
    assert workbench.said.of("credentials_failed", worker.id)


class Expired:
    """The developer's side of a cloud whose credentials are refused while STS says so."""

    def __init__(self, cloud: Cloud, sts: Sts) -> None:
        self.cloud = cloud
        self.sts = sts

    def aws_credentials(self) -> object:
        return self.cloud.aws_credentials()

    def credentials_expire_at(self) -> float | None:
        return None

    def how_to_renew(self) -> str:
        return "run aws sso login"

    def renew(self) -> None:
        from devbridge.errors import CredentialsError

        if self.sts.expired:
            raise CredentialsError("expired", remedy=self.how_to_renew())
        self.cloud.renew()
