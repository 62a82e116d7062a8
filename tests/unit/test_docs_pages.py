"""The pages in docs/ say what is so: examples load, commands exist, tables are the code's."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

import devbridge
from devbridge.cli.tools.arguments import schema
from devbridge.cli.tools.toolbox import TOOLS
from devbridge.constructs import App, Construct, Job, Queue, tags, values
from devbridge.constructs.app import loading
from devbridge.constructs.load import load_app
from devbridge.deploy import kinds, package
from devbridge.deploy.changes import all_added
from devbridge.deploy.iam_diff import compare
from devbridge.deploy.synth.compute.codebuild import _COMPUTE
from devbridge.durations import parsed
from devbridge.errors import InvalidValue
from devbridge.languages.base import Asking
from devbridge.languages.node.binary import VERSION
from devbridge.languages.node.options import build_options
from devbridge.languages.node.tools import OLDEST
from devbridge.languages.probing import probe
from devbridge.runs.waiting import EXIT_CODES
from devbridge.sources.esbuild import Esbuild
from devbridge.sources.runtimes import FUNCTIONS, JOBS
from tests.integration.test_aws_calls import permissions
from tests.unit.cli.test_docs import EVERY
from tests.unit.deploy.templates import lint, made

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {page.name: page.read_text("utf-8") for page in sorted(DOCS.glob("*.md"))}
JOB, BINDING, DEPLOYING, CI = (
    PAGES[name] for name in ("jobs.md", "binding.md", "deploying.md", "ci.md")
)
HANDLER = re.compile(r'"((?:[\w-]+/)*[\w-]+)\.(\w+)"')
ARN = "arn:aws:iam::123456789012:policy/limit"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def rows(page: str, *head: str) -> list[list[str]]:
    """The cells of the tables that begin with this row."""
    found: list[list[str]] = []
    title = "| " + " | ".join(head) + " |\n"
    for part in page.split(title)[1:]:
        for line in part.splitlines()[1:]:
            if not line.startswith("|"):
                break
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    assert found, f"no table {title}"
    return found


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- examples -----------------------------------------------------------------------------------

PYTHON = [(name, code) for name, page in PAGES.items() for code in blocks(page, "python")]
APPS = [(name, code) for name, code in PYTHON if code.startswith("# app.py")]


@pytest.mark.parametrize(("name", "code"), PYTHON)
def test_every_example_in_python_is_a_file_that_parses(name: str, code: str) -> None:
    assert re.match(r"# [\w/]+\.py\b", code), f"{name}: begin with the file's name"
    ast.parse(code)


def write(root: Path, code: str, page: str = "") -> Path:
    """An app.py, with the files of its page, and small ones for what that has not."""
    for other in blocks(page, "python"):
        path = root / other.split()[1]
        if path.name != "app.py":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(other)
    write_scripts(root, page)
    for folder in re.findall(r'app\.jobs\("([\w/]+)"', code):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "app.py").write_text(code)
    for module, function in HANDLER.findall(code):
        typescript = 'runtime="nodejs' in code
        path = root / f"{module}.{'ts' if typescript else 'py'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        known = f"export const {function} " if typescript else f"def {function}("
        if not path.exists() or known not in path.read_text():
            with path.open("a") as file:
                rest = "= () => 1" if typescript else "event, context=None): ..."
                file.write(f"{known}{rest}\n")
    for folder in re.findall(r'Container\(\s*"(\w+)"', code):
        (root / folder).mkdir()
        (root / folder / "Dockerfile").write_text("FROM scratch\n")
    return root


def write_scripts(root: Path, page: str) -> None:
    """The files of a page in TypeScript and JavaScript: those that begin with a path alone."""
    for code in (*blocks(page, "ts"), *blocks(page, "js")):
        if named := re.match(r"// ([\w./-]+)\n", code):
            path = root / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)


@pytest.mark.parametrize(("name", "code"), APPS)
@pytest.mark.parametrize("mode", ["dev", "deployed"])
def test_every_app_loads_and_becomes_a_template_without_complaints(
    name: str, code: str, mode: str, tmp_path: Path
) -> None:
    app = load_app(write(tmp_path, code), "prod")
    template = made(app, stage="prod", mode=mode)
    assert lint(template) == [], name


@pytest.mark.parametrize(("name", "code"), APPS)
def test_the_handlers_of_a_page_are_those_of_its_app(name: str, code: str, tmp_path: Path) -> None:
    """They can be imported, and handle the jobs that they say."""
    root = write(tmp_path, code, PAGES[name])
    app = load_app(root, "prod")
    found = probe(app, Asking(python=Path(sys.executable)))
    jobs = [job for job in app.of_type(Job) if job.language in (None, "python")]
    assert {job.name: found[job.name].warning for job in jobs} == {job.name: "" for job in jobs}
    for job in jobs:
        text = (root / f"{job.handler.module}.py").read_text() if job.handler else ""
        assert not (named := re.findall(r'@job_handler\("([\w-]+)"\)', text)) or job.name in named


@pytest.mark.parametrize("name", PAGES)
def test_json_yaml_and_toml_parse(name: str) -> None:
    for text in blocks(PAGES[name], "json"):
        json.loads(text)
    for text in blocks(PAGES[name], "yaml"):
        yaml.safe_load(text)
    for text in blocks(PAGES[name], "toml"):
        tomllib.loads(text)


# --- commands -----------------------------------------------------------------------------------


def command_lines(texts: list[str]) -> set[str]:
    """What follows `devbridge` in shell commands."""
    parts = [
        part.strip()
        for line in "\n".join(texts).splitlines()
        for part in re.split(r"&&|\\?\||;", line.partition(" #")[0])
    ]
    return {part.partition(" ")[2] for part in parts if part.startswith("devbridge ")}


def steps(page: str) -> list[str]:
    """The commands of a workflow."""
    jobs = [job for text in blocks(page, "yaml") for job in yaml.safe_load(text)["jobs"].values()]
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def command_of(line: str) -> tuple[str, list[str]]:
    words = shlex.split(line)
    size = 2 if " ".join(words[:2]) in EVERY else 1
    return " ".join(words[:size]), words[size:]


SHELL = [
    (name, line)
    for name, page in PAGES.items()
    for line in sorted(command_lines([*blocks(page, "console"), *steps(page)]) - {"--version"})
]
INLINE = [
    (name, line)
    for name, page in PAGES.items()
    for line in sorted(command_lines(re.findall(r"`(devbridge [a-z]+ [^`]*)`", page)))
]


@pytest.mark.parametrize(("page", "line"), SHELL)
def test_every_command_is_understood(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, arguments = command_of(line)
    assert name in EVERY, page
    EVERY[name].make_context(name, arguments)


@pytest.mark.parametrize(("page", "line"), INLINE)
def test_every_command_in_a_sentence_exists_with_these_options(page: str, line: str) -> None:
    name, arguments = command_of(line)
    assert name in EVERY, page
    end = arguments.index("--") if "--" in arguments else len(arguments)
    known = {option for parameter in EVERY[name].params for option in parameter.opts}
    assert {word for word in arguments[:end] if word.startswith("--")} <= known, page


# --- links --------------------------------------------------------------------------------------


def anchors(page: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_into_a_page_finds_its_heading(name: str) -> None:
    for target, anchor in re.findall(r"\]\(([\w-]*(?:\.md)?)#([\w-]+)\)", PAGES[name]):
        assert anchor in anchors(PAGES[target or name]), f"{target}#{anchor}"


def test_the_index_names_every_page() -> None:
    listed = {cell for row in rows(PAGES["README.md"], "page", "what it answers") for cell in row}
    assert all(f"[{name}]({name})" in listed for name in PAGES if name != "README.md")


# --- options ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    default: str
    allowed: str


def documented() -> Iterator[tuple[str, dict[str, Option]]]:
    table = rows(
        JOB, "option", "default", "allowed", "deployed, in CodeBuild", "in `devbridge dev`"
    )
    yield "Job", {quoted(row[0])[0]: Option(row[1], row[2]) for row in table}
    for section in (BINDING + PAGES["compute.md"] + PAGES["triggers.md"]).split("\n### ")[1:]:
        if "| option | default |" in section:
            table = rows(section, "option", "default", "allowed")
            name = section.partition("\n")[0]
            yield name, {quoted(row[0])[0]: Option(row[1], row[2]) for row in table}


OPTIONS = dict(documented())


def defaults(name: str) -> Mapping[str, str]:
    """The options of a construct as Python has them."""
    kind = getattr(devbridge, name)
    if is_dataclass(kind):
        made = {f.name: f.default_factory for f in fields(kind)}
        found = {f.name: f.default for f in fields(kind)}
        found |= {name: make() for name, make in made.items() if make is not MISSING}
    else:
        parameters = inspect.signature(kind).parameters.values()
        found = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    missing = (MISSING, inspect.Parameter.empty)
    return {
        key: "required" if value in missing else f"`{shown(value)}`" for key, value in found.items()
    }


def shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value).replace("'", '"')


def test_every_construct_with_options_has_a_table_of_them() -> None:
    without = {"App", "CodeBuild", "Container", "Permission", "Reference"}
    assert OPTIONS.keys() == set(devbridge.__all__) - without


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_and_its_default_is_as_the_code_has_it(name: str) -> None:
    said = {key: option.default for key, option in OPTIONS[name].items()}
    if name == "Job":
        assert (said.pop("handler"), said.pop("runtime")) == (
            "required",
            "the app's interpreter's",
        )
        assert said == {k: v for k, v in defaults(name).items() if k not in ("handler", "runtime")}
    else:
        assert said == defaults(name)


def option(name: str, key: str, value: object) -> Construct | None:
    """A construct with this one option; None where it is refused."""
    root = DOCS.parent / "examples" / "factorial"
    more: dict[str, Any] = {}
    if name in ("Job", "Function"):
        more["handler"] = "jobs/factorial.handler"
    if (name, key) in (("Function", "retries"), ("Function", "max_age")):
        more["triggers"] = [devbridge.Schedule("rate(1 hour)")]
    with loading(root):
        try:
            return getattr(devbridge, name)(App("bounds"), "x", **more, **{key: value})  # type: ignore[no-any-return]
        except InvalidValue:
            return None


def bounds() -> Iterator[tuple[str, str, str, str]]:
    """Each range of the tables: ``5 minutes to 36 hours``, ``0 to 10``."""
    for name in ("Job", "Function", "Queue", "Stream"):
        for key, found in OPTIONS[name].items():
            if match := re.match(r"(\d+(?: \w+)?) to (\d+(?: \w+)?)", found.allowed):
                yield name, key, match[1], match[2]


@pytest.mark.parametrize(("name", "key", "low", "high"), [*bounds()])
def test_a_range_is_allowed_to_its_ends_and_no_further(
    name: str, key: str, low: str, high: str
) -> None:
    ends: tuple[Any, Any]
    if low.isdigit():
        ends = int(low), int(high)
        outside: list[Any] = [int(low) - 1, int(high) + 1]
    else:
        wide = (timedelta(), timedelta(days=10_000))
        first, last = parsed(low, wide), parsed(high, wide)
        assert first is not None
        assert last is not None
        ends, second = (low, high), timedelta(seconds=1)
        outside = [first - second, last + second]
    assert all(option(name, key, end) for end in ends)
    assert not any(option(name, key, value) for value in outside)


def test_there_are_ranges_in_the_tables() -> None:
    assert {key for name, key, *_ in bounds() if name == "Job"} == {
        *("timeout", "retries", "retry_delay", "concurrency"),
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("Job", key) for key in ("runtime", "architecture", "memory_size", "offline")),
        *(("Function", key) for key in ("runtime", "architecture")),
        *((name, "removal") for name in ("Table", "Bucket", "Queue", "Stream")),
    ],
)
def test_every_value_of_a_choice_is_named(name: str, key: str) -> None:
    said = {ast.literal_eval(text) for text in quoted(OPTIONS[name][key].allowed) if text[0] == '"'}
    allowed = {
        "runtime": {*JOBS, "container"} if name == "Job" else {*FUNCTIONS},
        "architecture": {*values.ARCHITECTURES},
        "memory_size": {*values.MEMORY_MB},
        "offline": {*values.OFFLINE},
        "removal": {*values.REMOVALS},
    }
    assert said == allowed[key]


def test_the_other_bounds_of_a_job_are_the_codes() -> None:
    said = {key: found.allowed for key, found in OPTIONS["Job"].items()}
    assert said["log_retention"].startswith('`"forever"`, or ')
    assert [int(day) for day in re.findall(r"\d+", said["log_retention"])] == [*values.LOG_DAYS]
    small = [ast.literal_eval(size) for size in quoted(said["memory_size"].partition("arm64")[2])]
    assert small == [*values.ARM_MEMORY]
    assert said["environment"].startswith(f"{values.ENVIRONMENT_LIMIT} bytes")
    assert said["tags"].startswith(f"{tags.LIMIT} with")
    assert values.environment_problem({"AWS_X": ""}) is not None
    config = OPTIONS["Config"]["value"].allowed
    assert config.startswith(
        f"a string of at most {values.CONFIG_LIMIT} bytes, without `{{{{resolve:`"
    )


def test_the_machines_are_those_of_codebuild() -> None:
    machines = [name.removeprefix("BUILD_GENERAL1_") for name in _COMPUTE.values()]
    table = rows(
        JOB, "option", "default", "allowed", "deployed, in CodeBuild", "in `devbridge dev`"
    )
    assert next(row[3] for row in table if row[0] == "`memory_size`") == ", ".join(machines)
    costs = rows(DEPLOYING, "`memory_size`", "CodeBuild", "about, per minute")
    names = {f"{size // 1024} GB": name for size, name in _COMPUTE.items()}
    for size, machine, _ in costs:
        assert f"BUILD_{machine.replace('.', '_').upper()}" == names[size]


def test_what_typical_jobs_cost_is_calculated_right() -> None:
    lines = [line for line in blocks(PAGES["compute.md"], "text")[0].splitlines() if "=" in line]
    assert len(lines) > 10
    costs = rows(DEPLOYING, "`memory_size`", "CodeBuild", "about, per minute")
    minutes = {row[0]: row[2] for row in costs}
    for line in lines:
        what, calculation, result = re.split(r" {2,}(?=\d)| = \$", line.strip())
        assert line.index(calculation) == 25
        product = re.sub(r"[^\d.()x+]", "", re.sub(r"hours|minutes|vCPU|GB|s\b", "", calculation))
        assert float(result) == pytest.approx(eval(product.replace("x", "*")), abs=0.005)  # noqa: S307
        if what.startswith("CodeBuild"):
            assert calculation.endswith(minutes[what.partition(", ")[2]])


def test_states_and_exit_codes_are_those_of_wait() -> None:
    table = rows(JOB, "state", "meaning", "`devbridge wait` exits with")
    assert {row[0].strip("`"): row[2] for row in table if row[2]} == {
        state.value: str(code) for state, code in EXIT_CODES.items()
    }


def test_the_table_of_esbuild_s_options_is_the_codes() -> None:
    table = rows(PAGES["typescript.md"], "option", "default", "what it is")
    said = {key: row[1].strip("`") for row in table for key in quoted(row[0])}
    assert [*said] == [*Esbuild.__annotations__]
    told = build_options({}, "jobs/a", outdir="out", target="node24")
    for key, default in said.items():
        name = re.sub(r"_(.)", lambda found: found[1].upper(), key)
        if default in ("True", "False", '"esm"'):
            assert ast.literal_eval(default) == told[name], key
        elif default == "the runtime's Node":
            assert told[name] == ["node24"]
        else:
            assert default in ("none", "[]", "{}", "the nearest", "esbuild's"), key
    assert re.search(r"PATH from (\S+) on", " ".join(PAGES["typescript.md"].split()))[
        1
    ] == ".".join(  # type: ignore[index]
        map(str, OLDEST)
    )
    assert f"else {VERSION}, fetched once" in " ".join(PAGES["typescript.md"].split())


def test_the_tools_of_agents_take_what_the_page_says() -> None:
    said = {
        quoted(name)[0]: quoted(takes)
        for name, takes, _ in rows(PAGES["agents.md"], "tool", "takes", "what it does")
    }
    assert said == {name: [*tool.takes.__struct_fields__] for name, tool in TOOLS.items()}


def test_what_tools_take_has_the_defaults_and_bounds_that_the_page_says() -> None:
    table = rows(PAGES["agents.md"], "argument", "default", "what it is")
    said = {quoted(name)[0]: (default, what) for name, default, what in table}
    named = {name for tool in TOOLS.values() for name in tool.takes.__struct_fields__}
    assert said.keys() == named
    for tool in TOOLS.values():
        found = schema(tool.takes)
        for name, each in found["properties"].items():
            default, what = said[name]
            if name in found["required"]:
                assert default == "needed" or "must have it" in what
            else:
                assert json.loads(quoted(default)[0]) == each.get("default"), name
            if most := each.get("maximum"):
                assert f"{most:g}" in what, name


# --- permissions --------------------------------------------------------------------------------

EVERYTHING = """\
from devbridge import *

