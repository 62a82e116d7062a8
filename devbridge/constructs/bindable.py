"""What `bind` takes."""

from __future__ import annotations

from devbridge.constructs.api import Api
from devbridge.constructs.function import Function
from devbridge.constructs.job import Job
from devbridge.constructs.messaging import Queue, Topic
from devbridge.constructs.parameters import Config, Secret
from devbridge.constructs.storage import Bucket, Table

Bindable = Table | Bucket | Queue | Topic | Secret | Config | Function | Api | Job
