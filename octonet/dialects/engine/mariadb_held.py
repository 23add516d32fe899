"""Sessions that read from servers of MariaDB's kind: those that are held, and those that look at one moment."""

from __future__ import annotations

from octonet.dialects.engine.mariadb_product import SNAPSHOT
from octonet.dialects.engine.mariadb_server import Server
from octonet.dialects.engine.session_held import HeldSession, SessionSnapshot


class Held(HeldSession):
    """No statement takes longer than `timeout` seconds."""

    def __init__(self, server: Server, timeout: float) -> None:
        super().__init__(server, lambda: server.connect(server.product.reading(timeout)), SNAPSHOT)


async def open_snapshot(server: Server) -> SessionSnapshot:
    """Connect, and look."""
    return SessionSnapshot(server, await server.connect(server.product.looking))
