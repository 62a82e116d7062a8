"""Whatever app.py says: the template is one that AWS takes, or the app is refused in clear words.

DEVBRIDGE_TEST_APPS=1000 makes so many apps instead of a few, and shrinks the ones that fail.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from devbridge import names
from devbridge.constructs import App, Function, Job
from devbridge.deploy.policies import KEY_USE
from devbridge.deploy.synth import Assets, Settings, Template
from devbridge.deploy.synth.app import synth
from devbridge.errors import AppError
from tests.apps import ACCOUNT, EVERYTHING, IMPORTS, KEY, Recipe, apps, load
from tests.unit.deploy.templates import NETWORK, lint

# The environment of the tests themselves is clean: it is read before that.
MANY: Final = int(os.environ.get("DEVBRIDGE_TEST_APPS", "0"))
DEVELOPER: Final = f"arn:aws:iam::{ACCOUNT}:user/ann"
MODES: Final[tuple[names.Mode, ...]] = get_args(names.Mode)
ANY: Final = {
    *("ecr:GetAuthorizationToken", "batch:DescribeJobs", "batch:ListJobs"),
}
"""What AWS allows on every resource only. (And the EC2 calls that a network needs.)"""
HANDED_ON: Final = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
"""To whom invokers may give the roles of jobs."""

few = settings(
    derandomize=not MANY,
    suppress_health_check=list(HealthCheck),
    # To shrink takes minutes.
    phases=list(Phase) if MANY else [Phase.generate],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("app")


def made(app: App, mode: names.Mode, stage: str | None = None, **changes: Any) -> Template:
    """The template of an app with zips and images of the lengths that they have."""
    zips = {
        kind: f"{kind[0] * 64}.zip" for kind in ("stub", "invoker", "function", "job", "packages")
    }
    image = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/devbridge/{app.name}:{'a' * 64}"
    jobs = app.of_type(Job)
    values = {
        "stage": stage or app.stage,
        "principal_arn": DEVELOPER,
        "iot_host": "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com",
        "python": "3.11",
        "mode": mode,
        "network": NETWORK,
        **changes,
    }
    assets = Assets(
        bucket=names.asset_bucket(ACCOUNT, "eu-west-1"),
        stub=zips["stub"],
        invoker=zips["invoker"],
        function_stub=zips["stub"],
        functions={function.name: zips["function"] for function in app.of_type(Function)},
        jobs={job.name: zips["job"] for job in jobs if not job.container},
        packages={job.name: zips["packages"] for job in jobs if not job.container},
        images={job.name: image for job in jobs if job.container},
    )
    return synth(app, Settings(**values), assets)


class Resolved:
    """A template as CloudFormation would fill it in, with names as long as they get."""

    def __init__(self, template: Template, app: App, stage: str) -> None:
        self.body = json.loads(template.body)
        self.raw: dict[str, Any] = self.body["Resources"]
        self.stack = names.stack(app.name, stage)
        self.known = {
            "AWS::StackName": self.stack,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": "eu-west-1",
        }

    def resources(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The properties of the resources of these types."""
        for title, resource in self.raw.items():
            if resource["Type"] in types:
                yield title, self(resource.get("Properties", {}))

    def __call__(self, value: Any) -> Any:
        match value:
            case {"Ref": str(name)}:
                return self._name(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([\w:.]+)\}", lambda match: self._inside(match[1]), text)
            case dict():
                return {key: self(item) for key, item in value.items()}
            case list():
                return [self(item) for item in value]
            case _:
                return value

    def _inside(self, reference: str) -> str:
        name, dot, attribute = reference.partition(".")
        return self._attribute(name, attribute) if dot else self._name(name)

    def _name(self, title: str) -> str:
        if title in self.known:
            return self.known[title]
        properties = self.raw[title].get("Properties", {})
        for key in ("FunctionName", "LogGroupName", "Name", "TopicName", "QueueName"):
            if isinstance(properties.get(key), str):
                return str(properties[key])
        if self.raw[title]["Type"] == "AWS::SQS::Queue":
            return f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{self._made(title)}"
        return self._made(title)

    def _attribute(self, title: str, attribute: str) -> str:
        name = self._name(title).rpartition("/")[2]
        service = self.raw[title]["Type"].split("::")[1].lower()
        if attribute == "Arn":
            return f"arn:aws:{service}:eu-west-1:{ACCOUNT}:{'function' * 2}/{name}"
        return f"https://{name}.execute-api.eu-west-1.amazonaws.com"

    def _made(self, title: str) -> str:
        # CloudFormation cuts names to what the service allows: 63 at S3, 64 at IAM, 80 at SQS ...
        return f"{self.stack}-{title}"[:67] + "-ABCDEFGHIJKL"


