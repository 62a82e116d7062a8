"""The modules of ministack that Batch needs, with nothing in them."""

from __future__ import annotations

import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from tests.unit.emulator.inside.conftest import MakeModule

BASE = "arn:aws:batch:eu-west-1:1"


class Scoped(dict[str, Any]):
    """A dictionary of ministack's, which has one for each account and region."""

    def all_items(self) -> list[Any]:
        return [(("1", "eu-west-1", key), value) for key, value in self.items()]


def batch_of(ministack: MakeModule) -> Any:
    """The module of Batch; whoever asks for a log group or a role finds none."""
    jobs = Scoped()
    batch: Any = ministack(
        "services.batch",
        _compute_envs={},
        _job_queues={},
        _job_definitions={},
        _jobs=jobs,
        _DISPATCH={},
        _ce_arn=lambda name: f"{BASE}:compute-environment/{name}",
        _jq_arn=lambda name: f"{BASE}:job-queue/{name}",
        _jd_arn=lambda name, revision: f"{BASE}:job-definition/{name}:{revision}",
        get_state=lambda: "state",
        reset=lambda: None,
        load_persisted_state=jobs.update,
    )
    iam = SimpleNamespace(
        _instance_profiles={"profile": {"Roles": ["host"]}},
        _roles={"host": {"Arn": "arn:aws:iam::1:role/host"}},
    )
    logs = SimpleNamespace(made=[])
    logs._create_log_group = lambda request: logs.made.append(request["logGroupName"])
    modules = {"batch": batch, "iam": iam, "cloudwatch_logs": logs}
    ministack("app", _get_module=modules.__getitem__)
    ministack(
        "core.responses",
        get_region=lambda: "eu-west-1",
        get_account_id=lambda: "1",
        request_scope=lambda account, region: nullcontext(),
    )
    return batch


def ask(batch: Any, operation: str, **request: Any) -> tuple[int, Any]:
    """Status and content of an operation's answer."""
    status, _, body = batch._DISPATCH[f"/v1/{operation}"](request)
    return status, json.loads(body)
