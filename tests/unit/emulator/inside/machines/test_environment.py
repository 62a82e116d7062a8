from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.machines import environment
from devbridge.environment import _NETWORK


def test_what_runs_here_gets_out_of_the_network_as_the_cloud_does() -> None:
    shell = {"PATH": "/bin", "GATEWAY_PORT": "1", **dict.fromkeys(_NETWORK, "theirs")}
    assert environment.of_network(shell) == dict.fromkeys(_NETWORK, "theirs")


def test_a_machine_has_folders_of_its_own_and_the_credentials_of_its_role_if_it_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "4711")
    monkeypatch.setenv("PRIVATE", "x")
    role: Any = SimpleNamespace(token="t")
    made = environment.of_machine(tmp_path, tmp_path / "bin", "eu-west-1", role)
    assert made["PATH"].startswith(f"{tmp_path}/bin{os.pathsep}")
    assert (made["HOME"], made["TMPDIR"]) == (f"{tmp_path}/home", f"{tmp_path}/tmp")
    assert made["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4711"
    assert made["AWS_CONTAINER_AUTHORIZATION_TOKEN"] == "t"
    assert "PRIVATE" not in made
    none = environment.of_machine(tmp_path, tmp_path / "bin", "eu-west-1", None)
    assert not {name for name in none if name.startswith("AWS_CONTAINER")}
