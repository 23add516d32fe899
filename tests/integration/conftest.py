"""A node in this process, over a real nats-server and a real SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jetstream.server import EmbeddedServer
from octonet.app import Node, open_node
from octonet.config import Settings

SHOP = Path(__file__).parent.parent / "acceptance" / "shop.json"


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "nats")
    server.spawn()
    server.wait_ready()
    yield server
    server.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path), schemas_path=str(SHOP), command_timeout=10.0)


@asynccontextmanager
async def running(settings: Settings, nats: EmbeddedServer, worker: bool = True) -> AsyncIterator[Node]:
    """A node that owns its lane."""
    node = await open_node(settings, nats.endpoint, worker)
    try:
        await node.owned()
        yield node
    finally:
        await node.close()
