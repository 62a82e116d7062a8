from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer

from devbridge.cli.doctor import doctor
from devbridge.cloud import keys
from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config
from devbridge.emulator.state import Running


@pytest.fixture
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_on_the_embedded_cloud_we_are_root(local_cloud: Cloud, embedded: Running) -> None:
    assert local_cloud.account == "000000000000"
    assert local_cloud.principal_arn == "arn:aws:iam::000000000000:root"
    assert local_cloud.region == "us-east-1"
    assert local_cloud.endpoint_url == embedded.endpoint_url
    assert local_cloud.aws_credentials() == keys.of_endpoint(embedded.endpoint_url)


def test_a_second_implementation_of_sts_is_understood_too(
    moto_url: str, make_config: Callable[..., Config]
) -> None:
    cloud = connect(make_config(endpoint=moto_url))
    assert cloud.account == "123456789012"
    assert cloud.principal_arn.startswith("arn:aws:")


def test_the_broker_is_dialled_at_the_endpoint_by_the_name_that_iot_gives(
    local_cloud: Cloud, embedded: Running
) -> None:
    endpoint = local_cloud.iot_endpoint()
    assert endpoint.dial == ("127.0.0.1", embedded.port)
    assert "-ats.iot.us-east-1." in endpoint.host
    assert ":" not in endpoint.host


def test_a_region_that_was_asked_for_holds_on_the_embedded_cloud(
    embedded: Running, make_config: Callable[..., Config]
) -> None:
    cloud = connect(make_config(region="eu-west-1"), embedded.endpoint_url)
    assert cloud.region == "eu-west-1"
    assert ".iot.eu-west-1." in cloud.iot_endpoint().host
    queue = cloud.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    assert arn["Attributes"]["QueueArn"].startswith("arn:aws:sqs:eu-west-1:")


def test_a_bucket_needs_no_name_that_resolves(
    embedded: Running, make_config: Callable[..., Config]
) -> None:
    cloud = connect(make_config(), f"http://localhost:{embedded.port}")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="assets")
    s3.put_object(Bucket="assets", Key="a", Body=b"1")
    assert s3.get_object(Bucket="assets", Key="a")["Body"].read() == b"1"


def test_renewing_on_the_embedded_cloud_changes_nothing(local_cloud: Cloud) -> None:
    before = local_cloud.aws_credentials()
    local_cloud.renew()
    assert local_cloud.aws_credentials() == before


def test_the_doctor_finds_nothing_wrong_with_the_embedded_cloud(
    embedded: Running, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text('from devbridge import App\napp = App("demo")\n')
    arguments = ["--app", str(tmp_path), "--endpoint", embedded.endpoint_url]
    result = CliRunner().invoke(doctor, [*arguments, "--python", sys.executable, "--json"])
    checks = {check["name"]: check["ok"] for check in json.loads(result.stdout)}
    assert checks.pop("devbridge in it") in (True, False)  # by how the tests are installed
    assert checks.pop("state") is None
    assert all(checks.values()), result.stdout
    assert checks.keys() >= {"identity", "region", "iot", "permissions"}
