"""Tenants who connect to NATS by their API keys, and who issues those."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from tests.key_office import office_key
from tests.running import Server

LOOKUP = 20
"""Characters of a key that are public."""


class KeyOffice:
    """A server that looks at keys, with a key that may issue others."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.key = office_key(server)

    async def ask(self, method: str, path: str, body: Any = None, key: str = "", **headers: str) -> tuple[int, Any]:
        """Status and body, over HTTP; by the office's own key unless another is given."""
        sent = {"X-API-Key": key or self.key, **headers}
        async with (
            aiohttp.ClientSession(self.server.url) as session,
            session.request(method, path, json=body, headers=sent) as reply,
        ):
            return reply.status, await reply.json()

    async def issue(self, projects: Any = "*", operations: Any = "*", transports: Any = "*", **more: Any) -> str:
        """A new key with these scopes."""
        scopes = {"projects": projects, "operations": operations, "transports": transports}
        wish = {"label": "t", "permissions": {"scopes": scopes}, **more}
        status, told = await self.ask("POST", "/api/api-keys", wish)
        assert status < 300, told
        return str(told["data"]["apiKey"])

    async def revoke(self, key: str) -> None:
        status, told = await self.ask("DELETE", f"/api/api-keys/{key[:LOOKUP]}")
        assert status < 300, told


class Tenant:
    """A connection by an API key, and what the server refused it."""

    def __init__(self, key: str, url: str) -> None:
        self.key = key
        self.url = url
        self.client = Client()
        self.refused: list[str] = []
        self.lost_at = 0.0
        self.lost = asyncio.Event()

    async def enter(self, **more: Any) -> None:
        """Raises what nats-py raises where the server lets nobody in."""

        async def on_error(problem: Exception) -> None:
            self.refused.append(str(problem).lower())

        async def on_lost() -> None:
            self.lost_at = time.monotonic()
            self.lost.set()

        shown = more or {"token": self.key}
        await self.client.connect(
            self.url,
            **shown,
            inbox_prefix=f"_INBOX_{self.key[:LOOKUP]}" if self.key else "_INBOX",
            error_cb=on_error,
            disconnected_cb=on_lost,
            allow_reconnect=False,
            connect_timeout=60,
        )

    async def ask(self, subject: str, content: Any = None, **headers: str) -> Any:
        """The answer's body. Shows the key once more: a message does not say whose connection it came by."""
        body = b"" if content is None else json.dumps(content).encode()
        shown = {"X-API-Key": self.key, **headers} if self.key else headers or None
        message = await self.client.request(subject, body, timeout=60, headers=shown)
        return json.loads(message.data)

    async def may_publish(self, subject: str) -> bool:
        """Whether the server takes a message for it."""
        return not await self._refused(lambda: self.client.publish(subject, b"{}"))

    async def may_subscribe(self, subject: str, queue: str = "") -> bool:
        """Whether the server lets it listen."""
        return not await self._refused(lambda: self.client.subscribe(subject, queue))

    async def told(self) -> None:
        """Everything was sent, and what the server refuses of it was heard."""
        # The client's first ping overtakes what it has not written yet.
        for _ in range(2):
            await self.client.flush(60)

    async def _refused(self, act: Callable[[], Any]) -> bool:
        self.refused.clear()
        await act()
        await self.told()
        return any("permissions violation" in one for one in self.refused)


@asynccontextmanager
async def entered(key: str, url: str, **more: Any) -> AsyncIterator[Tenant]:
    """A tenant's connection."""
    tenant = Tenant(key, url)
    try:
        await tenant.enter(**more)
        yield tenant
    finally:
        await tenant.client.close()


async def is_let_in(key: str, url: str, **more: Any) -> bool:
    """Whether this opens a connection."""
    try:
        async with entered(key, url, **more):
            return True
    except NatsError:
        return False


async def connect_openly(url: str) -> Client:
    """A plain connection, as in open mode."""
    return await nats.connect(url)
