"""Sessions that read from HSQLDB: those that are held, and those that look at one moment."""

from __future__ import annotations

import math
from typing import Final

from octonet.dialects.engine.hsqldb_link import BEGIN
from octonet.dialects.engine.hsqldb_server import Server
from octonet.dialects.engine.session_held import HeldSession, SessionSnapshot

_ONLY_READS: Final = ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ",)
_LOOK: Final = "SELECT COUNT(*) FROM OCTONET.TURNS"


class Held(HeldSession):
    """No statement takes longer than `timeout` seconds; the server, which counts whole ones, ends it a second later."""

    def __init__(self, server: Server, timeout: float) -> None:
        seconds = math.ceil(timeout) + 1
        super().__init__(server, lambda: server.connect(_ONLY_READS, seconds=seconds), BEGIN)


async def open_snapshot(server: Server) -> SessionSnapshot:
    """Connect, and look: the snapshot begins with the first statement."""
    snapshot = SessionSnapshot(server, await server.connect(_ONLY_READS, autocommit=False))
    try:
        await snapshot.rows(_LOOK, ())
    except BaseException:
        await snapshot.close()
        raise
    return snapshot
