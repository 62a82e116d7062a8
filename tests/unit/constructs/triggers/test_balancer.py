"""Requests that a load balancer gets."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Job, LoadBalancer, OnLoadBalancer, Vpc
from tests.unit.constructs.triggers.conftest import Refused

VPC = Vpc(
    "vpc-0123456789abcdef0",
    ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    ["sg-0123456789abcdef0"],
)


@pytest.fixture
def balancer(app: App) -> LoadBalancer:
    return LoadBalancer(app, "front", vpc=VPC)


@pytest.mark.parametrize(
    "options",
    [
        {"paths": ["/thumbs", "/img/*", "*.jpg", "/~a/b-c_d.e$f"]},
        {"methods": ["POST", "M-SEARCH"], "hosts": ["*.example.com", "api.example.com"]},
        {"headers": {"x-kind": ["a*", "b c"], "User-Agent": ["*"]}, "priority": 50_000},
    ],
)
def test_a_rule_has_conditions(app: App, balancer: LoadBalancer, options: Any) -> None:
    trigger = OnLoadBalancer(balancer, **options)
    assert Job(app, "see", handler="jobs/a.handler", triggers=[trigger]).triggers == (trigger,)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "without paths, methods, headers and hosts"),
        ({"paths": "/a"}, "paths '/a'"),
        ({"paths": ["a"]}, "paths: 'a'"),
        ({"paths": ["/ä"]}, "paths: '/ä'"),
        ({"paths": ["/" + "a" * 128]}, "paths: '/aaa"),
        ({"methods": ["post"]}, "methods: 'post'"),
        ({"hosts": ["localhost"]}, "hosts: 'localhost'"),
        ({"headers": ["x"]}, "headers ['x']"),
        ({"headers": {"a b": ["x"]}}, "header 'a b'"),
        ({"headers": {"x": []}}, "header x []"),
        ({"headers": {"x": ["ü"]}}, "header x: 'ü'"),
        ({"paths": ["/a"], "priority": 0}, "priority 0"),
        ({"paths": ["/a"], "priority": "1"}, "priority '1'"),
        ({"paths": ["/a", "/b", "/c"], "methods": ["GET", "PUT", "POST"]}, "6 values"),
        ({"paths": ["/*/*/*/*/*/*/*"]}, "7 wildcards"),
    ],
)
def test_what_a_rule_cannot_have_is_refused(
    balancer: LoadBalancer, refused: Refused, options: Any, told: str
) -> None:
    assert told in refused(OnLoadBalancer(balancer, name="x", **options))


def test_a_listener_has_one_rule_of_a_priority(
    app: App, balancer: LoadBalancer, refused: Refused
) -> None:
    Job(app, "first", handler="jobs/a.handler", triggers=[OnLoadBalancer(balancer, ["/a"])])
    assert "priority 1 beside Job 'first'" in refused(OnLoadBalancer(balancer, ["/b"]))
    assert OnLoadBalancer(balancer, ["/b"], 2).problem(balancer) is None


def test_it_is_of_a_load_balancer(refused: Refused) -> None:
    assert "'front'" in refused(OnLoadBalancer("front", ["/a"], name="x"))  # type: ignore[arg-type]
