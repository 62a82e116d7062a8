from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from devbridge.emulator.users import User, unused, users_of


def join(folder: Path, who: str = "devbridge dev of stage ann") -> User:
    user = User.join(folder, who)
    assert user is not None
    return user


def test_each_user_is_named_with_its_process_until_it_leaves(tmp_path: Path) -> None:
    first, second = join(tmp_path), join(tmp_path, "devbridge deploy of stage bob")
    pid = os.getpid()
    assert sorted(users_of(tmp_path)) == [
        f"devbridge deploy of stage bob, pid {pid}",
        f"devbridge dev of stage ann, pid {pid}",
    ]
    first.leave()
    first.leave()
    assert users_of(tmp_path) == [f"devbridge deploy of stage bob, pid {pid}"]
    second.leave()
    assert users_of(tmp_path) == []


def test_only_who_is_left_alone_is_the_last_and_then_nobody_joins(tmp_path: Path) -> None:
    first, second = join(tmp_path), join(tmp_path)
    assert not first.is_last()
    assert not second.is_last()
    first.leave()
    assert second.is_last()
    assert User.join(tmp_path, "late") is None
    second.leave()
    join(tmp_path).leave()


def test_who_is_not_the_last_still_is_a_user(tmp_path: Path) -> None:
    first, second = join(tmp_path), join(tmp_path)
    assert not first.is_last()
    second.leave()
    assert unused(tmp_path) is None
    first.leave()


def test_an_unused_cloud_can_be_kept_so(tmp_path: Path) -> None:
    user = join(tmp_path)
    assert unused(tmp_path) is None
    user.leave()
    held = unused(tmp_path)
    assert held is not None
    assert User.join(tmp_path, "late") is None
    os.close(held)
    join(tmp_path).leave()


def test_what_a_user_that_was_killed_has_left_is_taken_away(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f"user-{ended.pid}-3", "user-x", "user-99999999999999999999-1"):
        (tmp_path / name).write_text("devbridge dev of stage ann")
    assert users_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_another_users_process_counts_as_one_that_lives(tmp_path: Path) -> None:
    (tmp_path / "user-1-3").write_text("somebody")
    assert users_of(tmp_path) == ["somebody, pid 1"]


def test_a_child_does_not_inherit_the_hold(tmp_path: Path) -> None:
    user = join(tmp_path)
    assert not os.get_inheritable(user.fd)
    user.leave()
