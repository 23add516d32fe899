"""A server on a free port with every door of this room, over projects in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from octonet.kernel.ids import ProjectName
from octonet.kernel.schema_parse import parse
from octonet.transport import HttpSettings, HttpTransport
from tests.unit.transports.memory import MemoryGateway
from transports.engine.health import Health
from transports.engine.http import HttpHost
from transports.rest import Rest
from transports.sse import Sse
from transports.ws import Ws

SCHEMAS: list[dict[str, object]] = [
    {
        "name": "User",
        "collection": "users",
        "fields": {
            "name": {"type": "string", "required": True},
            "age": {"type": "number", "default": 0},
            "tags": {"type": "array", "arrayOf": "string"},
            "password": {"type": "string"},
        },
    },
    {"name": "Note", "collection": "notes", "fields": {"text": {"type": "text"}}},
]


class Server:
    """A running host and what it was made of."""

    def __init__(self) -> None:
        default, shop = parse(json.dumps(SCHEMAS)), parse(json.dumps(SCHEMAS[1:]))
        self.gateway = MemoryGateway({"default": default, "shop": shop})
        self.ready = True
        self.url = ""
        self.doors: list[HttpTransport] = [Rest(), Ws(), Sse()]
        self.host = HttpHost(
            self.gateway.projects().__contains__,
            self.health,
            origins=["https://shop.example"],
            max_body=64 * 1024,
        )

    async def health(self, project: ProjectName) -> Health:
        return Health(self.ready, ("rest", "ws"), tuple(self.gateway.project(project).schemas.entities))

    async def start(self, settings: HttpSettings) -> None:
        """Mount every door and listen."""
        for door in self.doors:
            for prefix, handler in door.mount(self.gateway, settings).items():  # type: ignore[arg-type]  # stands in
                self.host.mount(prefix, handler)
        self.url = f"http://127.0.0.1:{await self.host.start('127.0.0.1', 0)}"

    async def stop(self) -> None:
        """As a node stops: streams first, then requests."""
        for door in self.doors:
            await door.close()
        await self.host.stop(1.0)
        for project in self.gateway.projects().values():
            await project.hub.close()


@pytest.fixture
def settings() -> HttpSettings:
    return HttpSettings(heartbeat=30.0, max_buffer=256 * 1024)


@pytest.fixture
async def server(settings: HttpSettings) -> AsyncIterator[Server]:
    found = Server()
    await found.start(settings)
    yield found
    await found.stop()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url) as session:
        yield session


@pytest.fixture
def gateway(server: Server) -> MemoryGateway:
    return server.gateway
