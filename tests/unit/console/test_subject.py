from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.errors import UnknownRun

from .stages import Stage


@pytest.fixture
def nowhere(tmp_path: Path, stage: Stage) -> Stage:
    stage.ledger.close()
    stage.config.ledger.unlink()
    return stage


def test_its_runs_are_those_of_the_ledger_and_need_no_cloud(stage: Stage) -> None:
    run_id = stage.add()
    with stage.subject.runs() as (runs, deployed):
        assert runs.find(run_id).record.job == "factorial"
        assert not deployed
        with pytest.raises(UnknownRun):
            runs.find("ffff")


def test_where_no_dev_has_ever_run_the_deployed_ones_are_meant(nowhere: Stage) -> None:
    with nowhere.subject.runs() as (_, deployed):
        assert not deployed, "this process runs them: it will have a ledger"
    with replace(nowhere.subject, live=False).runs() as (_, deployed):
        assert deployed