def problems(template: Template, app: App, stage: str) -> Iterator[str]:
    """What AWS would refuse, by its documented quotas; cfn-lint does not know all of them."""
    found = Resolved(template, app, stage)
    body = found.body
    if len(body["Resources"]) > 500:
        yield f"{len(body['Resources'])} resources"
    if len(body.get("Outputs", {})) > 200:
        yield f"{len(body['Outputs'])} outputs"
    if len(template.body.encode()) > 1_000_000:
        yield f"a template of {len(template.body.encode())} bytes"
    for title in (*body["Resources"], *body.get("Outputs", {})):
        if not re.fullmatch(r"[A-Za-z0-9]{1,255}", title):
            yield f"logical id {title!r}"
    for title in body["Resources"]:
        if title not in template.labels and not title.startswith("Template"):
            yield f"{title} belongs to nobody"
    for output in body.get("Outputs", {}).values():
        if len(found(output["Value"])) > 1024:
            yield f"output {output}"
    for kind, check in CHECKS.items():
        for title, properties in found.resources(kind):
            yield from (f"{title}: {problem}" for problem in check(properties))
    for title, resource in found.raw.items():
        tags = resource.get("Properties", {}).get("Tags", ())
        # CloudFormation adds the stack's two: devbridge:app and devbridge:stage.
        if len(tags) > 48:
            yield f"{title}: {len(tags)} tags"
    attached = Counter(
        name
        for _, properties in found.resources("AWS::IAM::ManagedPolicy")
        for name in properties["Roles"]
    )
    if attached and max(attached.values()) > 10:
        yield f"policies of a role: {attached}"
    if cycle := cyclic(found.raw):
        yield f"{cycle} refer to each other"


def function_problems(properties: dict[str, Any]) -> Iterator[str]:
    yield from misfit("name", r"[A-Za-z0-9_-]{1,64}", properties["FunctionName"])
    variables = properties["Environment"]["Variables"]
    if sum(len(k.encode()) + len(v.encode()) for k, v in variables.items()) > 4096:
        yield "an environment over 4 KB"
    for name in variables:
        yield from misfit("variable", r"[A-Za-z][A-Za-z0-9_]+", name)
    if not 1 <= properties["Timeout"] <= 900:
        yield f"timeout {properties['Timeout']}"


def project_problems(properties: dict[str, Any]) -> Iterator[str]:
    yield from misfit("name", r"[A-Za-z0-9][A-Za-z0-9_-]{1,149}", properties["Name"])
    if not 5 <= properties["TimeoutInMinutes"] <= 2160:
        yield f"timeout {properties['TimeoutInMinutes']}"
    variables = [each["Name"] for each in properties["Environment"]["EnvironmentVariables"]]
    if len(variables) != len(set(variables)):
        yield f"a variable twice: {variables}"
    for each in properties["Environment"]["EnvironmentVariables"]:
        if each["Type"] != "PLAINTEXT" or not isinstance(each["Value"], str):
            yield f"variable {each}"


def role_problems(properties: dict[str, Any]) -> Iterator[str]:
    policies = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    if (size := len(json.dumps(policies, separators=(",", ":")))) > 10_240:
        yield f"policies of {size} characters"
    trust = json.dumps(properties["AssumeRolePolicyDocument"], separators=(",", ":"))
    if len(trust) > 2048:
        yield f"a trust policy of {len(trust)} characters"
    keys = [tag["Key"].lower() for tag in properties.get("Tags", ())]
    if len(keys) != len(set(keys)):
        yield f"tags that differ in case only: {keys}"


def policy_problems(properties: dict[str, Any]) -> Iterator[str]:
    size = len(json.dumps(properties["PolicyDocument"], separators=(",", ":")))
    if size > 6144:
        yield f"a policy of {size} characters"


def api_problems(properties: dict[str, Any]) -> Iterator[str]:
    yield from misfit("name", r".{1,128}", properties["Name"])


def group_problems(properties: dict[str, Any]) -> Iterator[str]:
    yield from misfit("name", r"[.\-_/#A-Za-z0-9]{1,512}", properties["LogGroupName"])


def topic_problems(properties: dict[str, Any]) -> Iterator[str]:
    # https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/681
    if properties.get("FifoTopic"):
        yield from misfit("name", r"[A-Za-z0-9_-]{1,251}\.fifo", properties.get("TopicName", ""))


