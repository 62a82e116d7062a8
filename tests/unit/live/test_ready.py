from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devbridge.constructs import Api, App, Function, Job, OnLog, OnRequest, Schedule, Vpc
from devbridge.constructs.app import loading
from devbridge.live.ready import outside, ready, schedules_off, unheard


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., App]:
    (tmp_path / "a.py").write_text("def handler(payload): ...\n")

    def make(*routes: str) -> App:
        with loading(tmp_path):
            app = App("demo")
            Job(app, "report", handler="a.handler")
            if routes:
                Api(app, "main", routes=dict.fromkeys(routes, "a.handler"))
        return app

    return make


def test_what_to_do_next_is_to_call_the_apis(make_app: Callable[..., App]) -> None:
    outputs = {"MainUrl": "http://x", "ReportJob": "r"}
    app = make_app("POST /report", "ANY /all", "GET /one")
    assert list(ready(app, outputs, "Ready in 1.0s.", bold=str.upper)) == [
        "MainUrl      HTTP://X",
        "Ready in 1.0s. Try:",
        "  curl -X POST 'http://x/report'",
        "  curl 'http://x/all'",
        "  curl 'http://x/one'",
    ]


def test_curl_reaches_this_machine_past_the_shells_proxy(make_app: Callable[..., App]) -> None:
    outputs = {"MainUrl": "http://127.0.0.1:18000/a1b2c3d4"}
    shell = {"http_proxy": "http://proxy:3128"}
    assert list(ready(make_app("POST /report"), outputs, "Ready.", shell=shell))[-1] == (
        "  curl --noproxy '*' -X POST 'http://127.0.0.1:18000/a1b2c3d4/report'"
    )


def test_without_an_api_it_is_to_invoke_a_job(make_app: Callable[..., App]) -> None:
    assert list(ready(make_app(), {}, "Deployed.", options="--stage prod")) == [
        "Deployed. Try:",
        "  devbridge invoke report --stage prod --payload '{}'",
    ]


def test_the_payload_to_try_is_one_that_the_job_takes(make_app: Callable[..., App]) -> None:
    types = {"num": {"type": "integer"}, "name": {"type": "string", "default": "it's"}}
    schema = {"type": "object", "properties": types, "required": ["num", "name"]}
    assert list(ready(make_app(), {}, "Ready.", schemas={"report": schema}))[-1] == (
        """  devbridge invoke report --payload '{"num": 1, "name": "it'"'"'s"}'"""
    )


def test_of_many_calls_the_first_are_shown(make_app: Callable[..., App]) -> None:
    app = make_app(*(f"GET /{number}" for number in range(7)))
    told = list(ready(app, {"MainUrl": "http://x"}, "Ready."))
    assert told[-2:] == ["  curl 'http://x/4'", "  ... and 2 more"]


def test_routes_that_start_jobs_are_called_with_a_payload_if_they_have_one(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def handler(payload): ...\n")
    with loading(tmp_path):
        app = App("demo")
        api = Api(app, "main", routes={"GET /one": "a.handler"})
        routes = ("ANY /any", "POST /post", "PUT /put", "GET /get", "$default")
        triggers = [OnRequest(api, route) for route in routes]
        Job(app, "report", handler="a.handler", triggers=triggers)
    schema = {"type": "object", "properties": {"num": {"type": "integer"}}, "required": ["num"]}
    told = list(ready(app, {"MainUrl": "http://x"}, "Ready.", schemas={"report": schema}))
    assert told[2:] == [
        "  curl 'http://x/one'",
        """  curl 'http://x/any' --data '{"num": 1}'""",
        """  curl 'http://x/post' --data '{"num": 1}'""",
        """  curl -X PUT 'http://x/put' --data '{"num": 1}'""",
        "  curl 'http://x/get'",
        "  ... and 1 more",
    ]


def test_it_is_said_that_the_clock_starts_no_live_jobs(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def handler(payload): ...\n")
    with loading(tmp_path):
        app = App("demo")
        hourly = Schedule("rate(1 hour)")
        Job(app, "a", handler="a.handler", triggers=[hourly, Schedule("rate(2 hours)")])
        Job(app, "b", handler="a.handler", triggers=[hourly])
        Job(app, "cloud", handler="a.handler", triggers=[hourly], enable_live_dev=False)
        Job(app, "off", handler="a.handler", triggers=[Schedule("rate(1 hour)", enabled=False)])
        Function(app, "call", handler="a.handler", triggers=[hourly])
    assert list(schedules_off(app)) == [
        "schedules are off (a, b, call): turn them on with `devbridge dev --schedules`"
    ]
    assert list(schedules_off(App("empty"))) == []


def test_functions_that_are_not_in_their_vpc_here_are_named_by_it(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def handler(event, context): ...\n")
    one, other = (
        Vpc(f"vpc-{n * 8}", subnets=[f"subnet-{n * 8}"], security_groups=["sg-11111111"])
        for n in "12"
    )
    with loading(tmp_path):
        app = App("demo")
        wanted = {"a": one, "b": one, "c": other, "d": None}
        for name, vpc in wanted.items():
            Function(app, name, handler="a.handler", vpc=vpc)
        Function(app, "e", handler="a.handler", vpc=one, enable_live_dev=False)
    first, second = outside(app)
    assert first.startswith(f"a, b: here, and not in {one.id} (subnet-11111111): ")
    assert second.startswith(f"c: here, and not in {other.id} (subnet-22222222): ")


def test_it_is_said_who_hears_nothing_of_what_is_printed_here(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def handler(event, context): ...\n")
    with loading(tmp_path):
        app = App("demo")
        live = Function(app, "live", handler="a.handler")
        job = Job(app, "job", handler="a.handler")
        cloud = Function(app, "cloud", handler="a.handler", enable_live_dev=False)
        Function(app, "b", handler="a.handler", triggers=[OnLog(live), OnLog(cloud, name="x")])
        Job(app, "c", handler="a.handler", triggers=[OnLog(live), OnLog(job, name="y")])
    assert list(unheard(app)) == [
        "what live prints is here, and in no log group: unheard by c, b",
        "what job prints is here, and in no log group: unheard by c",
    ]
    assert list(unheard(App("empty"))) == []
