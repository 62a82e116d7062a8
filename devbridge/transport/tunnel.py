"""The way to AWS's broker out of a network with a proxy: an HTTP tunnel (CONNECT) through it."""

from __future__ import annotations

import base64
import http.client
import socket
import urllib.request
from typing import Final
from urllib.parse import unquote, urlsplit

from devbridge import proxies
from devbridge.transport.base import Endpoint

_PORT: Final = 443
_PROXY_PORT: Final = 80


def proxy_for(endpoint: Endpoint) -> str | None:
    """The proxy on the way to a broker, as botocore finds it for AWS: ``http://proxy:3128``."""
    if endpoint.dial is not None or urllib.request.proxy_bypass(f"{endpoint.host}:{_PORT}"):
        return None
    found = urllib.request.getproxies().get("https")
    return found if not found or "://" in found else f"http://{found}"


def connect(endpoint: Endpoint, timeout: float) -> socket.socket:
    """A connection to the broker, without TLS yet. `timeout` is in seconds.

    Raises:
        OSError: there is none to be had; it names the proxy, if there is one.
    """
    proxy = proxy_for(endpoint)
    if proxy is None:
        return socket.create_connection(endpoint.dial or (endpoint.host, _PORT), timeout)
    name = proxies.shown(proxy)
    none = OSError(f"the proxy {name} is none of the kind http://host:port")
    try:
        parts = urlsplit(proxy)
        port = parts.port or _PROXY_PORT
    except ValueError:  # it may quote the password
        raise none from None
    if parts.scheme != "http" or not parts.hostname:
        raise none
    headers = {}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(user).decode()}"
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=timeout)
    connection.set_tunnel(endpoint.host, _PORT, headers)
    try:
        connection.connect()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise OSError(f"through the proxy {name}: {error}") from error
    opened: socket.socket = connection.sock
    return opened
