"""A file system of EFS on the embedded cloud is a folder, to which its users are led."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import Stack, allow, arn, function, role

CODE: Final = """\
import os, pathlib
def handler(event, context):
    folder = pathlib.Path(os.environ["FOLDER"])
    folder.mkdir(exist_ok=True)
    file = folder / "counted"
    number = int(file.read_text()) + 1 if file.exists() else 1
    file.write_text(str(number))
    return [str(folder), number]
"""


@pytest.fixture(scope="module")
def stack(shared_cloud: Running) -> Stack:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "files")
    ec2 = made.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    mounted = [{"Arn": arn("Point"), "LocalMountPath": "/mnt/shared"}]
    network = {"SubnetIds": [subnet], "SecurityGroupIds": [group]}
    files: dict[str, Any] = {
        "FileSystemConfigs": mounted,
        "VpcConfig": network,
        "Environment": {"Variables": {"FOLDER": "/mnt/shared/deep"}},
    }
    resources = {
        "Role": role(allow("elasticfilesystem:Client*", "ec2:*")),
        "Files": {"Type": "AWS::EFS::FileSystem", "Properties": {"Encrypted": True}},
        "Target": {
            "Type": "AWS::EFS::MountTarget",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "SubnetId": subnet,
                "SecurityGroups": [group],
            },
        },
        "Point": {
            "Type": "AWS::EFS::AccessPoint",
            "Properties": {"FileSystemId": {"Ref": "Files"}, "RootDirectory": {"Path": "/jobs"}},
        },
        "First": {**function(CODE, **files), "DependsOn": "Target"},
        "Second": {**function(CODE, **files), "DependsOn": "Target"},
    }
    assert made.deploy(resources) == ("CREATE_COMPLETE", "")
    return made


def test_functions_that_mount_it_share_it_until_it_is_deleted(stack: Stack) -> None:
    functions, name = stack.client("lambda"), stack.resource("Files")
    answers = [
        json.load(functions.invoke(FunctionName=stack.resource(title))["Payload"])
        for title in ("First", "Second", "First")
    ]
    folder = Path(answers[0][0])
    assert folder.parts[-4:] == ("file-systems", name, "jobs", "deep")
    assert answers == [[str(folder), number] for number in (1, 2, 3)]
    config = functions.get_function_configuration(FunctionName=stack.resource("First"))
    assert config["FileSystemConfigs"][0]["LocalMountPath"] == "/mnt/shared"
    stack.delete()
    assert not folder.parents[1].exists()
    assert folder.parents[2].is_dir()
