"""What an app is made of: App, Job, Function, Api, Table.

Constructs are plain data, validated while the app is loaded; they know nothing of CloudFormation.
An error names the line of app.py that made the construct, the value, and what is allowed.
"""

from __future__ import annotations

from devbridge.constructs.app import App, Construct, Where
from devbridge.constructs.resources import Api, Bindable, Function, Job, Permission, Route, Table

__all__ = [
    "Api",
    "App",
    "Bindable",
    "Construct",
    "Function",
    "Job",
    "Permission",
    "Route",
    "Table",
    "Where",
]
