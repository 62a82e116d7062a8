from __future__ import annotations

from pathlib import Path

import pytest

from runner import debugging, languages
from runner.outcome import Failure

NODE = {"DEVBRIDGE_RUNTIME": "nodejs24.x"}
WORKER = str(Path(languages.__file__).parent / "node" / "worker.mjs")


def found(folder: Path, says: str) -> dict[str, str]:
    """An environment whose PATH has a node that says its version."""
    node = folder / "node"
    node.write_text(f"#!/bin/sh\necho {says}\n")
    node.chmod(0o755)
    return {**NODE, "PATH": str(folder)}


@pytest.mark.parametrize("runtime", ["", "python3.13"])
def test_python_needs_no_other_command(runtime: str) -> None:
    environment = {"DEVBRIDGE_RUNTIME": runtime}
    assert languages.command(environment) == []
    assert languages.problem(environment) is None
    assert languages.remark(environment) == ""


def test_a_containers_command_is_nobodys_handler() -> None:
    assert not languages.is_node({**NODE, "DEVBRIDGE_COMMAND": '["make"]'})


def test_node_is_that_of_the_jobs_path(tmp_path: Path) -> None:
    environment = found(tmp_path, "v24.1.0")
    assert languages.command(environment) == ["exec", str(tmp_path / "node"), WORKER]
    assert languages.problem(environment) is None


def test_a_job_without_node_is_told_what_is_missing(tmp_path: Path) -> None:
    problem = languages.problem({**NODE, "PATH": str(tmp_path)})
    assert problem == Failure("NodeMissing", "there is no node on PATH to run nodejs24.x")


@pytest.mark.parametrize(
    ("environment", "heap"),
    [
        ({}, []),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": ""}, []),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3072"}, ["--max-old-space-size=2764"]),
        (
            {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3072", "DEVBRIDGE_MEMORY_LIMIT": str(512 << 20)},
            ["--max-old-space-size=512"],
        ),
        (
            {
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3072",
                "NODE_OPTIONS": "--enable-source-maps --max_old_space_size=100",
            },
            [],
        ),
    ],
)
def test_the_heap_may_have_what_the_job_was_given(
    environment: dict[str, str], heap: list[str]
) -> None:
    assert languages.node_command("node", "worker.mjs", environment) == ["node", *heap, WORKER]


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ("v24.19.0", ""),
        ("v22.1.0", "v22.1.0 runs the job, which was made for nodejs24.x"),
        ("", "of unknown version runs the job, which was made for nodejs24.x"),
    ],
)
def test_another_node_than_that_of_the_runtime_is_told(
    tmp_path: Path, says: str, said: str
) -> None:
    remark = languages.remark(found(tmp_path, says))
    assert remark == (f"{tmp_path / 'node'} {said}" if said else "")


def test_packages_are_linked_where_node_looks_for_them(tmp_path: Path) -> None:
    root, packages = tmp_path / "app", tmp_path / "packages"
    root.mkdir()
    languages.link_packages(str(root), "")
    languages.link_packages(str(root), str(packages))
    assert not [*root.iterdir()]
    (packages / "node_modules/sharp").mkdir(parents=True)
    for _ in range(2):
        languages.link_packages(str(root), str(packages))
    assert (root / "node_modules/sharp").is_dir()
    assert (root / "node_modules").readlink() == packages / "node_modules"


def test_packages_of_the_app_itself_stay(tmp_path: Path) -> None:
    (tmp_path / "app/node_modules/own").mkdir(parents=True)
    (tmp_path / "packages/node_modules/sharp").mkdir(parents=True)
    languages.link_packages(str(tmp_path / "app"), str(tmp_path / "packages"))
    assert [each.name for each in (tmp_path / "app/node_modules").iterdir()] == ["own"]


def test_an_inspector_does_not_tell_everybody_where_it_is() -> None:
    environment = {debugging.DEBUGGER: "/notes/halted"}
    secret = "--inspect-publish-uid=stderr"
    assert languages.node_command("node", "worker.mjs", environment) == ["node", secret, WORKER]
