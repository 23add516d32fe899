"""A key with a daily limit, over two processes and a restart; and how often a key was used."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp

from tests.key_office import office_key
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
LIMIT = 60


async def _issue(server: Server, office: str) -> str:
    scopes = {"projects": "*", "operations": "*", "transports": "*"}
    wish = {"label": "limited", "permissions": {"scopes": scopes, "rateLimit": LIMIT}}
    async with (
        aiohttp.ClientSession(server.url, headers={"X-API-Key": office}) as session,
        session.post("/api/api-keys", json=wish) as reply,
    ):
        assert reply.status == 201, await reply.text()
        return str((await reply.json())["data"]["apiKey"])


async def _ask(urls: list[str], key: str, count: int) -> list[int]:
    """Statuses of so many requests, through the servers in turn, ten at a time."""
    room = asyncio.Semaphore(10)
    async with aiohttp.ClientSession(headers={"X-API-Key": key}) as session:

        async def one(number: int) -> int:
            async with room, session.get(f"{urls[number % len(urls)]}/api/v1/tags") as reply:
                if reply.status == 429:
                    assert int(reply.headers["Retry-After"]) > 0
                    assert (await reply.json())["error"]["code"] == "DAILY_LIMIT_REACHED"
                return reply.status

        return await asyncio.gather(*map(one, range(count)))


def _usage(server: Server, key: str) -> tuple[int, str]:
    with closing(sqlite3.connect(server.directory / "_system.db")) as database:
        rows = database.execute("SELECT sum(count), max(lastIp) FROM octonet_api_key_usage WHERE key = ?", (key[:20],))
        count, address = rows.fetchone()
        return int(count), str(address)


def test_a_daily_limit_holds_over_processes_and_restarts_and_uses_are_counted(tmp_path: Path) -> None:
    first, second = (Server(tmp_path / "data", SHOP, OCTONET_OPEN_MODE="") for _ in range(2))
    first.start()
    second.start("--no-worker", within=60.0)
    office = office_key(first)
    key = asyncio.run(_issue(first, office))
    statuses = asyncio.run(_ask([first.url, second.url], key, LIMIT // 2))
    assert statuses == [200] * (LIMIT // 2)
    assert second.stop() == 0
    assert first.stop() == 0
    first.start()
    second.start("--no-worker", within=60.0)
    statuses = asyncio.run(_ask([first.url, second.url], key, LIMIT))
    assert set(statuses) == {200, 429}
    assert statuses.count(200) == LIMIT - LIMIT // 2
    assert set(asyncio.run(_ask([first.url, second.url], office, 10))) == {200}
    assert second.stop() == 0
    assert first.stop() == 0
    # What was refused was asked for, too.
    assert _usage(first, key) == (LIMIT // 2 + LIMIT, "127.0.0.1")
