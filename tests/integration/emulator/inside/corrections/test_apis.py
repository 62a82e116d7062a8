"""Requests to APIs get to the APIs, whatever their paths are."""

from __future__ import annotations

import pytest

from tests.integration.emulator.inside.world import EVIL, OWN, Ask, World, ways


@pytest.mark.parametrize(
    "path",
    [
        "/_aws/execute-api/{api}/$default/open",
        "/restapis/{api}/$default/_user_request_/open",
        "/_aws/lambda-url/{url}/",
    ],
)
def test_an_api_has_one_address_where_nobody_signs(world: World, path: str) -> None:
    known = {"api": world.api.partition(".")[0], "url": world.open_url.partition(".")[0]}
    for way, ask in ways(world, Ask("GET", path.format(**known))):
        assert world.send(ask).refused, way
        assert world.send(ask, {"Origin": EVIL}).refused, way


@pytest.mark.parametrize("path", [path for _, path in OWN])
@pytest.mark.parametrize("of", ["api", "open_url"])
def test_ministacks_own_paths_are_the_apis_at_its_host(world: World, path: str, of: str) -> None:
    for method in ("GET", "POST", "PUT"):
        answer = world.send(Ask(method, path, b"{}"), host=getattr(world, of))
        assert (answer.status, answer.body) in (
            (404, b'{"message":"Not Found"}'),
            (404, b'{"message": "Not Found"}'),
            (200, b"from the function"),
        )
        if of == "api":
            by_path = world.send(Ask(method, world.base_path + path, b"{}"))
            assert (by_path.status, by_path.body) == (answer.status, answer.body)
    assert world.client("lambda").get_function(FunctionName="worker")
