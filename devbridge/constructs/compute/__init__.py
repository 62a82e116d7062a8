"""What `compute` of a Job says: where it runs when it is deployed, and what each place allows."""

from __future__ import annotations

from devbridge.constructs.compute.base import Asked, Refusal
from devbridge.constructs.compute.batch import Batch
from devbridge.constructs.compute.codebuild import CodeBuild
from devbridge.constructs.compute.fargate import Fargate
from devbridge.constructs.compute.function import Lambda
from devbridge.constructs.compute.workers import Workers

Compute = CodeBuild | Batch | Fargate | Lambda
DEFAULT = CodeBuild()
ALLOWED = "CodeBuild(), Batch(cpu=2, memory='7.5 GB'), Fargate(cpu=1, memory='2 GB') or Lambda()"

__all__ = [
    "ALLOWED",
    "DEFAULT",
    "Asked",
    "Batch",
    "CodeBuild",
    "Compute",
    "Fargate",
    "Lambda",
    "Refusal",
    "Workers",
]
