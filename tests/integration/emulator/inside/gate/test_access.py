"""Whose keys there are, and who gets to know them."""

from __future__ import annotations

import uuid

from tests.integration.emulator.inside.world import ROLE, World, root, zipped


def test_keys_are_not_in_what_functions_inherit(world: World) -> None:
    code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    name = f"shows-{uuid.uuid4().hex[:8]}"
    world.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=ROLE,
        Handler="m.handler",
        Code={"ZipFile": zipped(code)},
    )
    shown = world.client("lambda").invoke(FunctionName=name)["Payload"].read().decode()
    own = root(world)
    assert "AWS_SECRET_ACCESS_KEY" in shown
    assert own.secret_key not in shown
    assert own.access_key not in shown
