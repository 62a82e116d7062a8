"""Requests that a load balancer gets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from devbridge.constructs import values
from devbridge.constructs.app import Construct
from devbridge.constructs.load_balancers import LoadBalancer
from devbridge.constructs.triggering import Trigger, whole
from devbridge.sources.base import Problem

PRIORITIES: Final = (1, 50_000)
"""Of a rule (Elastic Load Balancing, API, CreateRule)."""
VALUES: Final = 5
WILDCARDS: Final = 6
"""In all conditions of a rule together (Elastic Load Balancing, Quotas for your Application Load
Balancers)."""
_WILDCARDS: Final = re.compile(r"[*?]")
_PATH: Final = re.compile(r"[/*?][\w.$/~\"'@:+&*?-]{0,127}", re.ASCII)
_HOST: Final = re.compile(r"(?=.{1,128}\Z)[\w.*?-]*\.[\w.*?-]*[A-Za-z*?]", re.ASCII)
_METHOD: Final = re.compile(r"[A-Z_-]{1,40}", re.ASCII)
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}", re.ASCII)
_LONGEST: Final = 128
"""Characters of a header's value, a path or a host."""


@dataclass(frozen=True)
class OnLoadBalancer(Trigger):
    """Runs the job for each request to a load balancer that all of the conditions match. It is
    answered at once, as `OnRequest` says; the payload is the same. A function answers it itself.

    Args:
        balancer: of this app.
        paths: of which one matches: ``/thumbs``, ``/img/*``.
        priority: 1 to 50,000: of a listener's rules, that with the lowest number which matches is
            taken. No other rule may have it.
        methods: of which one matches: ``POST``.
        headers: by their names, values of which one matches: ``{"x-kind": ["a*"]}``.
        hosts: of which one matches: ``*.example.com``.
        name, loop: as `Trigger` says.
    """

    kind: ClassVar[str] = "load-balancer"
    answered: ClassVar[bool] = True
    alone: ClassVar[str] = "a priority of its own: a listener has one rule of each"

    balancer: LoadBalancer
    paths: Sequence[str] = ()
    priority: int = 1
    methods: Sequence[str] = ()
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    hosts: Sequence[str] = ()

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        return self.name or f"{self.balancer.name}-{self.priority}"

    @property
    def reads(self) -> Construct | None:
        """See `Trigger.reads`."""
        return self.balancer

    @property
    def claim(self) -> tuple[Construct, object]:
        """See `Trigger.claim`."""
        return self.balancer, f"priority {self.priority}"

    def problem(self, owner: Construct) -> Problem | None:  # noqa: ARG002
        """See `Trigger.problem`."""
        if not isinstance(self.balancer, LoadBalancer):
            return repr(self.balancer), "a LoadBalancer of this app"
        if not whole(self.priority, *PRIORITIES):
            return f"priority {self.priority!r}", "a whole number from 1 to 50,000"
        if not isinstance(self.headers, Mapping):
            return f"headers {self.headers!r}", "a dict of name -> list of values"
        for name in self.headers:
            if not isinstance(name, str) or not _HEADER.fullmatch(name):
                return f"header {name!r}", "a header's name, of at most 40 characters"
        return self._values_problem() or self._room_problem()

    def _values_problem(self) -> Problem | None:
        for what, given, shape, allowed in self._conditions():
            found = values.strings(given)
            if found is None or (what.startswith("header ") and not found):
                return f"{what} {given!r}", "a list of texts"
            for each in found:
                if len(each) > _LONGEST or not shape.fullmatch(each):
                    return f"{what}: {each!r}", allowed
        return None

    def _conditions(self) -> Iterator[tuple[str, Sequence[str], re.Pattern[str], str]]:
        yield (
            "paths",
            self.paths,
            _PATH,
            "a path such as '/thumbs' or '/img/*', up to 128 characters",
        )
        yield "methods", self.methods, _METHOD, "a method such as 'POST', in capitals"
        yield "hosts", self.hosts, _HOST, "a host such as 'api.example.com' or '*.example.com'"
        for name, given in self.headers.items():
            yield f"header {name}", given, re.compile(r"[ -~]+"), "ASCII, up to 128 characters"

    def _room_problem(self) -> Problem | None:
        every = [value for _, given, _, _ in self._conditions() for value in given]
        if not every:
            return "without paths, methods, headers and hosts", "at least one of them"
        if len(every) > VALUES:
            return f"{len(every)} values", f"{VALUES} in all: AWS allows a rule no more"
        wild = sum(len(_WILDCARDS.findall(value)) for value in every)
        if wild > WILDCARDS:
            return f"{wild} wildcards", f"{WILDCARDS} in all: AWS allows a rule no more"
        return None
