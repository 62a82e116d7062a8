"""Rules of load balancers that start a job."""

from __future__ import annotations

from devbridge.constructs import OnLoadBalancer
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.templates import properties, resources


def test_a_rule_has_its_conditions_and_the_invoker_in_a_group(triggered: Triggered) -> None:
    template = triggered(
        lambda to: [
            OnLoadBalancer(
                to.balancer,
                ["/a", "/b/*"],
                7,
                methods=["POST"],
                headers={"x-kind": ["c"]},
                hosts=["*.example.com"],
            )
        ]
    )
    assert properties(template, "SeeJobOnLoadBalancerL7") == {
        "ListenerArn": {"Ref": "LLoadBalancerListener"},
        "Priority": 7,
        "Conditions": [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a", "/b/*"]}},
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}},
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "x-kind", "Values": ["c"]},
            },
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}},
        ],
        "Actions": [
            {"Type": "forward", "TargetGroupArn": {"Ref": "SeeJobOnLoadBalancerL7Targets"}}
        ],
    }
    group = resources(template)["SeeJobOnLoadBalancerL7Targets"]
    assert group["DependsOn"] == "SeeJobOnLoadBalancerL7Permission"
    name = group["Properties"].pop("Name")
    assert name.startswith("l-7-")
    assert len(name) <= 32
    assert group["Properties"] == {
        "TargetType": "lambda",
        "Targets": [{"Id": {"Fn::GetAtt": ["SeeJobInvoker", "Arn"]}}],
    }


def test_the_group_is_permitted_and_known_by_its_name(triggered: Triggered) -> None:
    template = triggered(lambda to: [OnLoadBalancer(to.balancer, ["/a"], name="asked")])
    name = properties(template, "SeeJobOnLoadBalancerAskedTargets")["Name"]
    source = properties(template, "SeeJobOnLoadBalancerAskedPermission")["SourceArn"]["Fn::Sub"]
    assert source.endswith(f":targetgroup/{name}/*")
    variables = properties(template, "SeeJobInvoker")["Environment"]["Variables"]
    assert name in variables["DEVBRIDGE_TRIGGERS"]["Fn::Join"][1]


def test_a_function_is_in_the_target_group_itself(calling: Triggered) -> None:
    found = calling(lambda to: [OnLoadBalancer(to.balancer, ["/a"])])
    targets = properties(found, "SeeFunctionOnLoadBalancerL1Targets")
    assert targets["Targets"] == [{"Id": {"Fn::GetAtt": ["SeeFunction", "Arn"]}}]
