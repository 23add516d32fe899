"""A revoked key stops working on every process, and ends what is open under it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
PROCESSES = 3
WITHIN = 60.0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    directory = tmp_path_factory.mktemp("revocation") / "data"
    found = [Server(directory, SHOP, OCTONET_OPEN_MODE="") for _ in range(PROCESSES)]
    found[0].start()
    for server in found[1:]:
        server.start("--no-worker", within=60.0)
    yield found
    for server in reversed(found):
        server.kill()


@pytest.fixture(scope="module")
def office(servers: list[Server]) -> str:
    made = servers[0].launch("keys", "issue", "office", "--projects", "*", "--operations", "read,write,admin")
    line = made.output.until(lambda line: line.startswith("sk_"), 60)
    assert made.reap() == 0
    assert line is not None
    return line.strip()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


class Office:
    def __init__(self, session: aiohttp.ClientSession, server: Server, key: str) -> None:
        self._session = session
        self._server = server
        self._headers = {"X-API-Key": key}

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        url = self._server.url + path
        async with self._session.request(method, url, json=body, headers=self._headers) as reply:
            assert reply.status < 300, await reply.text()
            return (await reply.json())["data"]

    async def issue(self, **more: Any) -> str:
        wish = {"label": "tenant", "permissions": {"projects": "*", "operations": "*", "transports": "*"}, **more}
        return str((await self.ask("POST", "/api/api-keys", wish))["apiKey"])


async def _status(session: aiohttp.ClientSession, server: Server, key: str) -> int:
    async with session.get(f"{server.url}/api/v1/tags", headers={"X-API-Key": key}) as reply:
        return reply.status


async def _ends(stream: aiohttp.ClientResponse) -> bytes:
    async with asyncio.timeout(WITHIN):
        return await stream.content.read()


async def _closes(socket: aiohttp.ClientWebSocketResponse) -> str:
    async with asyncio.timeout(WITHIN):
        while (message := await socket.receive()).type is WSMsgType.TEXT:
            pass
    return str(message.extra)


@pytest.mark.parametrize("by", range(PROCESSES))
async def test_a_revoked_key_ends_everywhere(
    servers: list[Server], office: str, session: aiohttp.ClientSession, by: int
) -> None:
    # It does not matter which process is told.
    chief = Office(session, servers[by], office)
    key, other = await chief.issue(), await chief.issue()
    headers = {"X-API-Key": key}
    assert [await _status(session, server, key) for server in servers] == [200] * PROCESSES
    streams = [await session.get(f"{server.url}/events", headers=headers) for server in servers]
    sockets = [await session.ws_connect(f"{server.url}/ws", headers=headers) for server in servers]
    kept = await session.ws_connect(f"{servers[0].url}/ws?events=none", headers={"X-API-Key": other})
    await chief.ask("DELETE", f"/api/api-keys/{key[:20]}")
    for told in await asyncio.gather(*map(_ends, streams)):
        assert b"Invalid or revoked API key" in told
    for reason in await asyncio.gather(*map(_closes, sockets)):
        assert "Invalid or revoked API key" in reason
    assert [await _status(session, server, key) for server in servers] == [401] * PROCESSES
    assert [await _status(session, server, other) for server in servers] == [200] * PROCESSES
    await kept.receive_json()
    await kept.send_json({"op": "count", "entity": "Tag"})
    assert (await kept.receive_json())["status"] == "ok"
    for socket in (*sockets, kept):
        await socket.close()


async def test_a_key_whose_scopes_shrink_is_bound_by_them_at_once(
    servers: list[Server], office: str, session: aiohttp.ClientSession
) -> None:
    chief = Office(session, servers[0], office)
    key = await chief.issue()
    assert [await _status(session, server, key) for server in servers] == [200] * PROCESSES
    await chief.ask("PUT", f"/api/api-keys/{key[:20]}", {"permissions": {"projects": ["elsewhere"]}})
    async with asyncio.timeout(WITHIN):
        while [await _status(session, server, key) for server in servers] != [403] * PROCESSES:
            await asyncio.sleep(0.02)


async def test_a_key_that_expires_ends_what_is_open_under_it(
    servers: list[Server], office: str, session: aiohttp.ClientSession
) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=8)).isoformat()
    key = await Office(session, servers[0], office).issue(expiresAt=soon)
    stream = await session.get(f"{servers[1].url}/events", headers={"X-API-Key": key})
    assert stream.status == 200
    assert b"Invalid or revoked API key" in await _ends(stream)
    assert await _status(session, servers[2], key) == 401


async def test_what_is_stored_and_logged_of_a_key_is_not_the_key(
    servers: list[Server], office: str, session: aiohttp.ClientSession
) -> None:
    key = await Office(session, servers[0], office).issue()
    secret = key[20:].encode()
    for path in servers[0].directory.rglob("*"):
        # What is only there for a moment, as while a file is written anew, may be gone by now.
        with contextlib.suppress(FileNotFoundError):
            assert not path.is_file() or secret not in path.read_bytes(), path
    assert secret.decode() not in servers[0].log()
