"""Apps of every shape: hypothesis strategies for an app.py, and one that uses everything.

An app is text, as its user writes it, so that a failing example can be read and run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from devbridge.constructs import App, values
from devbridge.constructs.compute.fargate import SIZES
from devbridge.constructs.load import load_app
from devbridge.constructs.tags import tags_problem
from devbridge.sources.runtimes import JOBS

ACCOUNT: Final = "123456789012"
KEY: Final = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/01234567-89ab-cdef-0123-456789abcdef"
IMAGE: Final = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/base/python@sha256:{'0123' * 16}"
HANDLERS: Final = ("jobs/work.handler", "api/start.handler", "api/start.other", "deep/er/a-b.run")
COPIED: Final = ("data/*.csv", "data", "data/a.csv", "**/*.txt")
INSTALLED: Final = ("six", "six>=1.16", "six==1.17.0; python_version < '4'")
ACTIONS: Final = ("s3:GetObject", "ses:SendEmail", "sqs:SendMessage", "logs:*", "s3:Get*")
ARNS: Final = ("*", "arn:aws:s3:::some-bucket/*", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:some-queue")
IMPORTS: Final = """\
import datetime

import troposphere.sns
from devbridge import *
from devbridge.constructs import *

"""
_INVOKER: Final = len("---invoker")
_LAMBDA_LIMIT: Final = 64


class Code(str):
    """Text that stands for itself in an app.py: a variable, a call."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def call(function: str, *args: object, **options: object) -> Code:
    """A call, as Python writes it."""
    words = [repr(arg) for arg in args]
    return Code(f"{function}({', '.join([*words, *(f'{k}={v!r}' for k, v in options.items())])})")


class Recipe:
    """An app.py in the making; `str` is its text."""

    def __init__(self, name: str, stage: str, options: Mapping[str, object]) -> None:
        self.name = name
        self.stage = stage
        self.options = options
        self.lines: list[str] = []
        self.made: dict[str, list[Code]] = {}
        """The variables that hold constructs, by type."""

    def add(self, kind: str, name: str, **options: object) -> Code:
        variable = Code(f"{kind.lower()}_{len(self.lines)}")
        self.lines.append(f"{variable} = {call(kind, Code('app'), name, **options)}")
        self.made.setdefault(kind, []).append(variable)
        return variable

    @property
    def bindable(self) -> list[Code]:
        return [variable for variables in self.made.values() for variable in variables]

    def __repr__(self) -> str:
        head = f"app = {call('App', self.name, **self.options)}"
        return "\n".join([f"{IMPORTS}{head}  # stage {self.stage}", *self.lines, ""])