app = App("demo")
all_of_it = [
    Table(app, "notes", partition_key="id"),
    Bucket(app, "files"),
    Queue(app, "work"),
    Topic(app, "news"),
    Stream(app, "clicks"),
    EventBus(app, "shop"),
    UserPool(app, "users"),
    Secret(app, "api-token"),
    Config(app, "level", value="info"),
    Function(app, "hello", handler="api/hello.handler"),
    Api(app, "web", routes={"GET /": "api/hello.handler"}),
    FileSystem(app, "shared"),
    Job(app, "report", handler="jobs/report.handler"),
]
Job(app, "binds", handler="jobs/report.handler", bind=all_of_it, compute=Fargate())
"""


@pytest.fixture
def everything(tmp_path: Path) -> App:
    return load_app(write(tmp_path, EVERYTHING), "prod")


def test_the_table_of_permissions_is_what_bind_gives(everything: App) -> None:
    said: dict[str, set[str]] = {}
    for bound, actions, on in rows(BINDING, "bound", "allowed actions", "on"):
        what = f"may {', '.join(quoted(actions))} on {', '.join(quoted(on))}"
        said.setdefault(bound, set()).update([what] if quoted(actions) else [])
    given = {}
    bindable: Any = everything.of_type(Job)[-1].bind
    for each in bindable:
        statements = json.loads(json.dumps(kinds.bindings().grants([each], "prod"), default=plain))
        document = {"PolicyDocument": {"Statement": statements}}
        granted, _ = compare(None, {"Properties": document})
        given[f"{each.type} `{each.name}`"] = set(granted)
    assert said == given


def plain(value: Any) -> Any:
    return value.to_dict()


def test_the_table_of_names_is_what_a_process_gets(everything: App) -> None:

    job = next(job for job in everything.of_type(Job) if job.name == "binds")
    table = rows(BINDING, "bound", "at run time (`devbridge.resources`)", "environment variable")
    assert [name for row in table for name in quoted(row[2])] == [
        *kinds.bindings().variables(job.bind, "prod")
    ]
    assert [row[0].partition("(")[0].strip("`") for row in table] == [c.type for c in job.bind]


@pytest.mark.parametrize(("number", "mode"), [(0, "deployed"), (1, "dev")])
def test_the_roles_are_those_of_the_app_above_them(number: int, mode: str, tmp_path: Path) -> None:
    code = next(c for c in blocks(BINDING, "python") if c.startswith("# app.py (its roles"))
    template = made(load_app(write(tmp_path, code), "prod"), stage="prod", mode=mode)
    changes = all_added(json.loads(template.body), template.labels)
    granted = [f"{c.label} {text}" for c in changes for text in c.granted if "Role" in c.type]
    said = blocks(BINDING, "text")[number].splitlines()
    if mode == "deployed":
        assert said == granted
        return
    assert set(said) <= set(granted)
    # Beyond that, the same as deployed.
    rest = set(granted) - set(said)
    assert rest <= set(blocks(BINDING, "text")[0].splitlines())


def test_the_policies_allow_every_action_that_a_deployment_needs() -> None:
    policies = [json.loads(text) for text in blocks(DEPLOYING, "json")]
    once = re.search(r"Who makes it also needs (.+?), once", " ".join(DEPLOYING.split()))
    assert once
    allowed = [action.lower() for action in quoted(once[1])]
    for statement in (each for policy in policies for each in policy["Statement"]):
        actions = statement["Action"]
        if statement["Effect"] == "Allow":
            allowed += [a.lower() for a in ([actions] if isinstance(actions, str) else actions)]
    needed = {action.lower() for actions in permissions().values() for action in actions}
    missing = {a for a in needed if not any(fnmatchcase(a, pattern) for pattern in allowed)}
    sentence = re.search(
        r"name further actions of (.+?), for properties", " ".join(DEPLOYING.split())
    )
    assert sentence
    assert {action.partition(":")[0] for action in missing} == set(quoted(sentence[1]))


def test_what_the_asset_bucket_keeps_is_its_lifecycle() -> None:
    said = {
        quoted(row[0])[0]: row[1] for row in rows(DEPLOYING, "below", "kept for") if "`" in row[0]
    }
    for rule in package.RULES:
        if prefix := rule["Filter"]["Prefix"]:
            days = rule["Expiration"]["Days"]
            assert said[prefix].startswith(f"{days} day{'s' * (days > 1)}")
    assert said["assets/APP/*.zip"].startswith("ever, all versions")


def test_the_removal_policies_are_those_of_each_mode(tmp_path: Path) -> None:
    table = rows(DEPLOYING, "what", "a stage of `devbridge dev`", "a deployed stage")
    words = {"Delete": "deleted", "RetainExceptOnCreate": "kept"}
    for removal, row in zip((None, "retain", "delete"), table, strict=False):
        code = f"from devbridge import App, Queue\nQueue(App('a'), 'q', removal={removal!r})\n"
        app = load_app(write(tmp_path, code), "prod")
        assert app.of_type(Queue)
        for cell, mode in zip(row[1:], ("dev", "deployed"), strict=True):
            body = json.loads(made(app, stage="prod", mode=mode).body)
            assert cell.strip("*") == words[body["Resources"]["QQueue"]["DeletionPolicy"]]


# --- SST ----------------------------------------------------------------------------------------


def test_the_options_that_a_migration_names_exist() -> None:
    page = PAGES["coming-from-sst.md"]
    table = rows(page, "SST v2", "devbridge", "different, and better")
    names = {f"{name}(" for name in devbridge.__all__}
    options = {*inspect.signature(Job).parameters, *inspect.signature(devbridge.App).parameters}
    for _, ours, _ in table:
        for word in quoted(ours):
            if re.fullmatch(r"[a-z_]+", word):
                assert word in options, word
            if re.match(r"[A-Z]\w+\(", word):
                assert word.partition("(")[0] + "(" in names, word
