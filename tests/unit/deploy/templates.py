"""Templates for the tests of synth, and what is in them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from devbridge.constructs import App, Function, Job
from devbridge.deploy.synth import Assets, Settings, Template
from devbridge.deploy.synth.app import synth
from devbridge.deploy.synth.stack import Network

NETWORK = Network(
    "vpc-0fedcba9876543210",
    ("subnet-0fedcba9876543210", "subnet-0fedcba9876543211"),
    ("sg-0fedcba9876543210",),
)
DEVELOPER = "arn:aws:iam::123456789012:user/ann"
IMAGES = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def made(app: App, *, stub: str = "stub.zip", **changes: Any) -> Template:
    values: dict[str, Any] = {
        "stage": "dev",
        "principal_arn": DEVELOPER,
        "iot_host": "a1-ats.iot.eu-west-1.amazonaws.com",
        "python": "3.11",
        "network": NETWORK,
        **changes,
    }
    jobs = app.of_type(Job)
    assets = Assets(
        bucket="assets",
        stub=stub,
        invoker="invoker.zip",
        function_stub="function-stub.zip",
        functions={f.name: f"{f.name}.zip" for f in app.of_type(Function)},
        jobs={job.name: f"{job.name}.zip" for job in jobs if not job.container},
        packages={job.name: "packages.zip" for job in jobs if job.install},
        images={job.name: f"{IMAGES}/devbridge/demo/dev:{job.name}-1" for job in jobs},
    )
    return synth(app, Settings(**values), assets)


def resources(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(template.body)["Resources"]
    return found


def statements(template: Template, role: str) -> list[dict[str, Any]]:
    properties = resources(template)[role]["Properties"]
    found: list[dict[str, Any]] = properties["Policies"][0]["PolicyDocument"]["Statement"]
    return found


_well: Final[set[str]] = set()
"""Resources that nothing was wrong with, each with all that it refers to."""


@functools.cache
def _rules() -> Any:
    """Made once: that takes three times as long as to lint. cfn-lint is a second to import, in each
    of pytest's processes. What it has looked at in another template it passes over: that is nine
    tenths of its time, for most of what two templates have is the same in both.
    """
    from cfnlint.core import get_rules

    rules = get_rules([], [], [])
    each_resource = rules.rules["E3001"].validators
    check = each_resource["patternProperties"]

    def check_what_is_new(validator: Any, patterns: Any, found: Any, schema: Any) -> Iterator[Any]:
        if list(validator.context.path.path) == ["Resources"]:
            old = {title for title, whole in wholes(found).items() if whole in _well}
            found = {title: each for title, each in found.items() if title not in old}
        yield from check(validator, patterns, found, schema)

    each_resource["patternProperties"] = check_what_is_new
    return rules


def wholes(resources: Mapping[str, Any]) -> dict[str, str]:
    """Each resource with all that it refers to, in as many steps as it takes, as text."""
    texts = {title: json.dumps(each, sort_keys=True) for title, each in resources.items()}
    words = {title: set(re.findall(r"\w+", text)) & texts.keys() for title, text in texts.items()}
    found = {}
    for title in texts:
        reached: set[str] = set()
        ahead = {title}
        while ahead:
            reached |= ahead
            ahead = set().union(*(words[each] for each in ahead)) - reached
        found[title] = json.dumps([title, {each: texts[each] for each in sorted(reached)}])
    return found


def lint(template: Template) -> list[str]:
    from cfnlint.api import lint as cfn_lint

    # cfn-lint reads JSON as YAML, which knows no surrogate pairs.
    body = json.loads(template.body)
    text = json.dumps(body, ensure_ascii=False)
    told = [str(match) for match in cfn_lint(text, rules=_rules(), regions=["eu-west-1"])]
    if not told:
        _well.update(wholes(body["Resources"]).values())
    return told


def properties(template: Template, title: str) -> dict[str, Any]:
    found: dict[str, Any] = resources(template)[title]["Properties"]
    return found


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {
        title: resource
        for title, resource in resources(template).items()
        if resource["Type"] == kind
    }


def allowed(template: Template, role: str) -> dict[str, list[Any]]:
    """Action -> the resources that a role may do it on."""
    found: dict[str, list[Any]] = {}
    for statement in statements(template, role):
        for action in statement["Action"]:
            known = found.setdefault(action, [])
            known.extend(each for each in statement["Resource"] if each not in known)
    return found


def variables(template: Template, project: str) -> dict[str, Any]:
    """The environment of a CodeBuild project."""
    given = properties(template, project)["Environment"]["EnvironmentVariables"]
    return {item["Name"]: item["Value"] for item in given}


def container_variables(container: dict[str, Any]) -> dict[str, Any]:
    """The environment of a container."""
    return {item["Name"]: item["Value"] for item in container["Environment"]}
