"""Who may call an invoker by itself: what each kind permits is in the table of `test_known`."""

from __future__ import annotations

from devbridge.constructs import OnLog
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.templates import properties


def test_a_service_may_call_for_what_is_of_this_account_only(triggered: Triggered) -> None:
    template = triggered(lambda to: [OnLog(to.function)])
    permission = properties(template, "SeeJobOnLogFPermission")
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert permission["SourceArn"] == {"Fn::GetAtt": ["FFunctionLogs", "Arn"]}


def test_a_service_calls_a_function_itself(calling: Triggered) -> None:
    permission = properties(calling(lambda to: [OnLog(to.function)]), "SeeFunctionOnLogFPermission")
    assert permission["FunctionName"] == {"Ref": "SeeFunction"}