EVERYTHING: Final = f"""{IMPORTS}\
app = App("all", tags={{"team": "data"}})
notes = Table(
    app, "notes", partition_key="id", sort_key="when", deletion_protection=True,
    stream="new_and_old_images",
)
kept = Table(
    app, "kept", partition_key="id", removal="delete", encryption_key="{KEY}",
    point_in_time_recovery=True,
)
files = Bucket(app, "files", versioned=True, encryption_key="{KEY}")
scratch = Bucket(app, "scratch", removal="delete")
dead = Queue(app, "dead", fifo=True, retention="14 days")
orders = Queue(app, "orders", fifo=True, dead_letter=dead, visibility_timeout="1 minute")
plain = Queue(app, "plain", removal="retain", encryption_key="{KEY}")
tell = Function(app, "tell", handler="api/start.handler", reserved_concurrency=2)
news = Topic(
    app, "news", encryption_key="{KEY}",
    subscribers=["ops@example.com", "https://ops.example.com/hook", plain, tell],
)
ordered = Topic(app, "ordered", fifo=True, subscribers=[orders])
old = Alarm(app, "old", queue=dead, metric="age", threshold="1 hour", notify=[news])
several = Alarm(app, "several", queue=orders, threshold=10, period="5 minutes", periods=2)
CompositeAlarm(app, "either", any=[old, several], notify=[news])
users = UserPool(app, "users", mfa="optional", password_length=12)
kept_users = UserPool(app, "kept-users", sign_in="username", self_sign_up=False, removal="retain")
clicks = Stream(app, "clicks", shards=2, retention="7 days")
views = Stream(app, "views", removal="delete", encryption_key="{KEY}")
bus = EventBus(app, "bus")
theirs = Queue.existing(app, "theirs", arn="arn:aws:sqs:eu-west-1:{ACCOUNT}:theirs")
balancer = LoadBalancer(app, "balancer", vpc=Vpc(
    "vpc-00000001", subnets=["subnet-00000001", "subnet-00000002"], security_groups=["sg-00000001"]
))
token = Secret(app, "token", encryption_key="{KEY}")
colour = Config(app, "colour", value="red\\n'\\"$ \\u00e9")
hello = Function(
    app, "hello", handler="api/start.handler", timeout="1 minute", memory_size="1 GB",
    log_retention="forever", copy_files=["data"], environment={{"A1": "b"}}, bind=[notes, token],
    tags={{"team": "web"}}, encryption_key="{KEY}",
    permissions=[{{"actions": ["ses:SendEmail"], "resources": ["*"]}}],
)
first = Job(
    app, "first", handler="jobs/work.handler", retries=2, retry_delay="1 minute", concurrency=2,
    memory_size="7 GB", copy_files=["data/*.csv"],
    bind=[notes, kept, files, scratch, dead, orders, plain, news, ordered, token, colour, hello,
        clicks, views, bus, theirs, users],
    environment={{"A": "b", "STREAM": notes.stream_arn, "URL": balancer.url}}, tags={{"cost": "x"}},
    permissions=[{{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::some/*"]}}],
)
second = Job(app, "second", handler="jobs/work.handler", bind=[first], offline="cloud")
Job(
    app, "third", handler="jobs/work.handler", enable_live_dev=False, log_retention="1 day",
    encryption_key="{KEY}", image="{IMAGE}", payload="inline",
)
shared = FileSystem(app, "shared")
many = Job(
    app, "many", handler="jobs/work.handler", bind=[shared, notes], concurrency=3, retries=1,
    compute=Batch(cpu=2, memory="7.5 GB", spot=True, disk="100 GB"), environment={{"T": token}},
)
task = Job(
    app, "task", handler="jobs/work.handler", bind=[shared, many], log_retention="1 day",
    compute=Fargate(cpu=0.5, memory="2 GB", disk="30 GB"), environment={{"ROLE": many.role_arn}},
)
Job(
    app, "short", handler="jobs/work.handler", bind=[task], timeout="10 minutes",
    compute=Lambda(memory_size="512 MB", disk="1 GB"), encryption_key="{KEY}",
)
web = Api(
    app, "web", bind=[second],
    routes={{
        "GET /": hello,
        "POST /jobs/{{id}}": RouteTo("api/start.other", "keys"),
        "ANY /{{proxy+}}": RouteTo("api/start.other", "none"),
    }},
    cors=Cors(["https://a.example"], ["GET"], ["x-a"], max_age="1 hour"),
    authorizers={{
        "users": JwtAuthorizer("https://issuer.example/pool", ["web"], ["read"]),
        "keys": LambdaAuthorizer("deep/er/a-b.run", ttl="1 minute"),
        "pool": users,
    }},
    authorizer="users", access_log=True, log_retention="1 day", encryption_key="{KEY}",
    throttle=Throttle(rate_limit=0.5, burst_limit=5000),
)
Job(app, "last", handler="jobs/work.handler", bind=[web, second], timeout="36 hours")
app.add(troposphere.sns.Topic("Alarms"))
"""
"""Each type with (nearly) each option; what no embedded cloud has is left out: images, and networks
other than the one that it begins with."""


