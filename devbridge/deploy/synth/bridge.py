"""What stubs need of the bridge to the daemon, and where it is."""

from __future__ import annotations

from devbridge.deploy.policies import Json, allow
from devbridge.deploy.references import arn
from devbridge.deploy.synth.stack import Stack
from devbridge.protocol.messages import Topics


def bridge(stack: Stack, topic: str) -> list[Json]:
    """What a stub needs that publishes to this topic, and nothing else of the stage's."""
    topics = Topics(stack.app.name, stack.stage)
    incoming = (topics.replies("*"), topics.presence)
    return [
        allow(["iot:Connect"], [arn("iot", f"client/{topics.stub_client_id('*')}")]),
        allow(["iot:Publish"], [arn("iot", f"topic/{topic}")]),
        allow(["iot:Subscribe"], [arn("iot", f"topicfilter/{topic}") for topic in incoming]),
        allow(["iot:Receive"], [arn("iot", f"topic/{topic}") for topic in incoming]),
    ]
