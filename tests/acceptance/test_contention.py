"""A database whose transactions are serializable refuses some of them because of others: the lane tries them anew, and
nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from jetstream.server import EmbeddedServer
from tests import cockroachdb
from tests.acceptance.checker import Told, violations
from tests.acceptance.writers import Writer
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_REFUSED = "octonet: ERROR:  could not serialize access"
"""Who was refused stands before it."""


async def _get_in_the_way(uri: str, over: asyncio.Event) -> None:
    """Somebody who takes no turn, writes what every transaction of the lane writes, without changing it, reads what it
    writes, and writes what it reads."""
    session = await asyncpg.connect(uri.replace("cockroachdb", "postgresql", 1))
    number = 0
    while not over.is_set():
        number += 1
        with suppress(asyncpg.SerializationError):
            if number % 2:
                await session.execute("UPDATE octonet_checkpoint SET slot = slot")
            else:
                async with session.transaction(isolation="serializable"):
                    await session.fetch("SELECT count(*) FROM customers")
                    await session.execute("UPDATE octonet_schema SET slot = slot")
                    await session.execute(f"INSERT INTO octonet_inbox (command_id, entry) VALUES ('x{number}', 1)")
                    await session.execute(f"DELETE FROM octonet_inbox WHERE command_id = 'x{number}'")
        await asyncio.sleep(0.01)
    await session.close()


async def test_a_lane_whose_transactions_are_refused_loses_and_doubles_nothing(tmp_path: Path) -> None:
    if reason := cockroachdb.missing():
        pytest.skip(reason)
    database = cockroachdb.server()
    for text in ("ALTER SYSTEM SET log_line_prefix = '%a: '", "SELECT pg_reload_conf()"):
        database.sql(text)
    directory, uri = tmp_path / "data", database.uri(tmp_path)
    told: list[Told] = []
    over = asyncio.Event()
    with Server(directory, SHOP, DB_DIALECT="cockroachdb", SGBD_URI=uri) as server:
        before = database.log().count(_REFUSED)
        async with asyncio.TaskGroup() as group:
            group.create_task(_get_in_the_way(uri, over))
            for number in range(6):
                group.create_task(Writer(lambda: server.url, told, number).run(over))
            async with asyncio.timeout(120):
                while database.log().count(_REFUSED) - before < 40 or len(told) < 300:
                    await asyncio.sleep(0.1)
            over.set()
        note = {"slug": "the last"}
        async with aiohttp.ClientSession(server.url) as session, session.post("/api/v1/notes", json=note) as response:
            assert response.status == 201, await response.text()
        assert server.stop() == 0
    assert len([one for one in told if one.status in (200, 201)]) > 100
    nats = EmbeddedServer(directory / "nats")
    nats.spawn()
    nats.wait_ready()
    try:
        assert await violations(nats.endpoint, uri, SHOP, told) == []
    finally:
        nats.stop()
