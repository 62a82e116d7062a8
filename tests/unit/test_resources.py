from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import botocore.client
import pytest
from moto import mock_aws

from devbridge import resources
from devbridge.errors import CloudError, NotFound
from devbridge.resources import (
    Api,
    Bucket,
    Config,
    Function,
    Queue,
    Secret,
    Table,
    Topic,
    UserPool,
    fetch_secrets,
    variable,
)


def test_a_bound_table_has_its_deployed_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_my_notes", "stack-notes-1")
    assert Table.my_notes.table_name == "stack-notes-1"


def test_every_kind_reads_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, prop in (
        ("Table", "tableName"),
        ("Bucket", "bucketName"),
        ("Queue", "queueUrl"),
        ("Topic", "topicArn"),
        ("Config", "value"),
        ("Function", "functionName"),
        ("Api", "url"),
        ("UserPool", "clientId"),
    ):
        monkeypatch.setenv(f"DEVBRIDGE_{kind}_{prop}_my_x", f"the {kind}")
    assert Table.my_x.table_name == "the Table"
    assert Bucket.my_x.bucket_name == "the Bucket"
    assert Queue.my_x.queue_url == "the Queue"
    assert Topic.my_x.topic_arn == "the Topic"
    assert Config.my_x.value == "the Config"
    assert Function.my_x.function_name == "the Function"
    assert Api.my_x.url == "the Api"
    assert UserPool.my_x.client_id == "the UserPool"


def test_an_unbound_table_says_which_are_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_notes", "x")
    with pytest.raises(NotFound, match=r"'other' is not bound here(.|\n)*bound are: notes"):
        _ = Table.other.table_name


@pytest.mark.parametrize("kind", [Table, Bucket, Queue, Topic, Secret, Config, Function, Api])
def test_nothing_is_bound_outside_of_a_job_or_function(kind: Any) -> None:
    name = {"Table": "table_name", "Bucket": "bucket_name", "Queue": "queue_url"} | {
        "Topic": "topic_arn", "Secret": "value", "Config": "value", "Api": "url",
        "Function": "function_name",
    }  # fmt: skip
    with pytest.raises(NotFound, match="is not bound here"):
        getattr(kind.other, name[repr(kind.other).partition(".")[0]])


def test_a_config_value_may_be_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_Config_value_suffix", "")
    assert Config.suffix.value == ""


def test_names_that_are_properties_elsewhere_are_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_Config_value_value", "1")
    monkeypatch.setenv("DEVBRIDGE_Config_value_mro", "2")
    assert (Config.value.value, Config.mro.value) == ("1", "2")


def test_dunder_lookups_are_not_tables() -> None:
    assert not hasattr(Table, "__wrapped__")


def test_what_is_bound_can_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_Bucket_bucketName_b", "x")
    monkeypatch.setenv("DEVBRIDGE_Bucket_bucketName_a", "x")
    assert dir(Bucket) == ["a", "b"]


def test_the_module_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; tops = lambda: {m.partition('.')[0] for m in sys.modules}; before = tops();"
        "import devbridge.resources; print(*tops() - before - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["devbridge"]


