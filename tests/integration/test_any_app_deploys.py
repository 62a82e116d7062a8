"""Every option of every construct on the embedded cloud: made, changed, taken away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devbridge import deploy as deployment
from devbridge import names
from devbridge.cloud.session import Cloud
from devbridge.deploy import Deployed, Progress, Request, secrets
from devbridge.deploy.remove import remove
from devbridge.names import Mode
from tests.apps import EVERYTHING, IMPORTS, KEY, load

Look = Callable[[Cloud], Any]
"""What of the real resource is looked at."""


def fast() -> Iterator[float]:
    while True:
        yield 0.02


def deploy(root: Path, text: str, cloud: Cloud, mode: Mode, told: list[Progress]) -> Deployed:
    app = load(root, text, "test")
    for secret in secrets.missing(cloud, app, "test"):
        secrets.set_secret(cloud, app.name, "test", secret, "x")
    return deployment.deploy(
        Request(app, cloud, stage="test", mode=mode, on_progress=told.append, pace=fast)
    )


LEFT: dict[str, Look] = {
    "stacks": lambda c: [
        stack["StackName"]
        for stack in c.client("cloudformation").list_stacks()["StackSummaries"]
        if stack["StackStatus"] != "DELETE_COMPLETE"
    ],
    "functions": lambda c: c.client("lambda").list_functions()["Functions"],
    "projects": lambda c: c.client("codebuild").list_projects()["projects"],
    "roles": lambda c: c.client("iam").list_roles()["Roles"],
    "policies": lambda c: c.client("iam").list_policies(Scope="Local")["Policies"],
    "tables": lambda c: c.client("dynamodb").list_tables()["TableNames"],
    "buckets": lambda c: [
        bucket["Name"]
        for bucket in c.client("s3").list_buckets()["Buckets"]
        if bucket["Name"] != names.asset_bucket(c.account, c.region)
    ],
    "queues": lambda c: c.client("sqs").list_queues().get("QueueUrls", []),
    "topics": lambda c: c.client("sns").list_topics()["Topics"],
    "streams": lambda c: c.client("kinesis").list_streams()["StreamNames"],
    "buses": lambda c: [bus["Name"] for bus in c.client("events").list_event_buses()["EventBuses"]],
    "load balancers": lambda c: c.client("elbv2").describe_load_balancers()["LoadBalancers"],
    "job definitions": lambda c: c.client("batch").describe_job_definitions(status="ACTIVE")[
        "jobDefinitions"
    ],
    "profiles": lambda c: c.client("iam").list_instance_profiles()["InstanceProfiles"],
    "apis": lambda c: c.client("apigatewayv2").get_apis()["Items"],
    "log groups": lambda c: c.client("logs").describe_log_groups()["logGroups"],
    "file systems": lambda c: c.client("efs").describe_file_systems()["FileSystems"],
    "tasks": lambda c: c.client("ecs").list_task_definitions()["taskDefinitionArns"],
    "clusters": lambda c: c.client("ecs").list_clusters()["clusterArns"],
    "queues of jobs": lambda c: c.client("batch").describe_job_queues()["jobQueues"],
    "machines": lambda c: c.client("batch").describe_compute_environments()["computeEnvironments"],
    "rules": lambda c: c.client("events").list_rules()["Rules"],
    "parameters": lambda c: c.client("ssm").describe_parameters()["Parameters"],
}


@pytest.mark.parametrize("mode", ["dev", "deployed"])
def test_an_app_of_everything_is_made_and_nothing_of_it_is_left(
    tmp_path: Path, local_cloud: Cloud, mode: Mode
) -> None:
    told: list[Progress] = []
    before = {what: look(local_cloud) for what, look in LEFT.items()}
    done = deploy(tmp_path, EVERYTHING, local_cloud, mode, told)
    assert done.changed
    live = ["first", "second", "many", "task", "short", "last"]
    assert [job.name for job in done.jobs] == (live if mode == "dev" else [])
    assert not deploy(tmp_path, EVERYTHING, local_cloud, mode, told).changed
    bucket = done.outputs["ScratchBucket"]
    local_cloud.client("s3").put_object(Bucket=bucket, Key="a", Body=b"a")
    removed = remove(local_cloud, "all", "test", told.append, fast, delete_data=True)
    assert removed is not None
    assert (removed.kept, removed.secrets) == ((), ())
    left = {what: look(local_cloud) for what, look in LEFT.items()}
    assert left == before


def project(*path: str | int) -> Look:
    """A part of job j's project."""

    def look(cloud: Cloud) -> Any:
        (found,) = cloud.client("codebuild").batch_get_projects(names=["opt_test_j"])["projects"]
        return within(found, path)

    return look


