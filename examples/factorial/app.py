"""What this app is made of. `devbridge dev` deploys it, and runs its handlers on this machine."""

from devbridge import Api, App, Job, Table

app = App("factorial-demo")

notes = Table(app, "notes", partition_key="id")

factorial = Job(
    app,
    "factorial",
    handler="jobs/factorial.handler",
    timeout="1 hour",
    memory_size="7 GB",
    bind=[notes],
)

Api(
    app,
    "api",
    routes={"POST /factorial": "api/start.handler"},
    bind=[factorial],
)