def load(root: Path, text: str, stage: str) -> App:
    """Write an app.py with all the files that it may name, and load it."""
    function = "def {}(event, context=None):\n    return {{'statusCode': 200}}\n"
    for handler in HANDLERS:
        module, _, name = handler.rpartition(".")
        path = root / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or f"def {name}(" not in path.read_text():
            with path.open("a") as file:
                file.write(function.format(name))
    for name in ("data/a.csv", "data/deep/b.txt", "image/Dockerfile", "image/Other"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("FROM scratch\n")
    (root / "app.py").write_text(text)
    return load_app(root, stage)


def _names(limit: int) -> st.SearchStrategy[str]:
    """Names of constructs, the longest of exactly `limit` characters."""
    longest = min(limit, 40)
    short = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,2}([-_][A-Za-z0-9]){0,2}", fullmatch=True)
    usual = short.map(lambda name: name[:longest].rstrip("-_"))
    return st.one_of(
        usual, usual, st.from_regex(rf"[A-Z][a-z0-9]{{{longest - 1}}}", fullmatch=True)
    )


@st.composite
def _unique_names(draw: st.DrawFn, limit: int, most: int = 3) -> list[str]:
    def key(name: str) -> str:
        return name.replace("-", "").replace("_", "").lower()

    count = draw(st.integers(0, most))
    return draw(st.lists(_names(limit), min_size=count, max_size=count, unique_by=key))


def _durations(low: timedelta, high: timedelta, *words: str) -> st.SearchStrategy[object]:
    """Durations: both bounds, words, and whole seconds between."""
    seconds = st.integers(int(low.total_seconds()), int(high.total_seconds()))
    return st.one_of(st.sampled_from([low, high, *words]), seconds.map(lambda s: timedelta(0, s)))


_text = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Cc", "Cn"]),
        st.sampled_from("\n\t\"'$`\\{}<&%"),
    ),
    max_size=30,
)
_environment = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True).filter(
        lambda name: values.environment_problem({name: ""}) is None
    ),
    _text,
    max_size=4,
)
_tag_text = st.text(
    st.one_of(st.sampled_from(" .:/=+@-_"), st.characters(categories=["L", "Nd"])), max_size=40
)
_tags = st.dictionaries(
    _tag_text.filter(lambda key: tags_problem({key: ""}) is None), _tag_text, max_size=5
)
_boundary = st.sampled_from(
    [f"arn:aws:iam::{ACCOUNT}:policy/limit", "arn:aws:iam::aws:policy/PowerUserAccess"]
)
_permissions = st.lists(
    st.fixed_dictionaries(
        {
            "actions": st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3, unique=True),
            "resources": st.lists(st.sampled_from(ARNS), min_size=1, max_size=3, unique=True),
        }
    ),
    max_size=2,
)
_removal = st.sampled_from(["retain", "delete", None])
_encrypted = {"encryption_key": st.sampled_from([KEY, None])}


def _ids(prefix: str, most: int) -> st.SearchStrategy[list[str]]:
    one = st.from_regex(rf"{prefix}-([0-9a-f]{{8}}|[0-9a-f]{{17}})", fullmatch=True)
    return st.lists(one, min_size=1, max_size=most, unique=True)


_vpc = st.builds(
    lambda vpc, subnets, groups: call("Vpc", vpc[0], subnets=subnets, security_groups=groups),
    _ids("vpc", 1),
    _ids("subnet", 16),
    _ids("sg", 5),
)


def _transform(attribute: str, value: object) -> st.SearchStrategy[Code]:
    return st.just(Code(f"lambda it: setattr(it, {attribute!r}, {value!r})"))


def _some(recipe: Recipe) -> st.SearchStrategy[list[Code]]:
    """What to bind: any of the constructs that there are."""
    if not recipe.bindable:
        return st.just([])
    return st.lists(st.sampled_from(recipe.bindable), unique=True, max_size=8)


def _code(recipe: Recipe) -> dict[str, st.SearchStrategy[Any]]:
    """The options that Job and Function share."""
    days = st.sampled_from(values.LOG_DAYS).map(lambda count: f"{count} days")
    return {
        "environment": _environment,
        "bind": _some(recipe),
        "permissions": _permissions,
        "log_retention": st.one_of(st.just("forever"), days),
        "vpc": st.one_of(st.none(), _vpc),
        "tags": _tags,
        "permissions_boundary": _boundary,
        **_encrypted,
    }


