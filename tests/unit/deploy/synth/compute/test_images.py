"""Who may pull an image."""

from __future__ import annotations

import pytest

from devbridge.deploy.synth.compute.images import pull


def test_a_private_image_is_pulled_with_the_right_to_its_repository_alone() -> None:
    token, layers = pull("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/base:1")
    assert (token["Action"], token["Resource"]) == (["ecr:GetAuthorizationToken"], ["*"])
    (repository,) = layers["Resource"]
    expected = "arn:${AWS::Partition}:ecr:eu-west-1:123456789012:repository/team/base"
    assert repository.to_dict() == {"Fn::Sub": expected}
    assert layers["Action"] == [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
    ]


@pytest.mark.parametrize("image", ["public.ecr.aws/docker/library/python:3.12-slim", "python:3"])
def test_a_public_one_needs_no_right(image: str) -> None:
    assert pull(image) == []
