from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, LoadBalancer, Vpc
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from devbridge.deploy.synth.load_balancers import listener
from tests.unit.deploy.templates import lint, made, properties, resources

VPC = Vpc("vpc-12345678", ["subnet-12345678", "subnet-87654321"], ["sg-12345678"])
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/01234567-89ab"
LISTENER = (
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/web/0123456789abcdef/"
    "0123456789abcdef"
)


@pytest.fixture
def synthed(root: Path) -> Callable[..., Template]:
    def make(**options: Any) -> Template:
        with loading(root):
            app = App("demo")
            LoadBalancer(app, "web", vpc=VPC, **options)
        template = made(app)
        assert lint(template) == []
        return template

    return make


def test_it_is_internal_and_answers_404_until_there_are_rules(
    synthed: Callable[..., Template],
) -> None:
    template = synthed()
    balancer = properties(template, "WebLoadBalancer")
    assert (balancer["Scheme"], balancer["Subnets"]) == ("internal", list(VPC.subnets))
    assert balancer["SecurityGroups"] == [{"Ref": "WebLoadBalancerGroup"}]
    assert balancer["LoadBalancerAttributes"] == [
        {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"}
    ]
    door = properties(template, "WebLoadBalancerListener")
    assert (door["Port"], door["Protocol"]) == (80, "HTTP")
    (action,) = door["DefaultActions"]
    assert action["FixedResponseConfig"]["StatusCode"] == "404"
    outputs = json.loads(template.body)["Outputs"]
    assert outputs["WebUrl"]["Value"] == {"Fn::Sub": "http://${WebLoadBalancer.DNSName}"}
    assert outputs["WebListener"]["Value"] == {"Ref": "WebLoadBalancerListener"}


def test_it_is_reached_from_its_ranges_and_by_the_groups_of_its_vpc(
    synthed: Callable[..., Template],
) -> None:
    template = synthed(ingress=["10.1.0.0/16", "10.2.0.0/16"])
    group = properties(template, "WebLoadBalancerGroup")
    assert group["VpcId"] == VPC.id
    rules = group["SecurityGroupIngress"]
    assert [rule.get("CidrIp") for rule in rules] == ["10.1.0.0/16", "10.2.0.0/16", None]
    assert rules[2]["SourceSecurityGroupId"] == "sg-12345678"
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(80, 80)}


def test_with_a_certificate_it_speaks_https_only(synthed: Callable[..., Template]) -> None:
    template = synthed(certificate=CERTIFICATE, internal=False)
    assert properties(template, "WebLoadBalancer")["Scheme"] == "internet-facing"
    door = properties(template, "WebLoadBalancerListener")
    assert (door["Port"], door["Protocol"]) == (443, "HTTPS")
    assert door["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert door["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    (rule, _) = properties(template, "WebLoadBalancerGroup")["SecurityGroupIngress"]
    assert rule["FromPort"] == 443
    url = json.loads(template.body)["Outputs"]["WebUrl"]["Value"]
    assert url["Fn::Sub"].startswith("https://")


def test_rules_are_for_the_listener_whether_it_exists_or_not(root: Path) -> None:
    with loading(root):
        app = App("demo")
        own = LoadBalancer(app, "own", vpc=VPC)
        theirs = LoadBalancer.existing(app, "theirs", listener_arn=LISTENER)
        app.output("Theirs", theirs.listener_arn)
    assert listener(own).to_dict() == {"Ref": "OwnLoadBalancerListener"}
    assert listener(theirs) == LISTENER
    template = made(app)
    assert lint(template) == []
    assert not [title for title in resources(template) if title.startswith("Theirs")]
    assert json.loads(template.body)["Outputs"]["Theirs"]["Value"] == LISTENER