def _python(recipe: Recipe) -> dict[str, st.SearchStrategy[Any]]:
    """The options of what has a handler."""
    return {
        "runtime": st.sampled_from([*JOBS[:3], None]),
        "copy_files": st.lists(st.sampled_from(COPIED), max_size=2),
        "install": st.lists(st.sampled_from(INSTALLED), max_size=2),
    }


_build = st.sampled_from(values.ARCHITECTURES).flatmap(
    lambda architecture: st.fixed_dictionaries(
        {
            "architecture": st.just(architecture),
            "memory_size": st.sampled_from(values.job_memory_sizes(architecture)),
        }
    )
)
_fargate = st.sampled_from([(cpu, size) for cpu, sizes in SIZES.items() for size in sizes]).flatmap(
    lambda size: st.builds(
        lambda disk, spot: call(
            "Fargate", cpu=size[0], memory=f"{size[1]} MB", disk=disk, spot=spot
        ),
        st.sampled_from([None, "21 GB", "200 GB"]),
        st.booleans(),
    )
)
_batch = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.sampled_from([1, 8]),
        "memory": st.sampled_from(["4 MB", "7.5 GB", "1 TB"]),
        "spot": st.booleans(),
        "disk": st.sampled_from([None, "30 GB", "16 TB"]),
        "max_vcpus": st.sampled_from([8, 10_000]),
    },
).map(lambda options: call("Batch", **options))
_lambda = st.fixed_dictionaries(
    {},
    optional={
        "memory_size": st.sampled_from(["128 MB", "10 GB"]),
        "disk": st.sampled_from([None, "512 MB", "10 GB"]),
        "reserved_concurrency": st.sampled_from([None, 1, 1000]),
    },
).map(lambda options: call("Lambda", **options))


def _elsewhere(compute: st.SearchStrategy[Code]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"architecture": st.sampled_from(values.ARCHITECTURES), "compute": compute}
    )


def _placed(options: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
    """The options of a job, without those that the place has not which it runs in."""
    found = {**options, **machine}
    if "compute" in machine:
        found.pop("transform", None)  # it is of a build's project
    if str(machine.get("compute", "")).startswith("Lambda"):
        found.pop("image", None)
        found["timeout"] = "10 minutes"
        named = found.get("environment", {}).items()
        found["environment"] = {k: v for k, v in named if values.LAMBDA_VARIABLE.fullmatch(k)}
    return found


def _job_options(recipe: Recipe) -> st.SearchStrategy[dict[str, Any]]:
    anywhere = st.one_of(_build, _elsewhere(_fargate), _elsewhere(_batch))
    machine = st.one_of(_build, anywhere, _elsewhere(_lambda))
    shared = {
        **_code(recipe),
        "timeout": _durations(*values.BUILD_TIMEOUT, "90 minutes", "1.5 hours", "1 day"),
        "retries": st.integers(0, 10),
        "retry_delay": _durations(*values.RETRY_DELAY, "0.25 seconds"),
        "offline": st.sampled_from([*values.OFFLINE, None]),
        "enable_live_dev": st.booleans(),
        "transform": _transform("BadgeEnabled", False),
    }
    python = st.fixed_dictionaries(
        {"handler": st.sampled_from(HANDLERS)},
        optional={
            **shared,
            **_python(recipe),
            "payload": st.sampled_from([*values.PAYLOAD, None]),
            "image": st.sampled_from([IMAGE, None]),
            "concurrency": st.one_of(st.none(), st.sampled_from([1, 7, 1000])),
        },
    )
    command = st.lists(_text.filter(bool), min_size=1, max_size=3)
    file = st.sampled_from(["Dockerfile", "Other"])
    container = st.fixed_dictionaries(
        {
            "runtime": st.just("container"),
            "container": st.builds(
                lambda cmd, file: call("Container", "image", cmd, file, {"A": "1"}), command, file
            ),
        },
        optional=shared,
    )
    return st.one_of(
        st.builds(_placed, python, machine),
        st.builds(_placed, python, machine),
        st.builds(_placed, container, anywhere),
    )


def _function_options(recipe: Recipe) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"handler": st.sampled_from(HANDLERS)},
        optional={
            **_code(recipe),
            **_python(recipe),
            "environment": _environment.filter(
                lambda variables: all(map(values.LAMBDA_VARIABLE.fullmatch, variables))
            ),
            "architecture": st.sampled_from(values.ARCHITECTURES),
            "timeout": _durations(*values.FUNCTION_TIMEOUT, "1.5 minutes"),
            "memory_size": st.sampled_from(["128 MB", "10240 MB", "10 GB", "1 GB", "777 MB"]),
            "transform": _transform("ReservedConcurrentExecutions", 1),
        },
    )


