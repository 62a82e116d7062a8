from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, LoadBalancer, Vpc
from devbridge.constructs.app import loading
from devbridge.errors import InvalidValue

VPC = Vpc("vpc-12345678", ["subnet-12345678", "subnet-87654321"], ["sg-12345678"])
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/01234567-89ab"
LISTENER = (
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/web/0123456789abcdef/"
    "0123456789abcdef"
)


@pytest.fixture
def app(tmp_path: Path) -> App:
    with loading(tmp_path):
        return App("demo")


def test_a_load_balancer_is_for_its_network_only_unless_it_is_told(app: App) -> None:
    balancer = LoadBalancer(app, "web", vpc=VPC)
    assert (balancer.internal, balancer.certificate) == (True, None)
    assert balancer.ingress == ("10.0.0.0/8",)
    open_to_all = LoadBalancer(
        app, "open", vpc=VPC, internal=False, certificate=CERTIFICATE, ingress=["0.0.0.0/0"]
    )
    assert (open_to_all.internal, open_to_all.ingress) == (False, ("0.0.0.0/0",))
    assert LoadBalancer(app, "groups", vpc=VPC, ingress=[]).ingress == ()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("vpc", value) for value in (None, "vpc-12345678")),
        ("vpc", Vpc("vpc-12345678", ["subnet-12345678"], ["sg-12345678"])),
        ("internal", "yes"),
        *(("certificate", value) for value in ("web", 1, CERTIFICATE.replace("acm", "iam"))),
        *(("ingress", value) for value in ("10.0.0.0/8", ["10.0.0.1/8"], ["10.0.0.0"], ["x"])),
        *(("ingress", value) for value in ([8], ["::/0"], [f"10.{n}.0.0/16" for n in range(51)])),
        ("transform", 1),
    ],
)
def test_what_a_load_balancer_cannot_have_is_refused(option: str, value: object, app: App) -> None:
    given: Any = {"vpc": VPC, option: value}
    with pytest.raises(InvalidValue, match=option):
        LoadBalancer(app, "web", **given)
    assert app.constructs == []


def test_of_one_that_exists_only_the_listener_is_known(app: App) -> None:
    balancer = LoadBalancer.existing(app, "web", listener_arn=LISTENER)
    assert balancer.existing == LISTENER
    assert balancer.listener_arn.what == "listener_arn"
    for what in ("arn", "url"):
        with pytest.raises(InvalidValue, match=f"{what} of a load balancer that exists"):
            getattr(balancer, what)
