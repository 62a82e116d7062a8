"""Both languages in one app: each side starts the other's job."""

from devbridge import Api, App, Function, Job

app = App("mixed-demo")

words = Job(app, "words", handler="jobs/words.handler")
shout = Job(app, "shout", handler="jobs/shout.handler", runtime="nodejs24.x")

count = Function(app, "count", handler="api/count.handler", runtime="nodejs24.x", bind=[words])
call = Function(app, "call", handler="api/call.handler", bind=[shout])

Api(app, "api", routes={"POST /words": count, "POST /shout": call})
