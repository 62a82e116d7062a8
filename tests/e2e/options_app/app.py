"""Every option of a job that can be observed from inside or outside of a run.

`language.py` says what its handlers are written in, and adds what only that language has.
"""

import language
from devbridge import App, Bucket, Config, Function, Job, Queue, Secret, Table, Topic

app = App("options", tags={"team": "blue"})

notes = Table(app, "notes", partition_key="id")
other = Table(app, "other", partition_key="id")
files = Bucket(app, "files")
work = Queue(app, "work")
news = Topic(app, "news")
token = Secret(app, "api-token")
greeting = Config(app, "greeting", value="hello, 'world'\u2028 \"$HOME\"")
echo = Function(app, "echo", handler="functions/echo.handler", runtime=language.RUNTIME)
second = Job(app, "second", handler="jobs/second.handler", runtime=language.RUNTIME, bind=[notes])
typed = Job(app, "typed", handler="jobs/typed.handler", runtime=language.RUNTIME)

probe = Job(
    app,
    "probe",
    handler="jobs/probe.handler",
    runtime=language.RUNTIME,
    timeout="20 minutes",
    memory_size="7 GB",
    bind=[notes, files, work, news, token, greeting, echo, second, typed],
    permissions=[{"actions": ["sqs:ListQueues"], "resources": ["*"]}],
    environment={"COLOUR": 'gr\u00fcn \'n "blue" $HOME', "EMPTY": ""},
    copy_files=["data/*.txt"],
    install=language.INSTALL,
    log_retention="3 days",
)
shown = Job(app, "shown", handler="jobs/shown.handler", runtime=language.RUNTIME, payload="inline")
hidden = Job(
    app,
    "hidden",
    handler="jobs/shown.handler",
    runtime=language.RUNTIME,
    encryption_key="arn:aws:kms:us-east-1:000000000000:key/01234567-89ab-cdef-0123-456789abcdef",
)
retried = Job(
    app,
    "retried",
    handler="jobs/retried.handler",
    runtime=language.RUNTIME,
    retries=2,
    retry_delay="0 seconds",
)
single = Job(
    app,
    "single",
    handler="jobs/single.handler",
    runtime=language.RUNTIME,
    concurrency=1,
    bind=[notes],
)


def hurry(project):
    """Below what a deployed job may ask for, so that the test is short."""
    for variable in project.Environment.EnvironmentVariables:
        if variable.Name == "DEVBRIDGE_TIMEOUT":
            variable.Value = "3"


short = Job(
    app,
    "short",
    handler="jobs/short.handler",
    runtime=language.RUNTIME,
    timeout="3 seconds" if app.stage == "dev" else "5 minutes",
    transform=hurry,
)
broken = Job(app, "broken", handler="jobs/broken.handler", runtime=language.RUNTIME)
remote = Job(
    app,
    "remote",
    handler="jobs/second.handler",
    runtime=language.RUNTIME,
    enable_live_dev=False,
    bind=[notes],
)
ask = Function(app, "ask", handler="functions/ask.handler", runtime=language.RUNTIME, bind=[typed])

language.more(app)
