"""devbridge: write long-running AWS jobs, run them live on the laptop, deploy them unchanged.

The constructs of an app are re-exported here and imported only when they are used, so that
``import devbridge`` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what checkers take for true; to import typing takes longer than the rest
if TYPE_CHECKING:
    from typing import Any

    from devbridge.constructs import Alarm as Alarm
    from devbridge.constructs import Api as Api
    from devbridge.constructs import App as App
    from devbridge.constructs import Batch as Batch
    from devbridge.constructs import Bucket as Bucket
    from devbridge.constructs import CodeBuild as CodeBuild
    from devbridge.constructs import CompositeAlarm as CompositeAlarm
    from devbridge.constructs import Config as Config
    from devbridge.constructs import Container as Container
    from devbridge.constructs import Cors as Cors
    from devbridge.constructs import EventBus as EventBus
    from devbridge.constructs import Fargate as Fargate
    from devbridge.constructs import FileSystem as FileSystem
    from devbridge.constructs import Function as Function
    from devbridge.constructs import Job as Job
    from devbridge.constructs import JwtAuthorizer as JwtAuthorizer
    from devbridge.constructs import Lambda as Lambda
    from devbridge.constructs import LambdaAuthorizer as LambdaAuthorizer
    from devbridge.constructs import LoadBalancer as LoadBalancer
    from devbridge.constructs import OnEvent as OnEvent
    from devbridge.constructs import OnLoadBalancer as OnLoadBalancer
    from devbridge.constructs import OnLog as OnLog
    from devbridge.constructs import OnObject as OnObject
    from devbridge.constructs import OnQueue as OnQueue
    from devbridge.constructs import OnRequest as OnRequest
    from devbridge.constructs import OnStream as OnStream
    from devbridge.constructs import OnTable as OnTable
    from devbridge.constructs import OnTopic as OnTopic
    from devbridge.constructs import Permission as Permission
    from devbridge.constructs import Queue as Queue
    from devbridge.constructs import Reference as Reference
    from devbridge.constructs import RouteTo as RouteTo
    from devbridge.constructs import Schedule as Schedule
    from devbridge.constructs import Secret as Secret
    from devbridge.constructs import Stream as Stream
    from devbridge.constructs import Table as Table
    from devbridge.constructs import Throttle as Throttle
    from devbridge.constructs import Topic as Topic
    from devbridge.constructs import UserPool as UserPool
    from devbridge.constructs import Vpc as Vpc
    from devbridge.constructs import Workers as Workers

__version__ = "0.1.0"
__all__ = [
    "Alarm",
    "Api",
    "App",
    "Batch",
    "Bucket",
    "CodeBuild",
    "CompositeAlarm",
    "Config",
    "Container",
    "Cors",
    "EventBus",
    "Fargate",
    "FileSystem",
    "Function",
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
    "RouteTo",
    "Schedule",
    "Secret",
    "Stream",
    "Table",
    "Throttle",
    "Topic",
    "UserPool",
    "Vpc",
    "Workers",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from devbridge import constructs

        return getattr(constructs, name)
    raise AttributeError(f"module 'devbridge' has no attribute {name!r}")
