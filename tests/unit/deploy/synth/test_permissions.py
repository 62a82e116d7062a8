"""The permissions of functions' own policies, all of one form."""

from __future__ import annotations

from devbridge.constructs import Api, Function, OnEvent, OnLog, Topic
from devbridge.constructs.app import App
from devbridge.constructs.job import Job
from tests.unit.deploy.synth.conftest import MakeApp
from tests.unit.deploy.templates import of_type


def test_each_names_one_function_one_service_and_what_of_it_may_call(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        function = Function(app, "f", handler="api/start.handler")
        Topic(app, "t", subscribers=[function])
        Api(app, "web", routes={"GET /": function})
        triggers = [OnEvent({"source": ["s"]}), OnLog(function, loop=True)]
        Job(app, "a", handler="jobs/a.handler", triggers=triggers, log_forwarding="f")

    found = of_type(synthed_app(define, mode="deployed"), "AWS::Lambda::Permission")
    principals = set()
    for each in found.values() if isinstance(found, dict) else found:
        properties = each.get("Properties", each)
        assert properties["Action"] == "lambda:InvokeFunction"
        assert properties["FunctionName"]
        assert properties["SourceArn"]
        principals.add(properties["Principal"].removesuffix(".amazonaws.com"))
    assert principals == {"apigateway", "events", "logs", "sns"}
