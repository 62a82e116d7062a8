"""The AWS that the runs of these tests ask."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.integration.runner.host.aws import BUCKET, Aws, answering


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_url: str) -> Iterator[Aws]:
    s3 = boto3.client(
        "s3",
        region_name="eu-west-1",
        endpoint_url=moto_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    one = Aws("", s3, moto_url)
    one.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering(one))
    one.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    yield one
    server.shutdown()
    server.server_close()
    thread.join()
