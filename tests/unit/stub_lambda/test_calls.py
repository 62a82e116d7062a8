from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from devbridge.errors import CloudError
from stub_lambda.calls import calls


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject"),
        EndpointConnectionError(endpoint_url="https://s3"),
    ],
)
def test_what_aws_refuses_is_said_with_what_could_not_be_done(error: Exception) -> None:
    what = "the run could not be started"
    with pytest.raises(CloudError, match=f"{what}: ") as caught, calls(what):
        raise error
    assert "deploy the stage again" in str(caught.value.remedy)


def test_other_errors_are_what_they_are() -> None:
    with pytest.raises(KeyError), calls("anything"):
        raise KeyError("x")
