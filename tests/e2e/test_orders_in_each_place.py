"""The story of examples/zip-files with each place that a job may run in: somebody orders files, is
answered at once, and is mailed a link to a zip of them."""

from __future__ import annotations

import io
import json
import shutil
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import administer, endpoint_of
from tests.e2e.dev_and_deployed import deploy, ok
from tests.e2e.dev_process import client, run

EXAMPLE = Path(__file__).parents[2] / "examples" / "zip-files"
PLACES = ("codebuild", "batch", "fargate", "lambda")
FARGATE = 'compute=Fargate(cpu=1, memory="2 GB"),\n    timeout="1 hour",\n'
CHANGES = {
    "app.py": {
        "import Api": "import Batch, CodeBuild, Lambda, Vpc, Api",
        # What a function mounts is in a VPC; a build mounts nothing.
        "scratch = FileSystem(app": """\
vpc = None
if app.stage == "lambda":
    vpc = Vpc(*NETWORK)
scratch = FileSystem(app""",
        'removal="delete")': 'removal="delete", vpc=vpc)',
        FARGATE: """\
compute={"codebuild": CodeBuild(), "batch": Batch(), "lambda": Lambda()}.get(
        app.stage, Fargate(cpu=1, memory="2 GB")
    ),
    vpc=vpc,
    timeout="15 minutes",
""",
        "sender, scratch]": 'sender, *([] if app.stage == "codebuild" else [scratch])]',
    },
    "jobs/zip_files.py": {
        "FileSystem.scratch.path": """\
None if os.environ["DEVBRIDGE_STAGE"] == "codebuild" else FileSystem.scratch.path""",
        "import tempfile": "import os\nimport tempfile",
    },
}

pytestmark = [pytest.mark.timeout(240), pytest.mark.matrix]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The example, but for the place of its job, which is called as the stage; its cloud."""
    root = tmp_path_factory.mktemp("orders") / "app"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".*", "typings", "__pycache__"))
    try:
        ok(run(root, "cloud", "start"))
        network = repr(default_network(root))
        for name, replaced in CHANGES.items():
            text = (root / name).read_text()
            for old, new in replaced.items():
                assert text.count(old) == 1, old
                text = text.replace(old, new.replace("NETWORK", network))
            (root / name).write_text(text)
        ok(run(root, "cloud", "exec", "--", sys.executable, "verify.py", "zips@example.com"))
        yield root
    finally:
        run(root, "cloud", "stop")


def default_network(app: Path) -> tuple[str, list[str], list[str]]:
    """The account's default VPC, its subnets and its security groups."""
    ec2 = client(app, "ec2")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    own = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = [each["SubnetId"] for each in ec2.describe_subnets(Filters=own)["Subnets"]]
    groups = ec2.describe_security_groups(Filters=own)["SecurityGroups"]
    return vpc["VpcId"], subnets, [each["GroupId"] for each in groups][:1]


def asked(url: str, body: object = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def signed_in(app: Path, address: str, *stage: str) -> str:
    """The token of somebody who has signed up just now."""
    script = ("bind", *stage, "--", "env", "PASSWORD=Correct-horse-1", sys.executable, "sign_in.py")
    ok(run(app, *script, "up", address))
    ok(run(app, *script, "confirm", address, "123456"))
    return ok(run(app, *script, "in", address)).stdout.strip()


@pytest.mark.parametrize("place", PLACES)
def test_an_order_is_packed_and_its_link_is_mailed(app: Path, place: str) -> None:
    there = ("--local", "--stage", place)
    ok(deploy(app, place))
    ok(run(app, "bind", *there, "--", sys.executable, "load.py"))
    api = json.loads(ok(run(app, "outputs", "--json", *there)).stdout)["ApiUrl"]
    address = f"{place}@example.com"
    me = {"authorization": f"Bearer {signed_in(app, address, *there)}"}
    order = {"keys": ["first.txt", "none.txt", "table.csv"]}
    answered = asked(f"{api}/zips", order, **me, **{"idempotency-key": "order-1"})
    ok(run(app, "wait", answered["jobId"], *there))

    shown = asked(f"{api}/zips/order-1", **me)
    assert (shown["state"], shown["missing"]) == ("packed", ["none.txt"])
    with urllib.request.urlopen(shown["link"], timeout=30) as answer:  # noqa: S310
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert archive.namelist() == ["first.txt", "table.csv"]
    assert archive.read("table.csv") == (app / "data" / "table.csv").read_bytes()
    _, body = administer(endpoint_of(app), "GET", "/_ministack/ses/messages")
    mails = [mail for account in json.loads(body)["messages"].values() for mail in account]
    (mail,) = (mail for mail in mails if mail["To"] == [address] and "zip" in mail["BodyText"])
    assert "/order-1.zip?" in mail["BodyText"]
    assert list((app / ".devbridge" / "file-systems" / place / "scratch").iterdir()) == []
    ok(run(app, "remove", *there, "--yes", "--delete-data"))