_queue_options = {
    "visibility_timeout": _durations(*values.VISIBILITY_TIMEOUT),
    "retention": _durations(*values.RETENTION),
    "removal": _removal,
    "transform": _transform("DelaySeconds", 5),
    **_encrypted,
}
_key = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=60)
_table_options = st.fixed_dictionaries(
    {"partition_key": _key},
    optional={
        "sort_key": _key.map(lambda key: f"{key}2"),
        "removal": _removal,
        "transform": _transform("DeletionProtectionEnabled", True),
        "point_in_time_recovery": st.booleans(),
        "deletion_protection": st.booleans(),
        "stream": st.sampled_from([*values.VIEWS, None]),
        **_encrypted,
    },
).filter(
    lambda options: (
        options["partition_key"] != options.get("sort_key")
        and (options.get("removal") != "delete" or not options.get("deletion_protection"))
    )
)
_bucket_options = st.fixed_dictionaries(
    {}, optional={"versioned": st.booleans(), "removal": _removal, **_encrypted}
)
_stream_options = st.fixed_dictionaries(
    {},
    optional={
        "shards": st.sampled_from([None, 1, values.SHARDS]),
        "retention": st.sampled_from(["24 hours", "25 hours", "365 days"]),
        "removal": _removal,
        **_encrypted,
    },
)
_header = st.sampled_from(["content-type", "x-a", "authorization"])
_cors = st.one_of(
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "allow_methods": st.lists(st.sampled_from(["GET", "POST", "*"]), unique=True),
            "allow_headers": st.lists(_header, unique=True),
            "expose_headers": st.lists(_header, unique=True),
            "max_age": _durations(*values.CORS_AGE),
            "allow_origins": st.just(["https://*", "http://localhost:3000"]),
        },
    ).map(lambda options: call("Cors", **options)),
    st.just(
        call("Cors", ["https://a.example"], ["GET"], ["x-a"], allow_credentials=True, max_age=None)
    ),
)
_ROUTES: Final = (
    *("$default", "GET /", "ANY /{proxy+}", "POST /a/{id}/b", "DELETE /a-b/c.d/~e/%20"),
    *("PUT /x", "PATCH /x", "HEAD /x", "OPTIONS /x"),
)


