"""A file system that runs share: where it is, who reaches it, and how it is mounted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, FileSystem, Function, Job, Vpc
from devbridge.constructs.app import loading
from devbridge.constructs.compute import Batch, Fargate, Lambda
from devbridge.deploy.synth import Template
from devbridge.names import Mode
from tests.unit.deploy.synth.compute.test_codebuild import VPC
from tests.unit.deploy.templates import (
    NETWORK,
    container_variables,
    lint,
    made,
    of_type,
    properties,
    resources,
    statements,
)

Make = Callable[..., Template]


@pytest.fixture
def shared(root: Path) -> Make:
    """Makes the template of an app with a file system, "my-files", and a job that binds it."""

    def make(
        *,
        mode: Mode = "deployed",
        vpc: Vpc | None = None,
        job: Any = None,
        zones: Mapping[str, str] = {},
        **options: Any,
    ) -> Template:
        with loading(root):
            app = App("demo")
            files = FileSystem(app, "my-files", vpc=vpc, **options)
            more: Any = {"compute": job or Fargate(), "vpc": vpc}
            Job(app, "a", handler="jobs/a.handler", bind=[files], **more)
        template = made(app, mode=mode, zones=zones)
        assert lint(template) == []
        return template

    return make


def test_it_is_encrypted_and_mounted_with_tls_and_a_role_alone(shared: Make) -> None:
    template = shared()
    system = properties(template, "MyFilesFileSystem")
    assert system["Encrypted"] is True
    (statement,) = system["FileSystemPolicy"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert "KmsKeyId" not in system
    key = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    assert properties(shared(encryption_key=key), "MyFilesFileSystem")["KmsKeyId"] == key


@pytest.mark.parametrize(
    ("mode", "removal", "policy"),
    [
        ("deployed", None, "RetainExceptOnCreate"),
        ("deployed", "delete", "Delete"),
        ("dev", "retain", "RetainExceptOnCreate"),
    ],
)
def test_what_holds_data_is_kept_or_deleted_as_it_says(
    mode: Mode, removal: Any, policy: str, root: Path
) -> None:
    with loading(root):
        app = App("demo")
        files = FileSystem(app, "my-files", removal=removal)
        options: Any = {"compute": Fargate(), "enable_live_dev": False}
        Job(app, "a", handler="jobs/a.handler", bind=[files], **options)
    assert resources(made(app, mode=mode))["MyFilesFileSystem"]["DeletionPolicy"] == policy


@pytest.mark.parametrize("vpc", [None, VPC])
def test_it_is_reached_in_each_subnet_by_the_groups_of_its_network(
    vpc: Vpc | None, shared: Make
) -> None:
    template = shared(vpc=vpc)
    subnets = vpc.subnets if vpc else NETWORK.subnets
    groups = vpc.security_groups if vpc else NETWORK.groups
    group = properties(template, "MyFilesFileSystemGroup")
    assert group["VpcId"] == (vpc.id if vpc else NETWORK.vpc)
    assert [rule["SourceSecurityGroupId"] for rule in group["SecurityGroupIngress"]] == list(groups)
    assert {rule["FromPort"] for rule in group["SecurityGroupIngress"]} == {2049}
    targets = of_type(template, "AWS::EFS::MountTarget").values()
    assert [each["Properties"]["SubnetId"] for each in targets] == list(subnets)
    for each in targets:
        assert each["Properties"]["SecurityGroups"] == [{"Ref": "MyFilesFileSystemGroup"}]


def test_a_zone_has_one_address_however_many_of_the_subnets_are_in_it(shared: Make) -> None:
    ids = [f"subnet-0123456789abcdef{n}" for n in range(4)]
    vpc = Vpc("vpc-0123456789abcdef0", subnets=ids, security_groups=["sg-0123456789abcdef0"])
    zones = dict(zip(ids, ("b", "a", "b"), strict=False))
    template = shared(vpc=vpc, job=Lambda(), zones=zones)
    targets = of_type(template, "AWS::EFS::MountTarget")
    found = [each["Properties"]["SubnetId"] for each in targets.values()]
    assert found == [ids[0], ids[1], ids[3]]
    assert set(resources(template)["AJobRunner"]["DependsOn"]) == {*targets}


@pytest.mark.parametrize("compute", [Fargate(), Batch(), Lambda()], ids=lambda each: each.name)
def test_a_role_may_mount_it_through_its_access_point_and_write_to_it(
    compute: Any, shared: Make
) -> None:
    template = shared(job=compute, vpc=VPC)
    (found,) = [
        statement
        for statement in statements(template, "AJobRole")
        if statement["Action"][0].startswith("elasticfilesystem:")
    ]
    assert found["Action"] == ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    assert found["Resource"] == [{"Fn::GetAtt": ["MyFilesFileSystem", "Arn"]}]
    point = {"Fn::GetAtt": ["MyFilesFileSystemAccess", "Arn"]}
    assert found["Condition"] == {"StringEquals": {"elasticfilesystem:AccessPointArn": point}}


def test_a_task_of_fargate_mounts_it_with_its_role(shared: Make) -> None:
    task = properties(shared(), "AJobTask")
    (volume,) = task["Volumes"]
    assert volume == {
        "Name": "my-files",
        "EFSVolumeConfiguration": {
            "FilesystemId": {"Ref": "MyFilesFileSystem"},
            "TransitEncryption": "ENABLED",
            "AuthorizationConfig": {
                "AccessPointId": {"Ref": "MyFilesFileSystemAccess"},
                "IAM": "ENABLED",
            },
        },
    }
    (container,) = task["ContainerDefinitions"]
    assert container["MountPoints"] == [
        {"ContainerPath": "/mnt/my-files", "SourceVolume": "my-files"}
    ]
    path = container_variables(container)["DEVBRIDGE_FileSystem_path_my_files"]
    assert path == "/mnt/my-files"


def test_a_job_of_batch_mounts_it_with_its_role(shared: Make) -> None:
    (task,) = properties(shared(job=Batch()), "AJobDefinition")["EcsProperties"]["TaskProperties"]
    (volume,) = task["Volumes"]
    assert volume["EfsVolumeConfiguration"]["AuthorizationConfig"]["Iam"] == "ENABLED"
    assert volume["EfsVolumeConfiguration"]["TransitEncryption"] == "ENABLED"
    (container,) = task["Containers"]
    assert container["MountPoints"] == [
        {"ContainerPath": "/mnt/my-files", "SourceVolume": "my-files"}
    ]


def test_functions_mount_it_once_it_can_be_reached(root: Path, shared: Make) -> None:
    template = shared(job=Lambda(), vpc=VPC)
    mounted = [
        {
            "Arn": {"Fn::GetAtt": ["MyFilesFileSystemAccess", "Arn"]},
            "LocalMountPath": "/mnt/my-files",
        }
    ]
    assert properties(template, "AJobRunner")["FileSystemConfigs"] == mounted
    targets = {*of_type(template, "AWS::EFS::MountTarget")}
    assert set(resources(template)["AJobRunner"]["DependsOn"]) == targets
    with loading(root):
        app = App("demo")
        files = FileSystem(app, "my-files", vpc=VPC)
        Function(app, "f", handler="api/start.handler", bind=[files], vpc=VPC)
    template = made(app, mode="deployed")
    assert lint(template) == []
    assert properties(template, "FFunction")["FileSystemConfigs"] == mounted
    assert targets < set(resources(template)["FFunction"]["DependsOn"])


def test_on_a_stage_of_dev_it_is_in_the_cloud_only_if_something_there_has_it(
    shared: Make,
) -> None:
    template = shared(mode="dev")
    assert not [kind for kind in resources(template).values() if "EFS" in kind["Type"]]
    assert "elasticfilesystem" not in template.body
