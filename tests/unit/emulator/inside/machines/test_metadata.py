from __future__ import annotations

from typing import Any

from devbridge.emulator.inside.machines.metadata import PATH, Register, served_by


async def test_a_container_finds_its_documents_as_long_as_it_runs() -> None:
    register, passed, sent = Register(), [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])

    async def send(message: Any) -> None:
        sent.append(message)

    async def get(path: str) -> tuple[int, bytes]:
        sent.clear()
        await served_by(app, register)({"type": "http", "path": path}, None, send)
        return sent[0]["status"], sent[1]["body"]

    path, forget = register.add(lambda: {"Name": "a"}, lambda: {"TaskARN": "t"})
    assert path.startswith(PATH)
    assert await get(path) == (200, b'{"Name": "a"}')
    assert await get(f"{path}/") == (200, b'{"Name": "a"}')
    assert await get(f"{path}/task") == (200, b'{"TaskARN": "t"}')
    assert await get(f"{path}/task/stats") == (200, b"{}")
    for other in (f"{path}/x", f"{PATH}other", PATH):
        assert (await get(other))[0] == 404
    forget()
    assert (await get(path))[0] == 404
    assert passed == []
    await served_by(app, register)({"type": "http", "path": "/v4/x"}, None, send)
    assert passed == ["/v4/x"]
