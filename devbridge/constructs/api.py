"""The Api construct: routes to functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from devbridge.constructs import values
from devbridge.constructs.app import App, Bindable, Transform
from devbridge.constructs.authorizers import (
    FunctionAuthorizer,
    JwtAuthorizer,
    LambdaAuthorizer,
    jwt_problem,
    lambda_problem,
)
from devbridge.constructs.code import bound, parsed_handler
from devbridge.constructs.cors import Cors, cors_problem
from devbridge.constructs.function import Function
from devbridge.constructs.references import Reference
from devbridge.constructs.throttle import Throttle, throttle_problem
from devbridge.constructs.user_pools import UserPool
from devbridge.constructs.values import Duration
from devbridge.sources.handlers import Handler
from devbridge.sources.runtimes import FUNCTIONS, FunctionRuntime

NO_AUTHORIZER: Final = "none"


@dataclass(frozen=True, slots=True)
class RouteTo:
    """A route's target, with an authorizer other than the Api's default.

    Args:
        target: handler path, or a Function.
        authorizer: one of the Api's `authorizers`, or "none" for a route that is open to all.
    """

    target: str | Function
    authorizer: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One route of an Api, e.g. ``POST /factorial``, and the function that answers it."""

    key: str
    function: Function
    authorizer: str | None = None
    """One of the Api's `authorizers`; None when the route is open to all."""


class Api(Bindable):
    """An HTTP API: routes to functions.

    Args:
        routes: route key -> handler path, or a Function, or a `RouteTo` of them. Each handler path
            becomes a function, one for all the routes and authorizers that name it. None where all
            that the API does is to start jobs (`OnRequest`).
        bind: what the functions made from handler paths may use.
        runtime: what they run on, as for Function.
        cors: True lets every web page call it; a `Cors` says which.
        authorizers: by name; who may call a route: a `UserPool` lets in who has signed in there.
            AWS allows 10 an API, and more when asked.
        authorizer: the name of the one that all routes have which do not say otherwise.
        access_log: log each request, with the caller's address, to the log group
            `/aws/vendedlogs/APP_STAGE_API`; CloudWatch bills it by its size.
        log_retention: how long that is kept; as for Job.
        throttle: the most requests that it takes; by default the account's quota.
        encryption_key: the ARN of a KMS key for the access log; by default the app's.
        transform: called with its `troposphere.apigatewayv2.Api`.

    Raises:
        InvalidValue, DuplicateName, UnknownBindTarget, HandlerNotFound.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        routes: Mapping[str, str | Function | RouteTo] = {},
        bind: Sequence[Bindable] = (),
        runtime: FunctionRuntime | None = None,
        cors: bool | Cors = False,
        authorizers: Mapping[str, JwtAuthorizer | LambdaAuthorizer | UserPool] = {},
        authorizer: str | None = None,
        access_log: bool = False,
        log_retention: Duration = "14 days",
        throttle: Throttle | None = None,
        encryption_key: str | None = None,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        if not isinstance(routes, Mapping):
            raise self.invalid("routes", routes, "a dict of routes")
        first: dict[str, str] = {}
        for key in routes:
            if not values.route(key):
                raise self.invalid("route", key, values.ROUTE_ALLOWED)
            other = first.setdefault(values.same_requests(key), key)
            if other != key:
                raise self.invalid("route", key, f"one route for the same requests as {other!r}")
        if problem := cors_problem(cors):
            raise self.refused("cors", problem)
        self.access_log = self.flag("access_log", access_log)
        self.log_days = self.days_of(log_retention)
        """How long CloudWatch keeps the access log; None is for ever."""
        if problem := throttle_problem(throttle):
            raise self.refused("throttle", problem)
        self.throttle = throttle
        self.encryption_key = self.key_of(encryption_key)
        self._bound = bound(self, bind)
        self.choice("runtime", runtime, FUNCTIONS)
        self._runtime = runtime
        self._made: dict[str, Function] = {}
        self.cors = (Cors() if cors else None) if isinstance(cors, bool) else cors
        self.authorizers = self._authorizers(authorizers)
        self.authorizer = default = self._authorizer("authorizer", authorizer)
        """Of routes that do not say otherwise; None: they are open to all."""
        self.routes = tuple(self._route(key, target, default) for key, target in routes.items())
        self.register()

    @property
    def url(self) -> Reference:
        """The deployed API's URL, without a slash at its end."""
        return Reference(self, "url")

    def _route(self, key: str, target: str | Function | RouteTo, default: str | None) -> Route:
        what = f"route {key!r}:"
        to = target if isinstance(target, RouteTo) else RouteTo(target)
        authorizer = default
        if to.authorizer is not None:
            authorizer = self._authorizer(f"{what} authorizer", to.authorizer)
        return Route(key, self._function(what, to.target), authorizer)

    def _authorizer(self, what: str, name: str | None) -> str | None:
        """The name of an authorizer; None for none."""
        if name is None or name == NO_AUTHORIZER:
            return None
        if not isinstance(name, str) or name not in self.authorizers:
            known = ", ".join(map(repr, [*self.authorizers, NO_AUTHORIZER]))
            raise self.invalid(what, name, f"{known} (those of `authorizers`)")
        return name

    def _authorizers(
        self, authorizers: Mapping[str, JwtAuthorizer | LambdaAuthorizer | UserPool]
    ) -> Mapping[str, JwtAuthorizer | FunctionAuthorizer | UserPool]:
        known = "JwtAuthorizer(...), LambdaAuthorizer(...) or a UserPool of this app"
        allowed = f"a dict of name -> {known}"
        if not isinstance(authorizers, Mapping):
            raise self.invalid("authorizers", authorizers, allowed)
        resolved: dict[str, JwtAuthorizer | FunctionAuthorizer | UserPool] = {}
        for name, value in authorizers.items():
            what = f"authorizer {name!r}:"
            if not isinstance(name, str) or not values.NAME.fullmatch(name):
                raise self.invalid("authorizer", name, values.NAME_ALLOWED)
            if name == NO_AUTHORIZER:
                raise self.invalid("authorizer", name, "another name: 'none' means no authorizer")
            match value:
                case JwtAuthorizer():
                    if problem := jwt_problem(value):
                        raise self.refused(what, problem)
                    resolved[name] = value
                case LambdaAuthorizer():
                    if problem := lambda_problem(value):
                        raise self.refused(what, problem)
                    function = self._function(what, value.function)
                    resolved[name] = FunctionAuthorizer(function, value.ttl, value.identity_sources)
                case UserPool() if value.app is self.app:
                    resolved[name] = value
                case _:
                    raise self.invalid(what, value, known)
        return resolved

    def _function(self, what: str, target: object) -> Function:
        """The Function that a handler path or Function stands for, made when it is new."""
        if isinstance(target, str):
            if target not in self._made:
                self._made[target] = Function(
                    self.app,
                    _function_name(self.name, parsed_handler(self, target, self._runtime)),
                    handler=target,
                    bind=self._bound,
                    runtime=self._runtime,
                )
            return self._made[target]
        if not isinstance(target, Function) or target.app is not self.app:
            raise self.invalid(what, target, "a handler path, or a Function of this app")
        return target


def _function_name(api: str, handler: Handler) -> str:
    parts = handler.module.split("/")
    if parts[0] == api and len(parts) > 1:
        parts = parts[1:]
    if handler.function != "handler":
        parts.append(handler.function)
    words = [word for part in (api, *parts) for word in part.replace("_", "-").split("-") if word]
    return "-".join(words)
