"""The script that runs a container's command where no runner does: tries it again, ends it when its
time is over, and hands on that it is to stop. Pure.

The image need not have more than a shell. How the command has ended, the script's exit code says.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from devbridge.deploy.synth.compute.parts import number, pauses

TIMED_OUT: Final = 124
"""The exit code of a command whose time was over, as `timeout` has it."""
_SCRIPT: Final = """\
export DEVBRIDGE_ATTEMPT=0 DEVBRIDGE_MAX_ATTEMPTS=@ATTEMPTS@
DEVBRIDGE_STOP= DEVBRIDGE_PID=
trap 'DEVBRIDGE_STOP=1; [ -z "$DEVBRIDGE_PID" ] || kill "$DEVBRIDGE_PID"' TERM
trap 'DEVBRIDGE_LATE=1; kill "$DEVBRIDGE_PID"' USR1
for DEVBRIDGE_DELAY in @DELAYS@; do
  DEVBRIDGE_LAST=; [ -n "$DEVBRIDGE_DELAY" ] || DEVBRIDGE_LAST=1
  DEVBRIDGE_ATTEMPT=$((DEVBRIDGE_ATTEMPT + 1)) DEVBRIDGE_LATE=
  @COMMAND@ & DEVBRIDGE_PID=$!
  (sleep @TIMEOUT@; kill -USR1 $$; sleep @GRACE@; kill -9 "$DEVBRIDGE_PID") 2>/dev/null &
  DEVBRIDGE_CLOCK=$!
  DEVBRIDGE_CODE=0; wait "$DEVBRIDGE_PID" || DEVBRIDGE_CODE=$?
  while kill -0 "$DEVBRIDGE_PID" 2>/dev/null; do
    DEVBRIDGE_CODE=0; wait "$DEVBRIDGE_PID" || DEVBRIDGE_CODE=$?
  done
  DEVBRIDGE_PID=; kill "$DEVBRIDGE_CLOCK" 2>/dev/null
  if [ -n "$DEVBRIDGE_LATE" ]; then DEVBRIDGE_CODE=@TIMED_OUT@; fi
  if [ "$DEVBRIDGE_CODE" = 0 ] || [ -n "$DEVBRIDGE_STOP$DEVBRIDGE_LAST" ]; then break; fi
  sleep "$DEVBRIDGE_DELAY" & wait "$!"
  if [ -n "$DEVBRIDGE_STOP" ]; then break; fi
done
exit "$DEVBRIDGE_CODE"
"""
_GRACE: Final = 30


def container_script(
    cmd: Sequence[str], delays: Sequence[float], timeout: float, grace: float = _GRACE
) -> str:
    """The script.

    Args:
        delays: the seconds before each further attempt, should the command fail.
        timeout: seconds that each may take.
        grace: seconds that it has to end by itself when they are over.
    """
    values = {
        "DELAYS": pauses(delays),
        "ATTEMPTS": str(len(delays) + 1),
        "TIMEOUT": number(timeout),
        "GRACE": number(grace),
        "TIMED_OUT": str(TIMED_OUT),
        "COMMAND": shlex.join(cmd),
    }
    script = _SCRIPT
    for name, value in values.items():
        script = script.replace(f"@{name}@", value)
    return script
