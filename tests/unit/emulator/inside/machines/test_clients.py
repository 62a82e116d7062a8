from __future__ import annotations

import pytest

from devbridge.emulator.inside.machines.clients import client, endpoint


def test_a_client_is_of_this_very_cloud_with_the_credentials_of_the_role(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "4711")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:1")
    made = client("sts", "eu-west-1", {"access": "A", "secret": "S", "token": "T"})
    assert made.meta.endpoint_url == endpoint() == "http://127.0.0.1:4711"
    assert made.meta.region_name == "eu-west-1"
    assert made.meta.config.proxies == {}
    keys = made._request_signer._credentials
    assert (keys.access_key, keys.secret_key, keys.token) == ("A", "S", "T")
