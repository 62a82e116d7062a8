from __future__ import annotations

import socket
from pathlib import Path

import pytest

from devbridge.emulator.ports import free_port
from devbridge.emulator.process import choose_port, cloud_environment, ended
from devbridge.errors import EXIT_CLOUD, PortTaken


def test_the_cloud_sees_nothing_of_the_developer_s_environment() -> None:
    environ = {
        "PATH": "/bin",
        "HOME": "/home/jane",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_PROFILE": "prod",
        "PYTHONPATH": "/x",
        "DOCKER_HOST": "tcp://x",
        "https_proxy": "",
        "LAMBDA_EXECUTOR": "docker",
    }
    made = cloud_environment(environ, Path("/app/.devbridge/cloud"), 4566)
    assert made == {
        "https_proxy": "",
        "PATH": "/bin",
        "HOME": "/home/jane",
        "LANG": "C.UTF-8",
        "GATEWAY_PORT": "4566",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "STATE_DIR": "/app/.devbridge/cloud/state",
        "S3_DATA_DIR": "/app/.devbridge/cloud/s3",
        "TMPDIR": "/app/.devbridge/cloud/tmp",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "IOT_RETRANSMIT_SECONDS": "5",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_the_last_port_is_used_again(tmp_path: Path) -> None:
    last = free_port()
    (tmp_path / "port").write_text(str(last))
    assert choose_port(tmp_path, None) == last


def test_another_port_is_found_when_the_last_one_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        (tmp_path / "port").write_text(str(taken))
        assert choose_port(tmp_path, None) != taken


@pytest.mark.parametrize("text", ["", "x", "-1", "99999999", "0"])
def test_a_damaged_port_file_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "port").write_text(text)
    assert 0 < choose_port(tmp_path, None) < 65536


def test_a_taken_port_that_was_asked_for_is_an_error_that_says_how_to_find_who_has_it(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            choose_port(tmp_path, port)
    assert caught.value.what == f"port {port} is used by another process"
    assert f"lsof -nP -iTCP:{port} " in str(caught.value.remedy)
    assert caught.value.exit_code == EXIT_CLOUD


def test_a_port_that_was_asked_for_and_is_free_is_taken(tmp_path: Path) -> None:
    port = free_port()
    assert choose_port(tmp_path, port) == port


def test_a_cloud_that_has_ended_shows_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "ministack.log").write_text("".join(f"line {n}\n" for n in range(20)))
    error = ended(tmp_path, "it has ended")
    assert error.what == "\n".join(["it has ended, after:", *(f"line {n}" for n in range(8, 20))])
    assert error.where == str(tmp_path / "ministack.log")


def test_a_cloud_that_has_ended_without_a_log_is_an_error_all_the_same(tmp_path: Path) -> None:
    assert ended(tmp_path, "it has ended").what == "it has ended"
