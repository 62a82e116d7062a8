"""A training that is interrupted and goes on: a job on spot machines that yields checkpoints."""

from devbridge import Api, App, Batch, Bucket, Job

app = App("train-demo")

models = Bucket(app, "models")

train = Job(
    app,
    "train",
    handler="jobs/train.handler",
    # Spare machines at a fraction of the price, which AWS takes back with two minutes' notice.
    compute=Batch(cpu=2, memory="7.5 GB", spot=True),
    timeout="6 hours",
    bind=[models],
)

Api(
    app,
    "api",
    routes={"POST /trainings": "api/start.handler", "GET /trainings/{id}": "api/status.handler"},
    bind=[train],
)
