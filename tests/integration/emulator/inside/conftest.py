from __future__ import annotations

import json

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.world import (
    PARAMETER,
    World,
    with_apis,
    with_bucket,
    with_function,
)


@pytest.fixture(scope="module")
def world(shared_cloud: Running) -> World:
    reset(shared_cloud.endpoint_url)
    made = World(shared_cloud.endpoint_url)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    made.client("iam").create_role(
        RoleName="worker",
        AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
        ),
    )
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    made.client("iam").put_role_policy(
        RoleName="worker",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    made.client("ssm").put_parameter(Name=PARAMETER, Value="s3cret", Type="SecureString")
    with_bucket(made)
    with_function(made)
    with_apis(made)
    cognito = made.client("cognito-idp")
    made.pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
    made.client_id = cognito.create_user_pool_client(
        UserPoolId=made.pool, ClientName="page", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    return made