# Secrets


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """An account of moto's; the names of each call of GetParameters."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSM", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(resources, "_secrets", {})
    made: list[list[str]] = []
    client_class: Any = botocore.client.BaseClient
    original = client_class._make_api_call

    def make(self: Any, operation: str, arguments: Mapping[str, Any]) -> Any:
        if operation == "GetParameters":
            assert arguments["WithDecryption"]
            made.append(list(arguments["Names"]))
        return original(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make)
    with mock_aws():
        yield made


def parameter(name: str) -> str:
    return f"/devbridge/demo/prod/secrets/{name}"


def put(name: str, value: str) -> None:
    ssm = boto3.client("ssm", region_name="eu-west-1")
    ssm.put_parameter(Name=parameter(name), Value=value, Type="SecureString", Overwrite=True)


def bind(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.setenv(variable("Secret", "parameterName", name), parameter(name))


def test_a_secret_is_decrypted(monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]) -> None:
    bind(monkeypatch, "api-key")
    put("api-key", "s3cret")
    assert Secret.api_key.value == "s3cret"


def test_all_bound_secrets_are_fetched_at_once_and_once(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]
) -> None:
    bind(monkeypatch, "a", "b", "c")
    for name in "abc":
        put(name, name.upper())
    assert [Secret.b.value, Secret.a.value, Secret.c.value, Secret.b.value] == ["B", "A", "C", "B"]
    fetch_secrets()
    put("b", "changed")
    assert Secret.b.value == "B"
    assert calls == [[parameter("a"), parameter("b"), parameter("c")]]


@pytest.mark.parametrize(("count", "sizes"), [(10, [10]), (11, [10, 1]), (23, [10, 10, 3])])
def test_ssm_is_asked_for_ten_at_a_time(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]], count: int, sizes: list[int]
) -> None:
    names = [f"s{index}" for index in range(count)]
    bind(monkeypatch, *names)
    for name in names:
        put(name, f"value of {name}")
    fetch_secrets()
    assert [len(asked) for asked in calls] == sizes
    assert [getattr(Secret, name).value for name in names] == [f"value of {n}" for n in names]
    assert len(calls) == len(sizes)


def test_without_secrets_nothing_is_asked(calls: list[list[str]]) -> None:
    fetch_secrets()
    assert calls == []


def test_secrets_that_are_not_set_are_all_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]
) -> None:
    bind(monkeypatch, "a", "b-b", "c")
    put("a", "A")
    with pytest.raises(NotFound) as caught:
        fetch_secrets()
    text = str(caught.value)
    assert "secrets 'b-b', 'c' are bound and have no value" in text
    assert "`devbridge secrets set b-b --stage prod`" in text
    assert parameter("c") in text
    assert "'a'" not in text
    assert "A" not in text


def test_on_the_embedded_cloud_the_command_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    error = resources._not_set([parameter("a")])
    assert error.remedy == "run `devbridge secrets set a --stage prod --local`"


def test_a_secret_that_is_set_can_be_read_though_another_is_not(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]
) -> None:
    bind(monkeypatch, "a", "b")
    put("a", "A")
    assert Secret.a.value == "A"
    with pytest.raises(NotFound, match=r"secret 'b' is bound and has no value"):
        _ = Secret.b.value


def test_a_secret_that_is_set_later_is_found_later(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]
) -> None:
    bind(monkeypatch, "a", "b")
    put("a", "A")
    with pytest.raises(NotFound):
        _ = Secret.b.value
    put("b", "B")
    assert Secret.b.value == "B"
    assert calls[1:] == [[parameter("b")]], "what is known is not asked for again"


def test_a_secret_that_is_not_bound_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]
) -> None:
    bind(monkeypatch, "a")
    with pytest.raises(NotFound, match=r"Secret 'b' is not bound here(.|\n)*bound are: a"):
        _ = Secret.b.value
    assert calls == []


def test_threads_that_want_secrets_at_the_same_time_fetch_them_once(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]
) -> None:
    bind(monkeypatch, "a", "b")
    put("a", "A")
    put("b", "B")
    barrier, got = threading.Barrier(8), []

    def read(index: int) -> None:
        barrier.wait()
        got.append((Secret.a if index % 2 else Secret.b).value)

    threads = [threading.Thread(target=read, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == ["A"] * 4 + ["B"] * 4
    assert len(calls) == 1


def test_what_ssm_refuses_is_told_with_the_parameters(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]
) -> None:
    bind(monkeypatch, "a")

    def refuse(*_: Any) -> Any:
        raise botocore.client.ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameters"
        )

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)
    with pytest.raises(CloudError, match=r"AccessDenied(.|\n)*secrets/a"):
        fetch_secrets()


def test_the_endpoint_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client, _ = resources._ssm()
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client.meta.region_name == "eu-west-1"


def test_what_is_bound_can_only_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_notes", "x")
    with pytest.raises(AttributeError, match="read-only"):
        Table.notes.table_name = "y"  # type: ignore[assignment]
    assert Table.notes.table_name == "x"


def test_the_bound_resources_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_notes", "x")
    monkeypatch.setenv("DEVBRIDGE_Table_tableName_a_b", "x")
    monkeypatch.setenv("DEVBRIDGE_Queue_queueUrl_work", "x")
    assert (dir(Table), dir(Queue), dir(Topic)) == (["a_b", "notes"], ["work"], [])
    assert repr(Table.notes) == "Table.notes"
