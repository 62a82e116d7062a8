"""The machines of Batch: what jobs share, and how they start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.constructs.compute import Batch
from devbridge.deploy.synth import Template
from tests.unit.deploy.synth.compute.test_codebuild import VPC, trusted
from tests.unit.deploy.synth.conftest import MakeJob
from tests.unit.deploy.templates import NETWORK, lint, made, of_type, properties


def only(template: Template, kind: str) -> dict[str, Any]:
    (found,) = of_type(template, kind).values()
    return dict(found["Properties"])


def resources_of(template: Template) -> dict[str, Any]:
    environment = only(template, "AWS::Batch::ComputeEnvironment")
    assert "ComputeEnvironmentName" not in environment
    assert "ServiceRole" not in environment
    found: dict[str, Any] = environment["ComputeResources"]
    return found


def test_while_nothing_runs_there_is_no_machine(synthed: MakeJob) -> None:
    found = resources_of(synthed(compute=Batch(max_vcpus=64)))
    assert (found["MinvCpus"], found["MaxvCpus"]) == (0, 64)
    assert found["Type"] == "EC2"
    assert found["AllocationStrategy"] == "BEST_FIT_PROGRESSIVE"
    assert found["Ec2Configuration"] == [{"ImageType": "ECS_AL2023"}]
    assert found["Subnets"] == list(NETWORK.subnets)
    assert found["SecurityGroupIds"] == list(NETWORK.groups)
    assert found["InstanceRole"] == {"Fn::GetAtt": ["MachineProfile", "Arn"]}


def test_spare_machines_are_taken_where_there_are_the_most(synthed: MakeJob) -> None:
    found = resources_of(synthed(compute=Batch(spot=True)))
    assert (found["Type"], found["AllocationStrategy"]) == ("SPOT", "SPOT_CAPACITY_OPTIMIZED")


@pytest.mark.parametrize(
    ("options", "architecture", "types"),
    [
        ({}, "x86_64", ["default_x86_64"]),
        ({}, "arm64", ["default_arm64"]),
        ({"gpu": 1}, "x86_64", ["g4dn", "g5", "g6"]),
        ({"instance_types": ["m6i.2xlarge"]}, "x86_64", ["m6i.2xlarge"]),
    ],
)
def test_machines_fit_what_is_asked_for(
    options: dict[str, Any], architecture: str, types: list[str], synthed: MakeJob
) -> None:
    found = resources_of(synthed(compute=Batch(**options), architecture=architecture))
    assert found["InstanceTypes"] == types
    image = "ECS_AL2023_NVIDIA" if "gpu" in options else "ECS_AL2023"
    assert found["Ec2Configuration"] == [{"ImageType": image}]


def test_their_disk_is_encrypted_and_their_metadata_asks_for_a_token(synthed: MakeJob) -> None:
    template = synthed(compute=Batch(disk="200 GB"))
    data = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    (device,) = data["BlockDeviceMappings"]
    assert device["DeviceName"] == "/dev/xvda"
    assert device["Ebs"] == {
        "VolumeType": "gp3",
        "Encrypted": True,
        "DeleteOnTermination": True,
        "VolumeSize": 200,
    }
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    (title,) = of_type(template, "AWS::EC2::LaunchTemplate")
    assert resources_of(template)["LaunchTemplate"] == {
        "LaunchTemplateId": {"Ref": title},
        "Version": {"Fn::GetAtt": [title, "LatestVersionNumber"]},
    }


def test_nothing_waits_for_a_machine_for_ever(synthed: MakeJob) -> None:
    found = only(synthed(compute=Batch()), "AWS::Batch::JobQueue")["JobStateTimeLimitActions"]
    assert {each["Reason"]: each["MaxTimeSeconds"] for each in found} == {
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": 600,
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": 600,
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": 14400,
    }
    assert {(each["Action"], each["State"]) for each in found} == {("CANCEL", "RUNNABLE")}


def test_machines_may_be_machines_of_ecs_and_no_more(synthed: MakeJob) -> None:
    template = synthed(compute=Batch())
    assert trusted(template, "MachineRole") == [{"Service": "ec2.amazonaws.com"}]
    role = properties(template, "MachineRole")
    arn = "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
    assert role["ManagedPolicyArns"] == [{"Fn::Sub": arn}]
    assert "Policies" not in role


def test_jobs_that_ask_for_the_same_share_machines_and_a_queue(root: Path) -> None:
    with loading(root):
        app = App("demo", tags={"team": "data"})
        for name, compute, options in (
            ("one", Batch(cpu=2, memory="4 GB"), {}),
            ("two", Batch(cpu=8, memory="60 GB"), {}),
            ("three", Batch(spot=True), {}),
            ("four", Batch(), {"vpc": VPC}),
            ("five", Batch(), {"architecture": "arm64"}),
        ):
            Job(app, name, handler="jobs/a.handler", compute=compute, **options)
    template = made(app, mode="deployed")
    assert lint(template) == []
    queues = of_type(template, "AWS::Batch::JobQueue")
    assert len(queues) == len(of_type(template, "AWS::Batch::ComputeEnvironment")) == 4
    labels = [template.labels[title] for title in queues]
    assert "the machines of Job 'one', Job 'two'" in labels
    names = [queue["Properties"]["JobQueueName"] for queue in queues.values()]
    assert all(name.startswith("demo_dev_") for name in names)
    for environment in of_type(template, "AWS::Batch::ComputeEnvironment").values():
        assert environment["Properties"]["ComputeResources"]["Tags"] == {
            "devbridge:app": "demo",
            "devbridge:stage": "dev",
            "team": "data",
        }