def variable(name: str) -> Look:
    """A variable of job j's project."""

    def look(cloud: Cloud) -> Any:
        variables = project("environment", "environmentVariables")(cloud)
        return {each["name"]: each["value"] for each in variables}.get(name)

    return look


def function(*path: str | int, name: str = "opt_test_f-fn") -> Look:
    """A part of function f."""

    def look(cloud: Cloud) -> Any:
        found = cloud.client("lambda").get_function(FunctionName=name)
        return within(found, path)

    return look


def invoker(*path: str) -> Look:
    """A part of job j's invoker."""
    return function("Configuration", *path, name="opt_test_j-invoker")


def of_invoker(name: str) -> Look:
    """A variable of job j's invoker."""
    return invoker("Environment", "Variables", name)


def within(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        if isinstance(value, dict) and key not in value:
            return None
        value = value[key]
    return value


def retention(group: str) -> Look:
    def look(cloud: Cloud) -> Any:
        (found,) = cloud.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        return found.get("retentionInDays")

    return look


def role(title: str) -> Callable[[Cloud], Any]:
    def look(cloud: Cloud) -> Any:
        iam = cloud.client("iam")
        (name,) = [r["RoleName"] for r in iam.list_roles()["Roles"] if title in r["RoleName"]]
        return iam.get_role(RoleName=name)["Role"]

    return look


def actions(title: str) -> Look:
    """What a role may do."""

    def look(cloud: Cloud) -> Any:
        iam, name = cloud.client("iam"), role(title)(cloud)["RoleName"]
        policy = iam.get_role_policy(RoleName=name, PolicyName="devbridge")["PolicyDocument"]
        return sorted(action for each in policy["Statement"] for action in each["Action"])

    return look


def tag(title: str, key: str) -> Look:
    return lambda c: {t["Key"]: t["Value"] for t in role(title)(c).get("Tags", ())}.get(key)


def api(*path: str) -> Look:
    return lambda c: within(c.client("apigatewayv2").get_apis()["Items"][0], path)


def of_api(what: str, *keys: str) -> Look:
    """Some properties of an API's routes, authorizers ..."""

    def look(cloud: Cloud) -> Any:
        client = cloud.client("apigatewayv2")
        found = getattr(client, f"get_{what}")(ApiId=api("ApiId")(cloud))["Items"]
        return sorted(str([within(item, (key,)) for key in keys]) for item in found)

    return look


def table(*path: str) -> Look:
    def look(cloud: Cloud) -> Any:
        (name,) = cloud.client("dynamodb").list_tables()["TableNames"]
        return within(cloud.client("dynamodb").describe_table(TableName=name)["Table"], path)

    return look


def bucket(cloud: Cloud) -> str:
    (name,) = LEFT["buckets"](cloud)
    return str(name)


def queue(attribute: str, title: str = "QQueue") -> Look:
    def look(cloud: Cloud) -> Any:
        sqs = cloud.client("sqs")
        (url,) = [url for url in sqs.list_queues()["QueueUrls"] if f"-{title}" in url]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return attributes.get(attribute)

    return look


def topic(cloud: Cloud) -> Any:
    sns = cloud.client("sns")
    (found,) = sns.list_topics()["Topics"]
    return sns.get_topic_attributes(TopicArn=found["TopicArn"])["Attributes"]


def asked(title: str, *path: str | int) -> Look:
    """What the stack's template has: for what the embedded cloud's CloudFormation does not do."""

    def look(cloud: Cloud) -> Any:
        body = cloud.client("cloudformation").get_template(StackName="devbridge-opt--test-")
        template = body["TemplateBody"]
        parsed = json.loads(template) if isinstance(template, str) else template
        return within(parsed["Resources"][title], path)

    return look


def policy(title: str) -> Look:
    """What becomes of a resource that is taken out."""
    return asked(title, "DeletionPolicy")


SSE: tuple[str | int, ...] = (
    *("Properties", "BucketEncryption", "ServerSideEncryptionConfiguration"),
    *(0, "ServerSideEncryptionByDefault"),
)
J = "Job(app, 'j', handler='jobs/work.handler'{})"
F = "Function(app, 'f', handler='api/start.handler'{})"
A = "f = Function(app, 'f', handler='api/start.handler'); Api(app, 'a'{})"
GET = ", routes={'GET /': f}"
JWT = "{'one': JwtAuthorizer('https://a.example', ['x']), 'two': LambdaAuthorizer(f)}"
T = "Table(app, 't', partition_key='id'{})"
B = "Bucket(app, 'b'{})"
Q = "d = Queue(app, 'd'); Queue(app, 'q'{})"
P = "arn:aws:iam::000000000000:policy/limit"
VPC = ", vpc=Vpc('vpc-12345678', subnets=['subnet-12345678'], security_groups=['sg-{}2345678'])"
MAY = ", permissions=[{'actions': ['ses:SendEmail'], 'resources': ['*']}]"
LAMBDA_IMAGE = "public.ecr.aws/lambda/python"
CONTAINER = "Job(app, 'j', runtime='container', container=Container('image', ['run', '{}']))"

OPTIONS: dict[str, tuple[str, str, str, Look, Any]] = {
    # construct, option: (text, before, after, what to look at, what it is then)
    "job handler": (
        "Job(app, 'j', handler='{}')",
        "jobs/work.handler",
        "api/start.other",
        variable("DEVBRIDGE_HANDLER"),
        "api/start.other",
    ),
    "job runtime": (
        J,
        "",
        ", runtime='python3.12'",
        project("environment", "image"),
        f"{LAMBDA_IMAGE}:3.12",
    ),
    "job compute": (
        *(J, "", ", compute=Fargate()"),
        invoker("Environment", "Variables", "DEVBRIDGE_COMPUTE"),
        "fargate",
    ),
    "job compute, machines of another size": (
        *(J, ", compute=Batch()", ", compute=Batch(max_vcpus=64)"),
        lambda c: [
            each["computeResources"]["maxvCpus"]
            for each in c.client("batch").describe_compute_environments()["computeEnvironments"]
        ],
        [64],
    ),
    "job architecture": (
        J,
        "",
        ", architecture='arm64'",
        project("environment", "type"),
        "ARM_CONTAINER",
    ),
    "job memory_size": (
        J,
        "",
        ", memory_size='7 GB'",
        project("environment", "computeType"),
        "BUILD_GENERAL1_MEDIUM",
    ),
    "job timeout": (J, "", ", timeout='1 hour'", project("timeoutInMinutes"), 65),
    "job retries": (J, "", ", retries=2", variable("DEVBRIDGE_ATTEMPTS"), "3"),
    "job retry_delay": (
        J,
        "",
        ", retry_delay='0.5 seconds'",
        variable("DEVBRIDGE_RETRY_DELAY"),
        "0.5",
    ),
    "job concurrency": (J, "", ", concurrency=3", of_invoker("DEVBRIDGE_CONCURRENCY"), "3"),
    "job concurrency that changes": (
        *(J, ", concurrency=3", ", concurrency=4"),
        *(of_invoker("DEVBRIDGE_CONCURRENCY"), "4"),
    ),
    "job concurrency taken away": (
        *(J, ", concurrency=3", ""),
        lambda c: (of_invoker("DEVBRIDGE_TURNS")(c), LEFT["tables"](c)),
        (None, []),
    ),
    "job compute taken away": (
        *(J, ", compute=Fargate()", ""),
        lambda c: (LEFT["clusters"](c), LEFT["projects"](c)),
        ([], ["opt_test_j"]),
    ),
    "job compute of one kind": (
        *(J, ", compute=Lambda()", ", compute=Lambda(memory_size='2 GB', disk='1 GB')"),
        lambda c: (
            function("Configuration", "MemorySize", name="opt_test_j-job")(c),
            function("Configuration", "EphemeralStorage", "Size", name="opt_test_j-job")(c),
        ),
        (2048, 1024),
    ),
    "job environment that refers": (
        "t = Table(app, 't', partition_key='id'); " + J,
        ", environment={'T': t.name}",
        ", environment={'T': t.arn}",
        lambda c: variable("T")(c) == table("TableArn")(c),
        True,
    ),
    "job environment": (J, ", environment={'A': '1'}", ", environment={}", variable("A"), None),
    "job bind": (
        "t = Table(app, 't', partition_key='id'); " + J,
        "",
        ", bind=[t]",
        lambda c: (
            "dynamodb:PutItem" in actions("JJobRole")(c),
            variable("DEVBRIDGE_Table_tableName_t")(c) == table("TableName")(c),
        ),
        (True, True),
    ),
    "job permissions": (
        J,
        "",
        MAY,
        lambda c: "ses:SendEmail" in actions("JJobRole")(c),
        True,
    ),
    "job permissions taken away": (
        J,
        MAY,
        "",
        lambda c: "ses:SendEmail" in actions("JJobRole")(c),
        False,
    ),
    "job copy_files": (
        J,
        "",
        ", copy_files=['data']",
        lambda c: "data/a.csv" in source(c),
        True,
    ),
    "job log_retention": (
        J,
        "",
        ", log_retention='1 day'",
        retention("/aws/codebuild/opt_test_j"),
        1,
    ),
    "job vpc": (
        J,
        VPC.format(1),
        VPC.format(2),
        project("vpcConfig", "securityGroupIds", 0),
        "sg-22345678",
    ),
    "job tags": (
        J,
        ", tags={'a': 'b'}",
        ", tags={'a': 'c'}",
        lambda c: {"key": "a", "value": "c"} in project("tags")(c),
        True,
    ),
    "job payload": (J, "", ", payload='inline'", variable("DEVBRIDGE_INLINE"), "1"),
    "job encryption_key": (
        J,
        "",
        f", encryption_key='{KEY}'",
        lambda c: [
            variable("DEVBRIDGE_KEY")(c),
            invoker("Environment", "Variables", "DEVBRIDGE_KEY")(c),
            asked("JJobInvoker", "Properties", "KmsKeyArn")(c),
            asked("JJobLogs", "Properties", "KmsKeyId")(c),
            "kms:Decrypt" in actions("JJobRole")(c),
        ],
        [KEY, KEY, KEY, KEY, True],
    ),
    "table encryption_key": (
        T,
        "",
        f", encryption_key='{KEY}'",
        asked("TTable", "Properties", "SSESpecification", "KMSMasterKeyId"),
        KEY,
    ),
    "table point_in_time_recovery": (
        T,
        "",
        ", point_in_time_recovery=True",
        asked("TTable", "Properties", "PointInTimeRecoverySpecification"),
        {"PointInTimeRecoveryEnabled": True},
    ),
    "table deletion_protection": (
        T,
        "",
        ", deletion_protection=True",
        table("DeletionProtectionEnabled"),
        True,
    ),
    "bucket encryption_key": (
        B,
        "",
        f", encryption_key='{KEY}'",
        asked("BBucket", *SSE, "KMSMasterKeyID"),
        KEY,
    ),
    "queue encryption_key": (
        Q,
        "",
        f", encryption_key='{KEY}'",
        queue("KmsMasterKeyId"),
        KEY,
    ),
    "topic encryption_key": (
        "Topic(app, 't'{})",
        "",
        f", encryption_key='{KEY}'",
        asked("TTopic", "Properties", "KmsMasterKeyId"),
        KEY,
    ),
    "api throttle": (
        A,
        GET,
        f"{GET}, throttle=Throttle(rate_limit=5, burst_limit=7)",
        asked("AApiStage", "Properties", "DefaultRouteSettings", "ThrottlingBurstLimit"),
        7,
    ),
    "api access_log": (
        A,
        GET,
        f"{GET}, access_log=True, log_retention='1 day'",
        lambda c: [
            asked("AApiStage", "Properties", "AccessLogSettings", "DestinationArn")(c),
            retention("/aws/vendedlogs/opt_test_a")(c),
        ],
        [{"Fn::GetAtt": ["AApiLogs", "Arn"]}, 1],
    ),
    "job permissions_boundary": (
        J,
        "",
        f", permissions_boundary='{P}'",
        asked("JJobRole", "Properties", "PermissionsBoundary"),
        P,
    ),
    "job transform": (
        J,
        "",
        ", transform=lambda p: setattr(p, 'Description', 'mine')",
        project("description"),
        "mine",
    ),
    "job container": (
        CONTAINER,
        "one",
        "two",
        lambda c: "run two" in project("source", "buildspec")(c),
        True,
    ),
    "dev job offline": (
        J,
        "",
        ", offline='error'",
        invoker("Environment", "Variables", "DEVBRIDGE_OFFLINE"),
        "error",
    ),
    "dev job offline cloud": (
        J,
        "",
        ", offline='cloud'",
        lambda c: (project("source", "type")(c), "codebuild:StartBuild" in actions("StubRole")(c)),
        ("S3", True),
    ),
    "dev job enable_live_dev": (
        J,
        "",
        ", enable_live_dev=False",
        invoker("Handler"),
        "stub_lambda/deployed.handler",
    ),
    "function handler": (
        "Function(app, 'f', handler='{}')",
        "api/start.handler",
        "api/start.other",
        function("Configuration", "Handler"),
        "api/start.other",
    ),
    "function timeout": (
        F,
        "",
        ", timeout='1 second'",
        function("Configuration", "Timeout"),
        1,
    ),
    "function memory_size": (
        F,
        "",
        ", memory_size='128 MB'",
        function("Configuration", "MemorySize"),
        128,
    ),
    "function runtime": (
        F,
        "",
        ", runtime='python3.12'",
        function("Configuration", "Runtime"),
        "python3.12",
    ),
    "function architecture": (
        F,
        "",
        ", architecture='arm64'",
        function("Configuration", "Architectures"),
        ["arm64"],
    ),
    "function environment": (
        F,
        ", environment={'AB': '1', 'CD': '2'}",
        ", environment={'AB': '3'}",
        function("Configuration", "Environment", "Variables"),
        {"AB": "3"},
    ),
    "function bind": (
        "t = Table(app, 't', partition_key='id'); " + F,
        ", bind=[t]",
        "",
        lambda c: [action for action in actions("FFunctionRole")(c) if "dynamodb" in action],
        [],
    ),
    "function permissions": (
        F,
        "",
        MAY,
        lambda c: "ses:SendEmail" in actions("FFunctionRole")(c),
        True,
    ),
    "function log_retention": (
        F,
        "",
        ", log_retention='forever'",
        retention("/aws/lambda/opt_test_f-fn"),
        None,
    ),
    "function vpc": (
        F,
        VPC.format(1),
        VPC.format(2),
        asked("FFunction", "Properties", "VpcConfig", "SecurityGroupIds"),
        ["sg-22345678"],
    ),
    "function tags": (
        F,
        ", tags={'a': 'b'}",
        ", tags={'a': 'c'}",
        lambda c: (function("Tags", "a")(c), tag("FFunctionRole", "a")(c)),
        ("c", "c"),
    ),
    "function permissions_boundary": (
        F,
        f", permissions_boundary='{P}'",
        "",
        asked("FFunctionRole", "Properties", "PermissionsBoundary"),
        None,
    ),
    "function transform": (
        F,
        "",
        ", transform=lambda f: setattr(f, 'Description', 'mine')",
        function("Configuration", "Description"),
        "mine",
    ),
    "api routes": (
        A,
        GET,
        ", routes={'GET /': f, 'POST /a/{id}': 'api/start.other'}",
        of_api("routes", "RouteKey"),
        ["['GET /']", "['POST /a/{id}']"],
    ),
    "api routes taken away": (
        A,
        ", routes={'GET /': f, 'POST /a/{id}': 'api/start.other'}",
        GET,
        of_api("routes", "RouteKey"),
        ["['GET /']"],
    ),
    "api cors": (
        A + "",
        GET + ", cors=True",
        GET + ", cors=Cors(['https://a.example'], max_age='1 hour')",
        lambda c: (
            asked("AApi", "Properties", "CorsConfiguration", "AllowOrigins")(c),
            asked("AApi", "Properties", "CorsConfiguration", "MaxAge")(c),
        ),
        (["https://a.example"], 3600),
    ),
    "api authorizers": (
        A,
        GET,
        f"{GET}, authorizers={JWT}",
        of_api("authorizers", "AuthorizerType", "Name"),
        ["['JWT', 'one']", "['REQUEST', 'two']"],
    ),
    "api authorizer": (
        A,
        f"{GET}, authorizers={JWT}",
        f"{GET}, authorizers={JWT}, authorizer='one'",
        of_api("routes", "AuthorizationType"),
        ["['JWT']"],
    ),
    "api authorizer of a route": (
        A,
        f"{GET}, authorizers={JWT}, authorizer='one'",
        ", routes={'GET /': RouteTo(f, 'two')}, " + f"authorizers={JWT}, authorizer='one'",
        of_api("routes", "AuthorizationType"),
        ["['CUSTOM']"],
    ),
    "api bind": (
        "c = Config(app, 'c', value='1'); Api(app, 'a', routes={{'GET /': 'api/start.other'}}{})",
        "",
        ", bind=[c]",
        function(
            "Configuration",
            "Environment",
            "Variables",
            "DEVBRIDGE_Config_value_c",
            name="opt_test_a-api-start-other-fn",
        ),
        "1",
    ),
    "api transform": (
        A,
        GET,
        f"{GET}, transform=lambda a: setattr(a, 'Description', 'mine')",
        api("Description"),
        "mine",
    ),
    "table partition_key": (
        "Table(app, 't', partition_key='{}')",
        "one",
        "two",
        table("KeySchema"),
        [{"AttributeName": "two", "KeyType": "HASH"}],
    ),
    "table sort_key": (
        T,
        "",
        ", sort_key='when'",
        table("KeySchema"),
        [
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "when", "KeyType": "RANGE"},
        ],
    ),
    "table removal": (T, "", ", removal='delete'", policy("TTable"), "Delete"),
    "table transform": (
        T,
        "",
        ", transform=lambda t: setattr(t, 'DeletionProtectionEnabled', False)",
        policy("TTable"),
        "RetainExceptOnCreate",
    ),
    "bucket versioned": (
        B,
        "",
        ", versioned=True",
        lambda c: c.client("s3").get_bucket_versioning(Bucket=bucket(c)).get("Status"),
        "Enabled",
    ),
    "bucket removal": (B, "", ", removal='delete'", policy("BBucket"), "Delete"),
    "queue fifo": (
        Q,
        "",
        ", fifo=True, removal='delete'",
        queue("FifoQueue", "QQueue"),
        "true",
    ),
    "queue visibility_timeout": (
        Q,
        "",
        ", visibility_timeout='12 hours'",
        queue("VisibilityTimeout"),
        "43200",
    ),
    "queue retention": (
        Q,
        "",
        ", retention='14 days'",
        queue("MessageRetentionPeriod"),
        "1209600",
    ),
    "queue dead_letter": (
        Q,
        "",
        ", dead_letter=d",
        lambda c: dead(c) == (queue("QueueArn", "DQueue")(c), 3),
        True,
    ),
    "queue max_receives": (
        Q,
        ", dead_letter=d",
        ", dead_letter=d, max_receives=7",
        lambda c: dead(c)[1],
        7,
    ),
    "queue removal": (Q, "", ", removal='delete'", policy("QQueue"), "Delete"),
    "queue transform": (
        Q,
        "",
        ", transform=lambda q: setattr(q, 'DelaySeconds', 5)",
        queue("DelaySeconds"),
        "5",
    ),
    "topic fifo": (
        "Topic(app, 'n'{})",
        "",
        ", fifo=True",
        lambda c: (topic(c)["TopicArn"][-5:], asked("NTopic", "Properties", "FifoTopic")(c)),
        (".fifo", True),
    ),
    "topic transform": (
        "Topic(app, 'n'{})",
        "",
        ", transform=lambda n: setattr(n, 'DisplayName', 'mine')",
        lambda c: topic(c).get("DisplayName"),
        "mine",
    ),
    "config value": (
        "c = Config(app, 'c', value={}); Function(app, 'f', handler='api/start.other', bind=[c])",
        "'red'",
        "'\\u00e9 ${{AWS::Region}}'",
        function("Configuration", "Environment", "Variables", "DEVBRIDGE_Config_value_c"),
        "\u00e9 ${AWS::Region}",
    ),
}


