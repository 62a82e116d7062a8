from __future__ import annotations

from devbridge.constructs.compute import Batch, CodeBuild, Fargate, Lambda


def test_each_place_has_a_name_of_its_own() -> None:
    assert [each.name for each in (CodeBuild(), Batch(), Fargate(), Lambda())] == [
        "codebuild",
        "batch",
        "fargate",
        "lambda",
    ]
