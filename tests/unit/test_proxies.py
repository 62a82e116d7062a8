from __future__ import annotations

import urllib.request

import pytest

from devbridge import proxies
from devbridge.proxies import curl, is_past, of, past_proxies, shown

ALL = "127.0.0.1,localhost,.localhost,::1"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_this_machine_is_reached_past_any_proxy_in_both_cases_of_the_variable(name: str) -> None:
    assert past_proxies({name: "http://proxy:1"}) == {"NO_PROXY": ALL, "no_proxy": ALL}


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"NO_PROXY": "intra"}, f"intra,{ALL}"),
        ({"no_proxy": "a, b", "NO_PROXY": "b c"}, f"a,b,c,{ALL}"),
        ({"NO_PROXY": "localhost,intra"}, "localhost,intra,127.0.0.1,.localhost,::1"),
        ({"no_proxy": "*"}, "*"),
        ({"NO_PROXY": "intra,*"}, "*"),
        ({"NO_PROXY": ""}, ALL),
    ],
)
def test_what_is_reached_past_proxies_already_still_is(given: dict[str, str], value: str) -> None:
    made = past_proxies({"HTTP_PROXY": "http://proxy:1", **given})
    assert made == {"NO_PROXY": value, "no_proxy": value}
    assert past_proxies({"HTTP_PROXY": "http://proxy:1", **given, **made}) == made


def test_without_a_proxy_nothing_is_said_about_proxies() -> None:
    assert past_proxies({"HTTP_PROXY": "", "NO_PROXY": "intra"}) == {}


@pytest.mark.parametrize(
    ("host", "past"),
    [
        ("127.0.0.1:18000", True),
        ("a1b2c3d4.execute-api.localhost:18000", True),
        ("localhost", True),
        ("intra", True),
        ("iot.eu-west-1.amazonaws.com:443", False),
        ("notlocalhost", False),
    ],
)
def test_it_is_what_python_does(monkeypatch: pytest.MonkeyPatch, host: str, past: bool) -> None:
    for name in proxies.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    shell = {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "intra"}
    made = {**shell, **past_proxies(shell)}
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    assert bool(urllib.request.proxy_bypass_environment(host)) is past  # type: ignore[attr-defined]
    assert is_past(made, host.partition(":")[0]) is past


@pytest.mark.parametrize(
    ("shell", "url", "command"),
    [
        ({}, "http://127.0.0.1:18000/x", "curl"),
        ({"NO_PROXY": "intra"}, "http://127.0.0.1:18000/x", "curl"),
        ({"http_proxy": "p"}, "http://127.0.0.1:18000/x", "curl --noproxy '*'"),
        ({"ALL_PROXY": "p"}, "http://a.execute-api.localhost:18000", "curl --noproxy '*'"),
        ({"http_proxy": "p", "no_proxy": "127.0.0.1"}, "http://127.0.0.1:18000/x", "curl"),
        ({"http_proxy": "p", "NO_PROXY": "*"}, "http://127.0.0.1:18000/x", "curl"),
        ({"HTTPS_PROXY": "p"}, "https://a.execute-api.eu-west-1.amazonaws.com", "curl"),
    ],
)
def test_curl_is_told_to_go_past_a_proxy_only_where_it_would_not(
    shell: dict[str, str], url: str, command: str
) -> None:
    assert curl(shell, url) == command


def test_a_proxy_is_named_by_its_variable_and_without_its_password() -> None:
    shell = {"https_proxy": "http://ann:secret@proxy:1", "HTTP_PROXY": "", "NO_PROXY": "x"}
    assert of(shell) == {"https_proxy": "http://ann:secret@proxy:1"}
    assert shown("http://ann:secret@proxy:1") == "http://ann@proxy:1"
    assert shown("http://proxy:1/") == "http://proxy:1/"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ann:secret@proxy:1", "ann@proxy:1"),
        ("//ann:secret@proxy:1", "//ann@proxy:1"),
        ("http://ann:se/cret@proxy:1", "http://ann@proxy:1"),
        ("http://ann:se?c#ret@proxy:1", "http://ann@proxy:1"),
        ("http://ann:se://cr@et@proxy:1", "http://ann@proxy:1"),
        ("http://ann:secret@[::1", "http://ann@[::1"),
    ],
)
def test_a_password_is_not_shown_however_the_url_is_written(url: str, told: str) -> None:
    assert shown(url) == told
