"""What templates say of Node code is what the embedded cloud runs: functions, and a job's build."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from devbridge.cloud.session import Cloud
from devbridge.constructs import App, Function, Job, Table
from devbridge.constructs.app import loading
from devbridge.runs.lambda_log import shown
from runner.outcome import Failure
from tests.integration.codebuild import CodeBuild
from tests.unit.deploy.templates import made

STAGE = "prod"
RUNNER = """\
import os, subprocess, sys
print(sys.argv[1:], os.environ["DEVBRIDGE_RUNTIME"], os.environ["DEVBRIDGE_HANDLER"], flush=True)
subprocess.run(["node", "jobs/a.mjs"], check=True)
"""
JOB = "console.log(`node ${process.versions.node.split('.')[0]}`, process.env.COLOUR);"
# What esbuild makes of a handler in TypeScript: its only line of code is line 4 of the source.
SOURCE_MAP = {
    "version": 3,
    "sources": ["start.ts"],
    "sourcesContent": ["\n\n\nexport const handler = async () => { throw new Error('boom'); };\n"],
    "names": [],
    "mappings": "AAGO,IAAM,UAAU,YAAY;AAAE,QAAM,IAAI,MAAM,MAAM",
}
FUNCTION = """\
var handler = async () => {
  throw new Error("boom");
};
export { handler };
//# sourceMappingURL=start.mjs.map
"""


def zipped(files: Mapping[str, str]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return body.getvalue()


@pytest.fixture
def app(tmp_path: Path) -> App:
    for file in ("jobs/a.mjs", "api/start.mjs"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("export const handler = 1\n")
    with loading(tmp_path):
        app = App("demo")
        table = Table(app, "notes", partition_key="id")
        job: dict[str, Any] = {"handler": "jobs/a.handler", "environment": {"COLOUR": "red"}}
        Job(app, "a", runtime="nodejs24.x", bind=[table], **job)
        Function(app, "f", handler="api/start.handler", runtime="nodejs24.x", bind=[table])
    return app


@pytest.fixture
def deployed(app: App, local_cloud: Cloud) -> Cloud:
    s3, cloudformation = local_cloud.client("s3"), local_cloud.client("cloudformation")
    s3.create_bucket(Bucket="assets")
    nothing = zipped({"index.py": "def handler(event, context): ..."})
    code = {"api/start.mjs": FUNCTION, "api/start.mjs.map": json.dumps(SOURCE_MAP)}
    bodies = {
        "f.zip": zipped(code),
        "a.zip": zipped({"runner/__main__.py": RUNNER, "jobs/a.mjs": JOB}),
        **dict.fromkeys(("stub.zip", "invoker.zip"), nothing),
    }
    for key, body in bodies.items():
        s3.put_object(Bucket="assets", Key=key, Body=body)
    template = made(app, stage=STAGE, mode="deployed", tls=False)
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
    cloudformation.create_stack(
        StackName="demo", TemplateBody=template.body, Capabilities=capabilities
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="demo", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    return local_cloud


def test_a_job_s_build_runs_the_runner_with_the_node_that_the_template_names(
    deployed: Cloud,
) -> None:
    codebuild = CodeBuild(deployed)
    build = codebuild.client.start_build(projectName="demo_prod_a")["build"]
    build = codebuild.ended(build["id"])
    assert codebuild.lines(build)[-2:] == [
        "['run'] nodejs24.x jobs/a.handler",
        "node 24 red",
    ], codebuild.log(build)
    assert build["buildStatus"] == "SUCCEEDED"
    environment = build["environment"]
    assert environment["imagePullCredentialsType"] == "CODEBUILD"
    assert environment["image"] == "aws/codebuild/amazonlinux-x86_64-standard:6.0"


def test_a_function_s_errors_name_the_lines_of_its_source(deployed: Cloud) -> None:
    lambdas, logs = deployed.client("lambda"), deployed.client("logs")
    (name,) = [
        each["FunctionName"]
        for each in lambdas.list_functions()["Functions"]
        if each["Runtime"] == "nodejs24.x"
    ]
    answer = json.load(lambdas.invoke(FunctionName=name)["Payload"])
    assert (answer["errorType"], answer["errorMessage"]) == ("Error", "boom")
    found = lambdas.get_function_configuration(FunctionName=name)
    group = found.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
    events = logs.filter_log_events(logGroupName=group)["events"]
    said = [shown(event["message"], lambda path: path == "api/start.ts") for event in events]
    (failure,) = [each for each in said if isinstance(each, Failure)]
    assert failure.frames == ("at handler (api/start.ts:4:44)",)
