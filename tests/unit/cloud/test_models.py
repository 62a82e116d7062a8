"""Models of services without their documentation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.loaders import JSONFileLoader

from devbridge.cloud.models import LOADER

SERVICES = ("cloudformation", "codebuild", "iam", "lambda", "logs", "s3", "sqs", "ssm", "sts")
DATA = Path(botocore.__file__).parent / "data"
# In a process of its own: the tests share what botocore has read.
CLIENT = """
import botocore.session
from devbridge.cloud.models import LOADER
session = botocore.session.Session()
session.register_component("data_loader", LOADER)
client = session.create_client("s3", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
print(repr(client.meta.service_model.operation_model("PutObject").documentation))
print(client.can_paginate("list_objects_v2"), "bucket_exists" in client.waiter_names)
url = client.generate_presigned_url("get_object", {"Bucket": "invoices", "Key": "k"})
print(url.partition("?")[0])
"""


def without(thing: Any) -> Any:
    """The same, with nothing in each text that is called documentation."""
    if isinstance(thing, list):
        return [without(each) for each in thing]
    if not isinstance(thing, dict):
        return thing
    return {
        key: "" if key == "documentation" and isinstance(value, str) else without(value)
        for key, value in thing.items()
    }


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_left_out_but_what_is_for_readers(service: str) -> None:
    file = str(max((DATA / service).iterdir()) / "service-2")
    told = JSONFileLoader().load_file(file)
    assert LOADER.file_loader.load_file(file) == without(told)
    assert len(json.dumps(without(told))) < len(json.dumps(told)) * 0.7


def test_clients_are_made_of_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["''", "True True", "https://invoices.s3.amazonaws.com/k"]
