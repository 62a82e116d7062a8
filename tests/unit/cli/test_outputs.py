from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

import devbridge.cli
from devbridge import names
from devbridge.cli import outputs as module
from devbridge.cli.outputs import outputs
from devbridge.config import Config
from devbridge.constructs import Api
from devbridge.constructs.load import load_app

TEMPLATE = Path(devbridge.cli.__file__).parent / "templates" / "factorial"


def test_the_example_of_the_help_names_an_output_that_there_is() -> None:
    (api,) = load_app(TEMPLATE).of_type(Api)
    assert f"jq -r .{names.output(api, 'Url')})" in str(outputs.epilog)


@pytest.fixture
def deployed(config: Config, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The outputs of the stage that is asked for."""
    values: dict[str, str] = {}

    @contextmanager
    def cloud(used: Config) -> Iterator[str]:
        assert used.stage == "ann"
        yield "there"

    def stage_outputs(there: str, app: str, stage: str) -> dict[str, str]:
        assert (there, app, stage) == ("there", "demo", "ann")
        return values

    monkeypatch.setattr(module, "cloud", cloud)
    monkeypatch.setattr("devbridge.deploy.outputs", stage_outputs)
    return values


def test_each_output_is_a_line_in_the_order_of_the_stage(deployed: dict[str, str]) -> None:
    deployed.update(ApiUrl="https://x", NotesTable="notes-1")
    result = CliRunner().invoke(outputs, [])
    assert result.exit_code == 0, result.output
    assert result.stdout == "ApiUrl      https://x\nNotesTable  notes-1\n"


def test_json_is_an_object_for_programs(deployed: dict[str, str]) -> None:
    deployed.update(ApiUrl="https://x")
    assert json.loads(CliRunner().invoke(outputs, ["--json"]).stdout) == {"ApiUrl": "https://x"}


def test_a_stage_without_outputs_prints_nothing(deployed: dict[str, str]) -> None:
    result = CliRunner().invoke(outputs, [])
    assert (result.exit_code, result.stdout) == (0, "")
