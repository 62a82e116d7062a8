from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Bucket, Queue, Table, Topic
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from tests.unit.deploy.templates import lint, made, properties, resources

Make = Callable[..., Template]


@pytest.fixture
def synthed(root: Path) -> Make:
    """Makes the template of an app with what a function adds; cfn-lint must find nothing wrong."""

    def make(define: Callable[[App], object], **settings: Any) -> Template:
        with loading(root):
            app = App("demo")
            define(app)
        template = made(app, **settings)
        assert lint(template) == []
        return template

    return make


DATA: dict[str, Callable[..., object]] = {
    "XTable": lambda app, **options: Table(app, "x", partition_key="id", **options),
    "XBucket": lambda app, **options: Bucket(app, "x", **options),
    "XQueue": lambda app, **options: Queue(app, "x", **options),
}


@pytest.mark.parametrize("title", DATA)
@pytest.mark.parametrize(
    ("removal", "mode", "policy"),
    [
        (None, "dev", "Delete"),
        (None, "deployed", "Retain"),
        ("retain", "dev", "Retain"),
        ("delete", "deployed", "Delete"),
    ],
)
def test_what_holds_data_is_kept_or_deleted_as_it_says_or_as_the_stage_is(
    title: str, removal: str | None, mode: str, policy: str, synthed: Make
) -> None:
    template = synthed(lambda app: DATA[title](app, removal=removal), mode=mode)
    resource = resources(template)[title]
    assert resource["UpdateReplacePolicy"] == policy
    # What a failed creation has made goes, whatever it is.
    assert resource["DeletionPolicy"] == {"Retain": "RetainExceptOnCreate"}.get(policy, policy)


def test_a_bucket_is_private_encrypted_and_for_tls_only(synthed: Make) -> None:
    template = synthed(lambda app: Bucket(app, "files", removal="retain"))
    bucket = properties(template, "FilesBucket")
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert "AES256" in str(bucket["BucketEncryption"])
    assert "VersioningConfiguration" not in bucket
    (statement,) = properties(template, "FilesBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert resources(template)["FilesBucketPolicy"]["UpdateReplacePolicy"] == "Retain"


def test_a_bucket_keeps_versions_if_it_is_told_to(synthed: Make) -> None:
    template = synthed(lambda app: Bucket(app, "files", versioned=True))
    configuration = properties(template, "FilesBucket")["VersioningConfiguration"]
    assert configuration == {"Status": "Enabled"}


def test_a_cloud_without_tls_has_buckets_without_that_policy(synthed: Make) -> None:
    template = synthed(lambda app: Bucket(app, "files"), tls=False)
    assert "FilesBucketPolicy" not in resources(template)


def test_a_queue_has_its_times_and_is_encrypted(synthed: Make) -> None:
    template = synthed(
        lambda app: Queue(app, "work", visibility_timeout="2 minutes", retention="14 days")
    )
    assert properties(template, "WorkQueue") == {
        "VisibilityTimeout": 120,
        "MessageRetentionPeriod": 1_209_600,
        "SqsManagedSseEnabled": True,
    }


@pytest.mark.parametrize("fifo", [False, True])
def test_a_queue_gives_up_to_its_dead_letter_queue(fifo: bool, synthed: Make) -> None:
    def define(app: App) -> None:
        dead = Queue(app, "dead", fifo=fifo)
        Queue(app, "work", fifo=fifo, dead_letter=dead, max_receives=5)

    queue = properties(synthed(define), "WorkQueue")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["DeadQueue", "Arn"]},
        "maxReceiveCount": 5,
    }
    assert queue.get("FifoQueue", False) is fifo


@pytest.mark.parametrize("fifo", [False, True])
def test_a_topic_may_be_in_order(fifo: bool, synthed: Make) -> None:
    topic = resources(synthed(lambda app: Topic(app, "news", fifo=fifo)))["NewsTopic"]
    assert topic.get("Properties", {}).get("FifoTopic", False) is fifo
