"""What builds run: buildspecs, and the script that tries a container's command again. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from devbridge.deploy.synth.compute.parts import pauses

BUILDSPEC: Final = """\
version: 0.2
env:
  exported-variables:
    - DEVBRIDGE_STATE
    - DEVBRIDGE_RESULT
    - DEVBRIDGE_ERROR
    - DEVBRIDGE_ATTEMPT
    - DEVBRIDGE_STARTED
phases:
  build:
    commands:
      - python3 runner run
  post_build:
    commands:
      - if [ -f .devbridge-exports ]; then . ./.devbridge-exports; fi
"""
PLACEHOLDER: Final = """\
version: 0.2
phases:
  build:
    commands:
      - echo 'this is a stage of devbridge dev, its jobs run on the laptop; deploy it to run here'
      - exit 1
"""
_CONTAINER: Final = """\
export DEVBRIDGE_ATTEMPT=0 DEVBRIDGE_MAX_ATTEMPTS=@ATTEMPTS@
for DEVBRIDGE_DELAY in @DELAYS@; do
  DEVBRIDGE_ATTEMPT=$((DEVBRIDGE_ATTEMPT + 1)) DEVBRIDGE_CODE=0
  @COMMAND@ || DEVBRIDGE_CODE=$?
  if [ "$DEVBRIDGE_CODE" = 0 ] || [ -z "$DEVBRIDGE_DELAY" ]; then break; fi
  sleep "$DEVBRIDGE_DELAY"
done
export DEVBRIDGE_STATE=SUCCEEDED
if [ "$DEVBRIDGE_CODE" != 0 ]; then
  DEVBRIDGE_ERROR="the command exited with code $DEVBRIDGE_CODE"
  DEVBRIDGE_ERROR='{"type": "CommandFailed", "message": "'"$DEVBRIDGE_ERROR"'"}'
  export DEVBRIDGE_ERROR DEVBRIDGE_STATE=FAILED
fi
[ "$DEVBRIDGE_CODE" = 0 ]"""


def buildspec(runtimes: Mapping[str, str]) -> str:
    """The buildspec that runs a handler.

    Args:
        runtimes: the versions that it chooses of what its image has, by their names there.
    """
    if not runtimes:
        return BUILDSPEC
    chosen = "".join(f"      {name}: {version}\n" for name, version in runtimes.items())
    install = f"phases:\n  install:\n    runtime-versions:\n{chosen}"
    return BUILDSPEC.replace("phases:\n", install)


def container_buildspec(cmd: Sequence[str], delays: Sequence[float]) -> str:
    """The buildspec that runs a container's command, and exports how it ended.

    The image need not have more than a shell; the build's own timeout ends what takes too long.

    Args:
        delays: the seconds before each further attempt, should the command fail.
    """
    script = _CONTAINER.replace("@DELAYS@", pauses(delays))
    script = script.replace("@ATTEMPTS@", str(len(delays) + 1))
    script = script.replace("@COMMAND@", shlex.join(cmd))
    exported = ["DEVBRIDGE_STATE", "DEVBRIDGE_ERROR", "DEVBRIDGE_ATTEMPT"]
    # JSON is YAML, and quotes whatever the command has.
    return json.dumps(
        {
            "version": 0.2,
            "env": {"exported-variables": exported},
            "phases": {"build": {"commands": [script]}},
        }
    )
