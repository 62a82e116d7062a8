"""The job: train a small neural network, and yield a checkpoint after each epoch."""

import hashlib
import io
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypedDict

import boto3
from network import Network, spirals

from devbridge.job import JobContext, job_handler
from devbridge.resources import Bucket


@dataclass
class Train:
    epochs: int = 30
    seed: int = 0
    pause: float = 0.0
    """Seconds that each epoch takes longer: for a demonstration."""


class Checkpoint(TypedDict):
    epoch: int
    weights: str
    """Their key in the bucket: a checkpoint is small, and what it names may be large."""


@dataclass
class Trained:
    weights: str
    sha256: str
    accuracy: float


@job_handler("train")
def handler(
    payload: Train, context: JobContext[Checkpoint]
) -> Generator[Checkpoint, None, Trained]:
    points, labels = spirals(payload.seed)
    done = context.checkpoint
    network = load(done["weights"]) if done else Network.new(payload.seed)
    key = done["weights"] if done else ""
    for epoch in range(done["epoch"] if done else 0, payload.epochs):
        network.train(points, labels, seed=(payload.seed, epoch))
        time.sleep(payload.pause)
        print(f"epoch {epoch + 1}: {network.accuracy(points, labels):.1%} right")
        # Each of its own: one that is half written must not take the last one's place.
        key = f"{context.aws_request_id}/{epoch + 1}.npz"
        save(network, key)
        yield {"epoch": epoch + 1, "weights": key}
    digest = hashlib.sha256(b"".join(each.tobytes() for each in network.weights())).hexdigest()
    return Trained(key, digest, network.accuracy(points, labels))


def save(network: Network, key: str) -> None:
    file = io.BytesIO()
    network.save(file)
    boto3.client("s3").put_object(Bucket=Bucket.models.bucket_name, Key=key, Body=file.getvalue())


def load(key: str) -> Network:
    body = boto3.client("s3").get_object(Bucket=Bucket.models.bucket_name, Key=key)["Body"]
    return Network.load(io.BytesIO(body.read()))
