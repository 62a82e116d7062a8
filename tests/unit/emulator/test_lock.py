from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from devbridge.emulator import lock
from devbridge.emulator.install import REQUIREMENTS


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What uv was asked; it resolves everything, and finds no wheel for Intel's Macs."""
    asked: list[list[str]] = []

    def run(command: list[Any], **options: Any) -> subprocess.CompletedProcess[str]:
        words = list(map(str, command))
        asked.append(words)
        if "-o" in words:
            asked[-1].append(Path(words[words.index("-o") - 1]).read_text())
            Path(words[words.index("-o") + 1]).write_text("six==1.17.0 --hash=sha256:a\n")
        return subprocess.CompletedProcess(
            words, int("x86_64-apple-darwin" in words), "", "no wheel"
        )

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(lock, "LOCK", tmp_path / "requirements.lock")
    return asked


def test_one_set_is_resolved_and_asked_for_wheels_everywhere(
    uv: list[list[str]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert lock.main() == 1
    resolve, *checks = uv
    assert {"--universal", "--generate-hashes"} <= set(resolve)
    assert resolve[-1] == "\n".join(REQUIREMENTS) + "\n"
    assert len(checks) == len(lock.PLATFORMS) * len(lock.PYTHONS)
    assert all({"--only-binary", "--no-deps"} <= set(check) for check in checks)
    assert (tmp_path / "requirements.lock").read_text().splitlines()[
        -1
    ] == "six==1.17.0 --hash=sha256:a"
    out = capsys.readouterr().out
    assert out.count("no wheels for") == len(lock.PYTHONS)
    assert "no wheels for x86_64-apple-darwin, Python 3.11" in out


def test_a_set_that_cannot_be_resolved_leaves_the_lock_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lock, "LOCK", tmp_path / "requirements.lock")
    failed: subprocess.CompletedProcess[str] = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    assert lock.main() == 1
    assert not (tmp_path / "requirements.lock").exists()
