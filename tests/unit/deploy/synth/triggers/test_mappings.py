"""What reads queues and streams for an invoker."""

from __future__ import annotations

import pytest

from devbridge.constructs import OnQueue, OnTable, OnTopic
from devbridge.names import Mode
from tests.unit.deploy.synth.triggers.conftest import Listened, Triggered
from tests.unit.deploy.templates import of_type


@pytest.mark.parametrize(("mode", "enabled"), [("dev", False), ("deployed", True)])
def test_on_a_dev_stage_nothing_is_read_before_somebody_is_there(
    triggered: Triggered, mode: Mode, enabled: bool
) -> None:
    def listen(to: Listened) -> list[OnQueue | OnTable | OnTopic]:
        return [OnQueue(to.queue), OnTable(to.table), OnTopic(to.topic)]

    made = of_type(triggered(listen, mode=mode), "AWS::Lambda::EventSourceMapping")
    assert len(made) == 3
    for mapping in made.values():
        properties = mapping["Properties"]
        assert properties["Enabled"] is enabled
        assert properties["FunctionName"] == {"Ref": "SeeJobInvoker"}
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("mode", ["dev", "deployed"])
def test_a_function_gets_what_is_read_on_every_stage(calling: Triggered, mode: Mode) -> None:
    template = calling(lambda to: [OnQueue(to.queue), OnTable(to.table)], mode=mode)
    made = of_type(template, "AWS::Lambda::EventSourceMapping")
    assert len(made) == 2
    for mapping in made.values():
        properties = mapping["Properties"]
        assert properties["Enabled"] is True
        assert properties["FunctionName"] == {"Ref": "SeeFunction"}
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
