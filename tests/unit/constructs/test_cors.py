"""Which web pages may call: what is taken and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import (
    Api,
    App,
    Cors,
)
from devbridge.errors import InvalidValue

START = "api/start.handler"


def test_an_api_has_no_cors_unless_told(app: App) -> None:
    assert Api(app, "a", routes={"GET /": START}).cors is None
    assert Api(app, "b", routes={"GET /": START}, cors=True).cors == Cors()
    cors = Cors(
        allow_origins=["https://example.com", "https://*", "http://localhost:3000"],
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["X-Request-Id"],
        allow_credentials=True,
        max_age="1 day",
    )
    api = Api(app, "c", routes={"GET /": START}, cors=cors)
    assert api.cors is cors
    assert cors.max_age_seconds == 86400
    assert Cors().max_age_seconds is None


WRONG_CORS: list[tuple[Any, str]] = [
    ("*", "'*'"),
    (None, "None"),
    (Cors(allow_origins="*"), "allow_origins"),
    (Cors(allow_origins=["example.com"]), "allow_origins"),
    (Cors(allow_origins=["https://example.com/"]), "allow_origins"),
    (Cors(allow_methods=["get"]), "allow_methods"),
    (Cors(allow_methods=["ANY"]), "allow_methods"),
    (Cors(allow_headers=["a b"]), "allow_headers"),
    (Cors(expose_headers=[""]), "expose_headers"),
    (Cors(max_age="2 days"), "max_age"),
    (Cors(max_age=300), "max_age"),  # type: ignore[arg-type]
    (Cors(allow_credentials="yes"), "allow_credentials"),  # type: ignore[arg-type]
    (Cors(allow_credentials=True), "allow_origins"),
    (Cors(allow_credentials=True, allow_origins=["https://a.com"]), "allow_methods"),
]


@pytest.mark.parametrize(("cors", "named"), WRONG_CORS, ids=str)
def test_cors_that_is_not_allowed_is_refused(app: App, cors: Any, named: str) -> None:
    with pytest.raises(InvalidValue, match="Api 'api': cors") as caught:
        Api(app, "api", routes={"GET /": START}, cors=cors)
    assert named in caught.value.what
    assert app.constructs == []
