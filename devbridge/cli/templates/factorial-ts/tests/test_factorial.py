"""What `pytest` runs here: the whole way, on an embedded cloud that is there for the tests only."""

import json
from urllib.request import Request, urlopen

import pytest

from devbridge.errors import PayloadInvalid
from devbridge.pytest_plugin import Stage
from devbridge.resources import Table


def test_the_result_is_written_to_the_table(devbridge_stage: Stage) -> None:
    run = devbridge_stage.invoke("factorial", {"num": 25}).wait()
    assert run.result == "15511210043330985984000000"
    assert "computing 25!" in run.output
    notes = devbridge_stage.resource("dynamodb").Table(Table.notes.table_name)
    assert notes.get_item(Key={"id": "25!"})["Item"]["value"] == run.result


def test_what_is_no_payload_is_refused_before_it_is_sent(devbridge_stage: Stage) -> None:
    with pytest.raises(PayloadInvalid, match="num"):
        devbridge_stage.invoke("factorial", {"num": "five"})


def test_what_cannot_be_computed_fails_with_its_line(devbridge_stage: Stage) -> None:
    run = devbridge_stage.invoke("factorial", {"num": -1}).wait()
    assert run.state == "FAILED"
    assert "num must be a whole number from 0 to 1000, not -1" in run.output


def test_the_api_starts_the_job_and_tells_its_result(devbridge_stage: Stage) -> None:
    url = f"{devbridge_stage.outputs['ApiUrl']}/factorial"
    with urlopen(Request(url, b'{"num": 6}', method="POST")) as answer:
        job_id = json.load(answer)["jobId"]
    assert devbridge_stage.find(job_id).wait().result == "720"
    with urlopen(f"{url}/{job_id}") as answer:
        assert json.load(answer) == {"state": "SUCCEEDED", "result": "720"}
