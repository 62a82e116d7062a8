"""Every option of a job that can be observed from inside or outside of a run.

`language.py` says what its handlers are written in, and adds what only that language has.
"""

import language
from devbridge import (
    App,
    Batch,
    Bucket,
    CodeBuild,
    Config,
    Fargate,
    Function,
    Job,
    Lambda,
    Queue,
    Secret,
    Table,
    Topic,
)

app = App("options", tags={"team": "blue"})

# A stage is named after the place that its jobs run in.
PLACES = {
    "batch": Batch(memory="1.75 GB"),
    "fargate": Fargate(),
    "lambda": Lambda(),
}
place = PLACES.get(app.stage, CodeBuild())

notes = Table(app, "notes", partition_key="id")
other = Table(app, "other", partition_key="id")
files = Bucket(app, "files")
work = Queue(app, "work")
news = Topic(app, "news")
token = Secret(app, "api-token")
greeting = Config(app, "greeting", value="hello, 'world'\u2028 \"$HOME\"")
echo = Function(app, "echo", handler="functions/echo.handler", runtime=language.RUNTIME)
second = Job(
    app,
    "second",
    handler="jobs/second.handler",
    runtime=language.RUNTIME,
    compute=place,
    bind=[notes],
)
typed = Job(app, "typed", handler="jobs/typed.handler", runtime=language.RUNTIME, compute=place)

probe = Job(
    app,
    "probe",
    handler="jobs/probe.handler",
    runtime=language.RUNTIME,
    compute=place,
    timeout="15 minutes",
    memory_size="7 GB" if place == CodeBuild() else None,
    bind=[notes, files, work, news, token, greeting, echo, second, typed],
    permissions=[{"actions": ["sqs:ListQueues"], "resources": ["*"]}],
    environment={"COLOUR": 'gr\u00fcn \'n "blue" $HOME', "EMPTY": ""},
    copy_files=["data/*.txt"],
    install=language.INSTALL,
    log_retention="3 days",
)
shown = Job(
    app,
    "shown",
    handler="jobs/shown.handler",
    runtime=language.RUNTIME,
    compute=place,
    payload="inline",
)
hidden = Job(
    app,
    "hidden",
    handler="jobs/shown.handler",
    runtime=language.RUNTIME,
    compute=place,
    encryption_key="arn:aws:kms:us-east-1:000000000000:key/01234567-89ab-cdef-0123-456789abcdef",
)
retried = Job(
    app,
    "retried",
    handler="jobs/retried.handler",
    runtime=language.RUNTIME,
    compute=place,
    retries=2,
    retry_delay="0 seconds",
)
single = Job(
    app,
    "single",
    handler="jobs/single.handler",
    runtime=language.RUNTIME,
    compute=place,
    concurrency=1,
    bind=[notes],
)


def hurry(resource):
    """Below what a deployed job may ask for, so that the test is short."""
    environment = getattr(resource, "Environment", None)
    if hasattr(environment, "Variables"):
        environment.Variables["DEVBRIDGE_TIMEOUT"] = "3"
        return
    if place == CodeBuild():
        variables = environment.EnvironmentVariables
    elif place == PLACES["fargate"]:
        variables = resource.ContainerDefinitions[0].Environment
    else:
        variables = resource.EcsProperties.TaskProperties[0].Containers[0].Environment
    for variable in variables:
        if variable.Name == "DEVBRIDGE_TIMEOUT":
            variable.Value = "3"


short = Job(
    app,
    "short",
    handler="jobs/short.handler",
    runtime=language.RUNTIME,
    compute=place,
    timeout="3 seconds" if app.stage == "dev" else "5 minutes",
    transform=hurry,
)
broken = Job(app, "broken", handler="jobs/broken.handler", runtime=language.RUNTIME, compute=place)
remote = Job(
    app,
    "remote",
    handler="jobs/second.handler",
    runtime=language.RUNTIME,
    compute=place,
    enable_live_dev=False,
    bind=[notes],
)
ask = Function(app, "ask", handler="functions/ask.handler", runtime=language.RUNTIME, bind=[typed])

language.more(app)
