"""What a message of a dead-letter queue may be sent back to. Pure.

Whoever may send to such a queue may write into a message which queue or function it came from, and
it is sent back with the rights of who redrives it: what it names has to be the stage's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from devbridge import names
from devbridge.constructs import App, Job, Queue
from devbridge.messages.letters import Letter
from devbridge.messages.mover import NoWayBack


class Own:
    """The queues and the invokers of a stage, and the queues that its app names.

    Args:
        resources: what AWS calls those of the stage, by CloudFormation's name.
        account, region: where the stage is.
    """

    def __init__(self, app: App, resources: Mapping[str, str], account: str, region: str) -> None:
        urls = (each for each in resources.values() if each.startswith(("https://", "http://")))
        place = f"{region}:{account}"
        made = {f"sqs:{place}:{url.rpartition('/')[2]}" for url in urls}
        self._queues = made | {_named(each) for queue in app.of_type(Queue) for each in _arn(queue)}
        invokers = (resources.get(names.logical(job, "Invoker")) for job in app.of_type(Job))
        self._invokers = {f"lambda:{place}:function:{name}" for name in invokers if name}

    def check(self, letter: Letter) -> None:
        """
        Raises:
            NoWayBack: the message names what is not the stage's.
        """
        if not (source := letter.source):
            return  # it is sent to the own queue of its job
        if letter.invoker:
            if _named(source) not in self._invokers:
                raise NoWayBack(
                    f"names a function that is not this stage's, or no job's invoker: {source}"
                )
        elif _named(source) not in self._queues:
            raise NoWayBack(
                f"names a queue that is not this stage's, nor a Queue.existing of app.py: {source}"
            )


def _arn(queue: Queue) -> tuple[str, ...]:
    return () if queue.existing is None else (queue.existing,)


def _named(arn: str) -> str:
    """Without the partition."""
    return ":".join(arn.split(":")[2:])
