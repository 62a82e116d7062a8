"""What a template calls what is made for a trigger."""

from __future__ import annotations

import pytest

from devbridge.constructs import Api, App, Job, OnEvent, OnRequest
from devbridge.constructs.app import loading
from devbridge.deploy.synth.triggers.titles import title_of


@pytest.fixture
def job(app: App) -> Job:
    with loading(app.root):
        return Job(app, "see", handler="jobs/a.handler")


def test_it_is_that_of_the_job_the_type_and_the_name(job: Job) -> None:
    trigger = OnEvent({"source": ["x"]}, name="sold-out_now")
    assert title_of(job, trigger) == "SeeJobOnEventSoldOutNow"


def test_names_that_differ_in_what_an_id_has_not_are_told_apart(app: App, job: Job) -> None:
    api = Api(app, "web")
    routes = ("GET /a/{b}", "GET /a/b", "GET /a.b", "GET /a-b")
    titles = {title_of(job, OnRequest(api, route)) for route in routes}
    assert len(titles) == len(routes)
    assert all(title.isalnum() and title.startswith("SeeJobOnRequestGETA") for title in titles)
