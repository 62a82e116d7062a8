"""What stands for a container image: interpreters of this machine, for the images that they are.

AWS's images for Lambda, and Docker's own for Python and Node as AWS's public registry has them. A
container engine is not needed for these, and all others cannot run here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import nodes
from . import runtimes
from .failure import Failure
from .node import put_node

_HUB: Final = r"(?:public\.ecr\.aws/docker/library/|docker\.io/library/|library/)?"
_PYTHON: Final = re.compile(_HUB + r"python:(3\.\d+)(?:\.\d+)?(?:-[\w.-]+)?")
_NODE: Final = re.compile(_HUB + r"node:(\d+)(?:\.\d+)*(?:-[\w.-]+)?")
_DEBIAN: Final = "3.11"
"""The Python of Debian 12 (bookworm), which images for Node stand on."""
PULL: Final = "CannotPullContainerError"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Image:
    """What an image has, on this machine."""

    python: Path
    node: nodes.Node | None = None
    bare: bool = True
    """Whether it has no boto3."""
    is_lambda: bool = False
    """Whether its entry point is that of Lambda's images, which takes a handler."""

    def unpack(self, root: Path) -> Path:
        """Have its programs in a container's folder; the folder that is to be first on PATH."""
        binaries = runtimes.make_environment(self.python, root / "python", bare=self.bare)
        if self.node:
            put_node(self.node, binaries, root)
        return binaries


def find(name: str, say: Say) -> Image:
    """What stands for an image; `say` is told where it is another version.

    Raises:
        Failure: nothing on this machine does.
    """
    if found := runtimes.LAMBDA.fullmatch(name):
        return Image(runtimes.meant(found[1], name, PULL), bare=False, is_lambda=True)
    if found := _PYTHON.fullmatch(name):
        return Image(runtimes.meant(found[1], name, PULL))
    if found := _NODE.fullmatch(name):
        return Image(_debian(name, say), _node(int(found[1]), name, say))
    raise Failure(
        PULL,
        f"containers do not run on the embedded cloud: it has no {name!r}, only the base images for"
        " Python and Node (public.ecr.aws/docker/library/python:3.x, .../node:24, and"
        " public.ecr.aws/lambda/python:3.x), whose programs it runs as processes of this machine",
    )


def _debian(name: str, say: Say) -> Path:
    if found := runtimes.interpreter(_DEBIAN):
        return found
    own = runtimes.meant(runtimes.OWN, name, PULL)
    say(f"[devbridge] the image's Python is {_DEBIAN}, and here Python {runtimes.OWN} runs")
    return own


def _node(major: int, name: str, say: Say) -> nodes.Node:
    node = nodes.find(major)
    if node is None:
        raise Failure(
            PULL,
            f"there is no Node on this machine, which {name!r} means: install it,"
            f" {nodes.how_to_install(major)}",
        )
    if remark := nodes.differs("the image", major, node):
        say(remark)
    return node
