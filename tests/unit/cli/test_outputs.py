from __future__ import annotations

from pathlib import Path

import devbridge.cli
from devbridge import names
from devbridge.cli.outputs import outputs
from devbridge.constructs import Api
from devbridge.constructs.load import load_app

TEMPLATE = Path(devbridge.cli.__file__).parent / "templates" / "factorial"


def test_the_example_of_the_help_names_an_output_that_there_is() -> None:
    (api,) = load_app(TEMPLATE).of_type(Api)
    assert f"jq -r .{names.output(api, 'Url')})" in str(outputs.epilog)
