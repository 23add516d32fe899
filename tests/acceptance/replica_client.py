"""A program that adds replicas, writes, and finds out where its reads are answered from."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
NOTE = {"name": "Note", "collection": "notes", "fields": {"text": {"type": "text"}}}
WITHIN = 60.0


class Client:
    def __init__(self, session: aiohttp.ClientSession, server: Server) -> None:
        self._session = session
        self._server = server

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(method, self._server.url + path, json=body, headers=sent) as reply:
            return reply.status, await reply.json()

    async def text(self, path: str) -> str:
        async with self._session.get(self._server.url + path) as reply:
            assert reply.status == 200
            return await reply.text()

    async def done(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        status, told = await self.ask(method, path, body, **headers)
        assert status < 300, told
        return told

    async def project(self, name: str) -> None:
        await self.done("POST", "/api/projects", {"name": name, "schemas": [NOTE]})

    async def note(self, project: str, text: str) -> tuple[str, str]:
        """The id of a new note, and the position of its fact."""
        path = f"{self._server.url}/{project}/api/v1/notes"
        async with self._session.post(path, json={"text": text}) as reply:
            assert reply.status == 201, await reply.text()
            return (await reply.json())["data"]["id"], reply.headers["Octonet-Position"]

    async def texts(self, project: str, position: str = "") -> list[str]:
        headers = {"Octonet_Min_Position": position} if position else {}
        told = await self.done("GET", f'/{project}/api/v1/notes?sort={{"text":1}}', **headers)
        return [row["text"] for row in told["data"]]

    async def seen(self, project: str, times: int = 12) -> list[str]:
        """Where reads were answered from, by what is written there beside the log."""
        return [(await self.texts(project))[0] for _ in range(times)]

    async def read_from(self, project: str, wanted: set[str]) -> None:
        async with asyncio.timeout(WITHIN):
            while set(await self.seen(project)) != wanted:
                await asyncio.sleep(0.05)

    @staticmethod
    async def becomes(ask: Callable[[], Awaitable[Any]], wanted: Any) -> None:
        """Wait for an answer. A replica that was not heard of for a second, as on a busy machine, is not asked."""
        found = None
        try:
            async with asyncio.timeout(WITHIN):
                while (found := await ask()) != wanted:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{found} stays, and not {wanted}") from None

    async def replica(self, project: str, name: str, **more: Any) -> dict[str, Any]:
        wish = {"name": name, "dialect": "sqlite", "uri": f"sqlite:///{project}-{name}.db", **more}
        return self.row(await self.done("POST", f"/api/projects/{project}/replicas", wish), name)

    async def status(self, project: str, name: str) -> dict[str, Any]:
        return self.row(await self.done("GET", f"/api/projects/{project}/replicas"), name)

    @staticmethod
    def row(told: dict[str, Any], name: str) -> dict[str, Any]:
        [found] = [row for row in told["replicas"] if row["name"] == name]
        assert isinstance(found, dict)
        return found

    async def caught_up(self, project: str, name: str) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN):
            while (found := await self.status(project, name))["lagPositions"] != 0 or found["status"] != "connected":
                await asyncio.sleep(0.05)
        return found


def forge(server: Server, file: str, text: str) -> None:
    """Write into the rows of a replica beside the log, so that a read shows where it comes from."""
    with closing(sqlite3.connect(server.directory / file, timeout=60)) as database, database:
        database.execute("UPDATE notes SET text = ?", (text,))


@contextmanager
def locked(server: Server, file: str) -> Iterator[None]:
    """Nobody else writes to a file: its follower does not come further."""
    with closing(sqlite3.connect(server.directory / file, timeout=60, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")
