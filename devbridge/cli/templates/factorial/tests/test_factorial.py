"""What `pytest` runs here. With -m "not devbridge_stage" only what takes milliseconds."""

import json
from urllib.request import Request, urlopen

import pytest

from devbridge.errors import PayloadInvalid
from devbridge.pytest_plugin import JobRunner, Stage
from devbridge.resources import Table


def test_what_cannot_be_computed_is_refused(devbridge_run: JobRunner) -> None:
    """In this process: the handler, as devbridge calls it."""
    with pytest.raises(ValueError, match="from 0 to 1000"):
        devbridge_run("factorial", {"num": -1})
    with pytest.raises(PayloadInvalid):
        devbridge_run("factorial", {"num": "five"})


def test_the_result_is_written_to_the_table(devbridge_stage: Stage) -> None:
    """The whole way, on an embedded cloud that is there for the tests only."""
    run = devbridge_stage.invoke("factorial", {"num": 5}).wait()
    assert run.result == 120
    assert "computing 5!" in run.output
    notes = devbridge_stage.resource("dynamodb").Table(Table.notes.table_name)
    assert notes.get_item(Key={"id": "5!"})["Item"]["value"] == "120"


def test_the_api_starts_the_job(devbridge_stage: Stage) -> None:
    url = f"{devbridge_stage.outputs['ApiUrl']}/factorial"
    with urlopen(Request(url, b'{"num": 6}', method="POST")) as answer:
        job_id = json.load(answer)["jobId"]
    assert devbridge_stage.find(job_id).wait().result == 720
