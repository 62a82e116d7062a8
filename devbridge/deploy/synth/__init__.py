"""Synth: the app becomes a CloudFormation template. Pure but for the slow import of troposphere.

A job is a CodeBuild project with its role, and an invoker. On a stage of `devbridge dev` the
project is empty (but its role and ARN are the real ones) and the invoker is the stub, unless the
job runs in the cloud there too. The template is deterministic, and holds nothing that changes when
the embedded cloud is started again on another port.
"""

from __future__ import annotations

from devbridge.constructs import Api, App, Bucket, Function, Job, Queue, Table, Topic
from devbridge.deploy.synth.api import add_api
from devbridge.deploy.synth.data import add_bucket, add_queue, add_table, add_topic
from devbridge.deploy.synth.functions import add_function
from devbridge.deploy.synth.jobs import add_jobs, has_invoker, has_project
from devbridge.deploy.synth.stack import Assets, Settings, Stack, Template
from devbridge.deploy.synth.variables import (
    bound_variables,
    job_variables,
)

__all__ = [
    "Assets",
    "Settings",
    "Template",
    "bound_variables",
    "has_invoker",
    "has_project",
    "job_variables",
    "synth",
]


def synth(app: App, settings: Settings, assets: Assets) -> Template:
    """The template of a stage.

    Raises:
        InvalidValue: a name is too long, an environment is over 4 KB, or a resource that was added
            to the app has the title of one of devbridge's.
        AppFailed: a `transform` raised, or left a resource that is not valid.
    """
    stack = Stack(app, settings, assets)
    for table in app.of_type(Table):
        add_table(stack, table)
    for bucket in app.of_type(Bucket):
        add_bucket(stack, bucket)
    for queue in app.of_type(Queue):
        add_queue(stack, queue)
    for topic in app.of_type(Topic):
        add_topic(stack, topic)
    add_jobs(stack, app.of_type(Job))
    for function in app.of_type(Function):
        add_function(stack, function)
    for api in app.of_type(Api):
        add_api(stack, api)
    stack.bind_role()
    for resource in app.resources:
        stack.add_foreign(resource, app.added_at.get(resource.title, app.where))
    return stack.template()
