"""A topic is the entry of all background jobs; each job has its queue, dead letters and alarm."""

from devbridge import Alarm, Api, App, CompositeAlarm, Function, Topic

app = App("background-jobs")

# The entry: whoever publishes says in the message's attribute `jobName` which job it is for.
jobs = Topic(app, "jobs")

# Who is told when a job gives up. SNS mails each address first, to ask whether it may.
tell = Function(app, "tell", handler="api/tell.handler")
ops = Topic(app, "ops", subscribers=["ops@example.com", tell])

# One job a file, whose options stand beside its handler.
background = app.jobs("jobs/", timeout="1 minute")

# An alarm of each job is made by its option `alarm`. One more: of what nobody has looked after.
Alarm(
    app,
    "greetings-forgotten",
    queue=background["greeting"].dead_letters,
    metric="age",
    threshold="1 hour",
)
# And one for all: on as long as any of them is.
CompositeAlarm(app, "background", any=app.of_type(Alarm), notify=[ops])

Api(app, "api", routes={"POST /sign-up": "api/sign_up.handler"}, bind=[jobs])

# Other stacks import the topic by this name, and publish to it.
app.output("Entry", jobs.arn, export=f"background-jobs-{app.stage}-jobs")
