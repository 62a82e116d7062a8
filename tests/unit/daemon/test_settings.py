from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from devbridge.daemon.settings import Settings


def test_what_nobody_has_set_is_what_dev_promises() -> None:
    here = Path()
    settings = Settings(root=here, python=here, logs=here, concurrency=1, grace=120.0)
    assert settings.fail_when_broken, "a run of a broken job is told so at once"
    assert settings.standbys, "the next run finds the handler imported"
    assert not settings.rerun_on_save
    assert settings.secrets_mark is None
    assert settings.notes == here / ".devbridge"
    assert dataclasses.replace(settings, state_dir=Path("x")).notes == Path("x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.grace = 1.0  # type: ignore[misc]
