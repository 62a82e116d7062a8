"""Functions that answer, and end, in every way there is, and what calls them.

`language.py` says what they are written in.
"""

import language
from devbridge import Api, App, Function, LambdaAuthorizer, OnQueue, OnTopic, Queue, RouteTo, Topic

app = App("answers")


def function(name, file="ends", handler="handler", **options):
    path = f"functions/{file}.{handler}"
    return Function(app, name, handler=path, runtime=language.RUNTIME, **options)


ends = function("ends")
sleeps = function("sleeps", timeout="1 second")
waits = function("waits")
function("stopped", reserved_concurrency=0)
broken = {name: function(name, name) for name in ("imports", "syntax", "nameless", "loads")}
news, lost = Topic(app, "news"), Queue(app, "lost")
function("later", retries=1, on_failure=lost, triggers=[OnTopic(news)])
dead = Queue(app, "dead")
orders = Queue(app, "orders", dead_letter=dead, max_receives=1)
function("batch", handler="batch", timeout="2 seconds", triggers=[OnQueue(orders)])
who = {"identity_sources": ["$request.header.x-who"]}
Api(
    app,
    "api",
    routes={
        "GET /ends/{does}": ends,
        "POST /ends/{does}": ends,
        "GET /sleeps/{does}": sleeps,
        "GET /waits/{does}": waits,
        **{f"GET /{name}/{{does}}": each for name, each in broken.items()},
        "GET /simple/{does}": RouteTo(ends, authorizer="simple"),
        "GET /policy/{does}": RouteTo(ends, authorizer="policy"),
    },
    authorizers={
        "simple": LambdaAuthorizer(function("simple", "lets_in", "simple"), **who),
        "policy": LambdaAuthorizer(function("policy", "lets_in", "policy"), **who),
    },
)