def source(cloud: Cloud) -> list[str]:
    """The files of job j's source."""
    import io
    import zipfile

    where, _, key = project("source", "location")(cloud).partition("/")
    body = cloud.client("s3").get_object(Bucket=where, Key=key)["Body"].read()
    return zipfile.ZipFile(io.BytesIO(body)).namelist()


def dead(cloud: Cloud) -> tuple[Any, Any]:
    found = json.loads(queue("RedrivePolicy")(cloud) or "{}")
    return found.get("deadLetterTargetArn"), found.get("maxReceiveCount")


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_is_changed_arrives(tmp_path: Path, local_cloud: Cloud, option: str) -> None:
    text, before, after, look, expected = OPTIONS[option]
    mode: Mode = "dev" if option.startswith("dev ") else "deployed"
    told: list[Progress] = []
    head = f"{IMPORTS}app = App('opt')\n"
    deploy(tmp_path, head + filled(text, before), local_cloud, mode, told)
    try:
        first = look(local_cloud)
    except ValueError:
        first = None  # something that is added
    done = deploy(tmp_path, head + filled(text, after), local_cloud, mode, told)
    assert done.changed
    assert look(local_cloud) == expected
    if "transform" not in option:
        assert first != expected
    told.clear()
    assert not deploy(tmp_path, head + filled(text, after), local_cloud, mode, told).changed
    assert told == []


def filled(text: str, option: str) -> str:
    return text.replace("{}", option, 1).replace("{{", "{").replace("}}", "}") + "\n"
