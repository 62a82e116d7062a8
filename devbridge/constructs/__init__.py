"""What an app is made of: App, Job, Function, Api, and what they bind.

Constructs are plain data, validated while the app is loaded; they know nothing of CloudFormation.
An error names the line of app.py that made the construct, the value, and what is allowed.
"""

from __future__ import annotations

from devbridge.constructs.alarms import Alarm, CompositeAlarm
from devbridge.constructs.api import Api, Route, RouteTo
from devbridge.constructs.app import Bindable, Construct
from devbridge.constructs.authorizers import FunctionAuthorizer, JwtAuthorizer, LambdaAuthorizer
from devbridge.constructs.code import Code, Permission
from devbridge.constructs.compute import Batch, CodeBuild, Compute, Fargate, Lambda, Workers
from devbridge.constructs.container import Container
from devbridge.constructs.cors import Cors
from devbridge.constructs.dead_letters import DeadLetters
from devbridge.constructs.event_buses import EventBus
from devbridge.constructs.file_systems import FileSystem
from devbridge.constructs.files import copied_files
from devbridge.constructs.folder import App
from devbridge.constructs.function import Function
from devbridge.constructs.job import Job
from devbridge.constructs.load_balancers import LoadBalancer
from devbridge.constructs.messaging import Queue, Topic
from devbridge.constructs.network import Vpc
from devbridge.constructs.parameters import Config, Secret
from devbridge.constructs.references import Reference
from devbridge.constructs.storage import Bucket, Table
from devbridge.constructs.streams import Stream
from devbridge.constructs.throttle import Throttle
from devbridge.constructs.triggers import (
    OnEvent,
    OnLoadBalancer,
    OnLog,
    OnObject,
    OnQueue,
    OnRequest,
    OnStream,
    OnTable,
    OnTopic,
    Schedule,
    Trigger,
)
from devbridge.constructs.user_pools import UserPool
from devbridge.constructs.where import Where

__all__ = [
    "Alarm",
    "Api",
    "App",
    "Batch",
    "Bindable",
    "Bucket",
    "Code",
    "CodeBuild",
    "CompositeAlarm",
    "Compute",
    "Config",
    "Construct",
    "Container",
    "Cors",
    "DeadLetters",
    "EventBus",
    "Fargate",
    "FileSystem",
    "Function",
    "FunctionAuthorizer",
    "Job",
    "JwtAuthorizer",
    "Lambda",
    "LambdaAuthorizer",
    "LoadBalancer",
    "OnEvent",
    "OnLoadBalancer",
    "OnLog",
    "OnObject",
    "OnQueue",
    "OnRequest",
    "OnStream",
    "OnTable",
    "OnTopic",
    "Permission",
    "Queue",
    "Reference",
    "Route",
    "RouteTo",
    "Schedule",
    "Secret",
    "Stream",
    "Table",
    "Throttle",
    "Topic",
    "Trigger",
    "UserPool",
    "Vpc",
    "Where",
    "Workers",
    "copied_files",
]
