"""Functions behind a load balancer, as templates name them, and where it can be reached.

ministack's CloudFormation forgets a target group's targets, it registers functions whose policies
do not let load balancers in, and it hands on whatever a function returns, of any size, and its
error.

"Use Lambda functions as targets" and "Troubleshoot your Application Load Balancers", its guide.

A client on this machine reaches a load balancer at ``http://127.0.0.1:PORT/_alb/NAME``, or at
``http://NAME.alb.localhost:PORT`` where that name can be resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from ..host import ministack
from . import grants
from .integrations import well_formed
from .payloads import size_of

Json = Mapping[str, Any]

KIND: Final = "AWS::ElasticLoadBalancingV2::TargetGroup"
SERVICE: Final = "elasticloadbalancing.amazonaws.com"
PATH: Final = "/_alb/"
LARGEST: Final = 1 << 20
"""Bytes of a request's body, and of a function's answer as JSON."""
_DOMAIN: Final = ".alb.localhost"

_results: ContextVar[list[Json] | None] = ContextVar("results", default=None)
"""Where it is noted what the function has returned that a load balancer calls."""


def is_load_balancer(host: str, path: str) -> bool:
    """Whether a request is for the listeners of a load balancer that is there."""
    name = host.partition(":")[0].lower()
    plain = name in ("127.0.0.1", "localhost")
    if not (plain and path.startswith(PATH)) and not name.endswith(_DOMAIN):
        return False
    balancers = ministack("app")._get_module("alb")
    if not plain:
        return balancers.find_lb_for_host(host) is not None
    return balancers._find_lb_by_name(path.removeprefix(PATH).partition("/")[0]) is not None


def keep_targets(provisioners: Any) -> None:
    """Register the targets that templates name."""
    handlers = provisioners._RESOURCE_HANDLERS[KIND]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def created(title: str, properties: Json, stack: str) -> Any:
        answer = create(title, properties, stack)
        try:
            _register(answer[0], properties)
        except ValueError:
            delete(answer[0], properties)
            raise
        return answer

    def updated(physical: str, old: Json, new: Json, *rest: Any, **options: Any) -> Any:
        answer = update(physical, old, new, *rest, **options)
        if answer[0] != physical or old.get("Targets") != new.get("Targets"):
            _register(answer[0], new)
        return answer

    handlers["create"], handlers["update"] = created, updated


def check_registered() -> None:
    """Correct `services.alb`: RegisterTargets."""
    balancers = ministack("services.alb")
    register = balancers._register_targets

    def registered(params: Any) -> Any:
        group = balancers._p(params, "TargetGroupArn")
        asked = balancers._parse_targets_param(params)
        if said := _problem(balancers._tgs.get(group), group, [each["Id"] for each in asked]):
            return balancers._error("AccessDenied", said, 403)
        return register(params)

    balancers._register_targets = registered


def answer_as_balancers() -> None:
    """Correct `services.alb`: what a client gets of a function's answer."""
    balancers, lambdas = ministack("services.alb"), ministack("services.lambda_svc")
    invoke = balancers._invoke_lambda_target
    shape = lambdas.lambda_execute_result_to_api_proxy_response

    def shaped(result: Json) -> Any:
        if (results := _results.get()) is not None:
            results.append(result)
        return shape(result)

    async def invoked(
        function: str,
        group: str,
        method: str,
        path: str,
        headers: Any,
        body: bytes | None,
        *rest: Any,
        **options: Any,
    ) -> Any:
        if len(body or b"") > LARGEST:
            return page(413, "Request Entity Too Large")
        results: list[Json] = []
        token = _results.set(results)
        try:
            answer = await invoke(function, group, method, path, headers, body, *rest, **options)
        finally:
            _results.reset(token)
        return answer if all(map(is_answer, results)) else page(502, "Bad Gateway")

    balancers._invoke_lambda_target = invoked
    lambdas.lambda_execute_result_to_api_proxy_response = shaped


def is_answer(result: Json) -> bool:
    """Whether a load balancer hands on what an invocation has come to. Pure."""
    body = result.get("body")
    if result.get("error") or result.get("throttle") or not isinstance(body, dict):
        return False
    return size_of(body) <= LARGEST and well_formed(body) is not None


def page(status: int, phrase: str) -> tuple[int, dict[str, str], bytes]:
    """What a load balancer answers itself."""
    title = f"{status} {phrase}"
    lines = (
        *("<html>", f"<head><title>{title}</title></head>", "<body>"),
        *(f"<center><h1>{title}</h1></center>", "</body>", "</html>", ""),
    )
    return status, {"Content-Type": "text/html"}, "\r\n".join(lines).encode()


def _register(group: str, properties: Json) -> None:
    """
    Raises:
        ValueError: a function does not let load balancers in.
    """
    balancers = ministack("services.alb")
    targets = properties.get("Targets") or ()
    if said := _problem(balancers._tgs[group], group, [str(each["Id"]) for each in targets]):
        raise ValueError(
            f"{said} (Service: ElasticLoadBalancingV2, Status Code: 403, AccessDenied)"
        )
    port = int(balancers._tgs[group].get("Port") or 80)
    balancers._targets[group] = [
        {**each, "Id": str(each["Id"]), "Port": int(each.get("Port") or port)} for each in targets
    ]


def _problem(group: Any, group_arn: str, targets: list[str]) -> str | None:
    if not group or group.get("TargetType") != "lambda":
        return None
    lambdas = ministack("services.lambda_svc")
    for arn in targets:
        function, _, _ = lambdas._get_func_record_for_ref(arn)
        policy = (function or {}).get("policy")
        account, action = group_arn.split(":")[4], "lambda:InvokeFunction"
        if not grants.service_may(policy, SERVICE, action, arn, group_arn, account):
            return (
                f"elasticloadbalancing principal does not have permission to invoke {arn}"
                f" from target group {group_arn}"
            )
    return None