def definition_problems(properties: dict[str, Any]) -> Iterator[str]:
    yield from misfit("name", r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", properties["JobDefinitionName"])
    if (size := len(json.dumps(properties).encode())) > 24 * 1024:
        yield f"a definition of {size} bytes"
    if properties["Timeout"]["AttemptDurationSeconds"] < 60:
        yield f"timeout {properties['Timeout']}"


def task_problems(properties: dict[str, Any]) -> Iterator[str]:
    yield from misfit("name", r"[A-Za-z0-9_-]{1,255}", properties["Family"])
    if (size := len(json.dumps(properties).encode())) > 64 * 1024:
        yield f"a definition of {size} bytes"


def queue_problems(properties: dict[str, Any]) -> Iterator[str]:
    yield from misfit("name", r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", properties["JobQueueName"])


CHECKS: Final = {
    "AWS::Batch::JobDefinition": definition_problems,
    "AWS::Batch::JobQueue": queue_problems,
    "AWS::ECS::TaskDefinition": task_problems,
    "AWS::Lambda::Function": function_problems,
    "AWS::CodeBuild::Project": project_problems,
    "AWS::IAM::Role": role_problems,
    "AWS::IAM::ManagedPolicy": policy_problems,
    "AWS::ApiGatewayV2::Api": api_problems,
    "AWS::Logs::LogGroup": group_problems,
    "AWS::SNS::Topic": topic_problems,
}


def misfit(what: str, pattern: str, value: str) -> Iterator[str]:
    if not re.fullmatch(pattern, value):
        yield f"{what} {value!r}"


def cyclic(resources: dict[str, Any]) -> set[str]:
    """The resources that refer to each other in a circle, and those that refer to them."""
    left = {title: references(resource) & set(resources) for title, resource in resources.items()}
    while free := {title for title, needs in left.items() if not needs & set(left)}:
        left = {title: needs for title, needs in left.items() if title not in free}
    return set(left)


def references(value: Any) -> set[str]:
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
            return {name}
        case {"Fn::Sub": str(text)}:
            return set(re.findall(r"\$\{(\w+)", text))
        case {"DependsOn": depends, **rest}:
            named = {depends} if isinstance(depends, str) else set(depends)
            return named | references(rest)
        case dict():
            return set().union(*map(references, value.values()))
        case list():
            return set().union(*map(references, value))
        case _:
            return set()


def excesses(template: Template, app: App, mode: names.Mode) -> Iterator[str]:
    """What roles may do, or who may take them on, that nobody has asked for."""
    code = [c for c in app.constructs if isinstance(c, Job | Function)]
    own = [list(each["actions"]) for construct in code for each in construct.permissions]
    for title, trusted in statements(template, "AssumeRolePolicyDocument"):
        if trusted["Principal"] == {"AWS": DEVELOPER} and mode == "deployed":
            yield f"{title} trusts the developer"
        if "*" in json.dumps(trusted):
            yield f"{title} trusts {trusted['Principal']}"
    for title, statement in statements(template, "PolicyDocument"):
        actions, resources = set(statement["Action"]), statement["Resource"]
        services = {action.partition(":")[0] for action in actions}
        if statement["Action"] in own:
            continue
        if services == {"kms"} and actions <= set(KEY_USE) and resources == [KEY]:
            continue
        of_invokers = title.startswith(("InvokerRolePasses", "StubRolePasses"))
        handed_on = statement.get("Condition") == HANDED_ON and "*" not in resources
        if actions == {"iam:PassRole"} and of_invokers and handed_on:
            continue
        if services & {"iam", "sts", "kms", "cloudformation"} or "*" in "".join(actions):
            yield f"{title} may {actions}"
        if "iot" in services and mode == "deployed":
            yield f"{title} may use the bridge"
        if "*" in resources and services != {"ec2"} and not actions <= ANY:
            yield f"{title} may {actions} on everything"


def statements(template: Template, document: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The statements of the roles' documents of one kind."""
    for title, resource in json.loads(template.body)["Resources"].items():
        if resource["Type"] in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
            properties = resource["Properties"]
            for holder in (properties, *properties.get("Policies", ())):
                for statement in holder.get(document, {}).get("Statement", ()):
                    yield title, statement


def refused(error: AppError) -> None:
    """The user learns where it is, and what to do."""
    assert error.where, error
    assert error.remedy, error


@settings(few, max_examples=MANY or 15)
@given(apps())
def test_any_app_makes_a_template_within_awss_quotas_or_is_refused(
    folder: Path, recipe: Recipe
) -> None:
    app = load(folder, repr(recipe), recipe.stage)
    for mode in MODES:
        try:
            template = made(app, mode)
        except AppError as error:
            refused(error)
            continue
        assert template == made(app, mode)
        assert list(problems(template, app, recipe.stage)) == []
        assert list(excesses(template, app, mode)) == []


@settings(few, max_examples=MANY or 4)
@given(apps())
def test_cfn_lint_finds_nothing_wrong_with_any_app(folder: Path, recipe: Recipe) -> None:
    app = load(folder, repr(recipe), recipe.stage)
    for mode in MODES:
        try:
            template = made(app, mode)
        except AppError:
            continue
        assert lint(template) == []


@pytest.mark.parametrize("mode", MODES)
def test_cfn_lint_finds_nothing_wrong_with_an_app_of_everything(
    tmp_path: Path, mode: names.Mode
) -> None:
    app = load(tmp_path, EVERYTHING, "test")
    template = made(app, mode)
    assert lint(template) == []
    assert list(problems(template, app, "test")) == []
    assert list(excesses(template, app, mode)) == []


SYNTH = """
import sys
from pathlib import Path
from devbridge.constructs.load import load_app
from tests.unit.deploy.test_any_app import MODES, made

app = load_app(Path(sys.argv[1]), "test")
print([made(app, mode).hash for mode in MODES])
"""


def test_another_process_makes_the_same_templates(tmp_path: Path) -> None:
    load(tmp_path, EVERYTHING, "test")
    root = Path(__file__).parents[3]
    answers = {
        subprocess.run(
            [sys.executable, "-c", SYNTH, tmp_path],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
    assert len(eval(answers.pop())) == len(MODES)  # noqa: S307


EDGES: Final = {
    "a job's name": ("Job(app, 'a' * 40, WORK)", "test"),
    "a stage's name": ("Job(app, 'j' * 17, WORK)", "t" * 32),
    "a function's name": ("Function(app, 'f' * 40, WORK)", "t" * 20),
    "an output's name": ("Job(app, 'devbridge-bind', WORK)", "test"),
    "ids of an api": (
        "f = Function(app, 'y', WORK)\n"
        "Function(app, 'aApiToY', WORK)\n"
        "Function(app, 'aApiMayY', WORK)\n"
        "Api(app, 'a', routes={'GET /': f})",
        "test",
    ),
    "100 jobs": ("for i in range(100): Job(app, f'job-{i}', WORK)", "test"),
    "100 long jobs": ("for i in range(100): Job(app, f'a-long-name-{i}', WORK)", "development"),
    "130 jobs": ("for i in range(130): Job(app, f'job-{i}', WORK)", "test"),
    "60 jobs in Fargate": (
        "for i in range(60): Job(app, f'job-{i}', compute=Fargate(), WORK)",
        "test",
    ),
    "50 jobs with machines of their own": (
        "for i in range(50): Job(app, f'job-{i}', compute=Batch(max_vcpus=i + 1), WORK)",
        "test",
    ),
    "100 tables": ("for i in range(100): Table(app, f'table-{i}', partition_key='id')", "test"),
    "199 tables": ("for i in range(199): Table(app, f'table-{i}', partition_key='id')", "test"),
    "240 topics": ("for i in range(240): Topic(app, f'topic-{i}')", "test"),
    "120 buckets": ("for i in range(120): Bucket(app, f'bucket-{i}')", "test"),
    "100 secrets": ("for i in range(100): Secret(app, f'secret-{i}')", "test"),
    "a job that binds 90 tables": (
        "Job(app, 'j', bind=[Table(app, f't{i}', partition_key='id') for i in range(90)], WORK)",
        "test",
    ),
    "a job with 1000 resources": (
        "Job(app, 'j', permissions=[{'actions': ['s3:GetObject'], 'resources': "
        "[f'arn:aws:s3:::{i}/*' for i in range(1000)]}], WORK)",
        "test",
    ),
    "a job with 9000 resources": (
        "Job(app, 'j', permissions=[{'actions': ['s3:GetObject'], 'resources': "
        "[f'arn:aws:s3:::{i}/*' for i in range(9000)]}], WORK)",
        "test",
    ),
    "tags that differ in case": (
        "Job(app, 'j', tags={'Team': 'a', 'team': 'b'}, WORK)",
        "test",
    ),
    "tags that differ in case from the app's": (
        "app.tags['Team'] = 'x'\nJob(app, 'j', tags={'team': 'b'}, WORK)",
        "test",
    ),
    "a variable that Lambda does not know": (
        "Function(app, 'f', environment={'_A': '1'}, WORK)",
        "test",
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("edge", EDGES)
def test_an_app_at_the_edge_is_made_right_or_refused(
    tmp_path: Path, edge: str, mode: names.Mode
) -> None:
    text, stage = EDGES[edge]
    text = text.replace("WORK", "handler='jobs/work.handler'")
    app, template = None, None
    try:
        app = load(tmp_path, f"{IMPORTS}app = App('edge-{'e' * 8}')\n{text}\n", stage)
        template = made(app, mode)
    except AppError as error:
        refused(error)
    if app and template:
        assert list(problems(template, app, stage)) == []
        assert list(excesses(template, app, mode)) == []
