from __future__ import annotations

from runner.host.settings import GRACE, Settings

JOB = {"DEVBRIDGE_JOB_NAME": "factorial", "DEVBRIDGE_HANDLER": "jobs/factorial.handler"}


def test_there_are_defaults_for_what_may_be_left_out() -> None:
    settings = Settings.read(JOB)
    assert (settings.attempts, settings.retry_delay, settings.timeout) == (1, 1, 8 * 3600)
    assert (settings.grace, settings.payload, settings.payload_key) == (GRACE, "null", "")
    assert not settings.inline


def test_a_run_has_its_own_id_and_else_that_of_its_build() -> None:
    place = {"DEVBRIDGE_APP": "demo", "DEVBRIDGE_STAGE": "prod"}
    build = {**JOB, **place, "CODEBUILD_BUILD_ID": "p:build"}
    assert Settings.read(build).run_id == "p:build"
    own = Settings.read({**build, "DEVBRIDGE_RUN_ID": "p:run"})
    assert (own.run_id, own.uuid) == ("p:run", "run")
    assert own.places.told(own.uuid) == "told/demo/prod/factorial/run.json"
