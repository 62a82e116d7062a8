"""A folder that runs share: FileSystem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from devbridge.constructs import values
from devbridge.constructs.app import App, Bindable, Transform
from devbridge.constructs.network import Vpc, vpc_problem
from devbridge.constructs.storage import Removal
from devbridge.sources.base import Problem


class FileSystem(Bindable):
    """A shared, encrypted file system (Amazon EFS): who binds it finds its files in a folder, the
    same one in each run. Under `devbridge dev`, and without an account, it is a folder of this
    machine.

    Args:
        vpc: where it can be reached: the VPC of who binds it. By default the account's default VPC,
            where jobs in Batch and Fargate are that name none; what runs in Lambda must name one.
        removal: as for Table.
        encryption_key: as for Table.
        transform: called with its `troposphere.efs.FileSystem`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        vpc: Vpc | None = None,
        removal: Removal | None = None,
        encryption_key: str | None = None,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        if problem := vpc_problem(vpc):
            raise self.refused("vpc", problem)
        self.choice("removal", removal, values.REMOVALS)
        self.encryption_key = self.key_of(encryption_key)
        self.vpc = vpc
        self.removal = removal
        self.register()

    @property
    def mount(self) -> str:
        """The folder that it is in where it is deployed; Lambda has them below /mnt only."""
        return f"/mnt/{self.name}"


def mount_problem(bind: Sequence[Bindable], vpc: Vpc | None, without: str | None) -> Problem | None:
    """The first file system of `bind` that could not be reached.

    Args:
        vpc: that of who binds it.
        without: what is allowed, if it could reach none without a VPC of its own.
    """
    for target in bind:
        if not isinstance(target, FileSystem):
            continue
        if vpc is None and without is not None:
            return repr(target), without
        if (vpc and vpc.id) != (target.vpc and target.vpc.id):
            return repr(target), (
                "file systems that can be reached: give it and the FileSystem the same vpc=, or"
                " neither of them one"
            )
    return None


IN_A_VPC: Final = (
    "a file system only with vpc=, the same one as the FileSystem's: Lambda must be in its VPC, and"
    " reaches AWS from there through NAT gateways or VPC endpoints alone"
)