@st.composite
def _api_options(draw: st.DrawFn, recipe: Recipe, paths: bool) -> dict[str, Any]:
    """The options of an Api; `paths`: whether its routes may be handler paths."""
    functions = list(recipe.made.get("Function", ()))
    targets = st.sampled_from([*(HANDLERS if paths else ()), *functions])
    sources = st.lists(
        st.sampled_from(["$request.header.X-Key", "$context.identity.sourceIp"]), unique=True
    )
    authorizers: dict[str, Code] = {}
    for name in draw(_unique_names(40, 2)):
        if draw(st.booleans()):
            authorizers[name] = call(
                "JwtAuthorizer",
                "https://issuer.example/pool",
                draw(st.lists(_tag_text.filter(bool), min_size=1, max_size=3)),
                draw(st.lists(st.sampled_from(["read", "a/write"]), unique=True)),
                draw(st.sampled_from(["$request.header.Token", "$request.querystring.t"])),
            )
        else:
            found = draw(sources)
            ttl = draw(st.sampled_from(["0 seconds", "1 hour"])) if found else "0 seconds"
            authorizers[name] = call("LambdaAuthorizer", draw(targets), ttl, found)
    who = st.sampled_from([None, "none", *authorizers])
    return {
        "routes": {
            key: draw(targets) if draw(st.booleans()) else call("RouteTo", draw(targets), draw(who))
            for key in draw(st.lists(st.sampled_from(_ROUTES), min_size=1, unique=True))
        },
        "cors": draw(_cors),
        "authorizers": authorizers,
        "authorizer": draw(who),
        "access_log": draw(st.booleans()),
        "throttle": draw(st.sampled_from([None, call("Throttle", 100, 5)])),
        **({"bind": draw(_some(recipe))} if paths else {}),
    }


@st.composite
def apps(draw: st.DrawFn) -> Recipe:
    """Any app: constructs of all types, in any number, with any options that are allowed."""
    name = draw(
        st.one_of(
            st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3}){0,2}", fullmatch=True),
            st.from_regex(r"[a-z][a-z0-9]{31}", fullmatch=True),
        )
    )
    stage = draw(st.from_regex(r"[a-z][a-z0-9]{0,3}(-[a-z0-9]{1,3})?", fullmatch=True))
    options = st.fixed_dictionaries(
        {},
        optional={
            "tags": _tags,
            "permissions_boundary": _boundary,
            "payload": st.sampled_from(values.PAYLOAD),
            **_encrypted,
        },
    )
    recipe = Recipe(name, stage, draw(options))
    for name_ in draw(_unique_names(40)):
        recipe.add("Table", name_, **draw(_table_options))
    for name_ in draw(_unique_names(40)):
        recipe.add("Bucket", name_, **draw(_bucket_options))
    _add_queues(draw, recipe)
    for name_ in draw(_unique_names(40)):
        recipe.add("Topic", name_, fifo=draw(st.booleans()))
    for name_ in draw(_unique_names(40)):
        recipe.add("Stream", name_, **draw(_stream_options))
    for name_ in draw(_unique_names(40)):
        recipe.add("EventBus", name_)
    for name_ in draw(_unique_names(40)):
        recipe.add("Secret", name_)
    for name_ in draw(_unique_names(40)):
        recipe.add("Config", name_, value=draw(_text))
    left = _LAMBDA_LIMIT - _INVOKER - len(name) - len(stage)
    jobs = [("Job", name_) for name_ in draw(_unique_names(left))]
    functions = [("Function", name_) for name_ in draw(_unique_names(left))]
    for kind, name_ in draw(st.permutations([*jobs, *functions])):
        make = _job_options if kind == "Job" else _function_options
        recipe.add(kind, name_, **draw(make(recipe)))
    # The functions of handler paths are called after both: "a-deep-er-a-b-run".
    paths = left > 24
    if paths or recipe.made.get("Function"):
        for name_ in draw(_unique_names(min(left, 40) - 18 if paths else 40, 2)):
            recipe.add("Api", name_, **draw(_api_options(recipe, paths)))
    if draw(st.booleans()):
        recipe.lines.append("app.add(troposphere.sns.Topic('Alarms'))")
    return recipe


def _add_queues(draw: st.DrawFn, recipe: Recipe) -> None:
    fifo: dict[Code, bool] = {}
    for name in draw(_unique_names(40, 4)):
        own = draw(st.booleans())
        options = draw(st.fixed_dictionaries({}, optional=_queue_options))
        same = [queue for queue in fifo if fifo[queue] == own]
        has_dead_letter = draw(st.booleans())
        if same and has_dead_letter:
            options["dead_letter"] = draw(st.sampled_from(same))
            options["max_receives"] = draw(st.sampled_from([1, 3, 1000]))
        fifo[recipe.add("Queue", name, fifo=own, **options)] = own
