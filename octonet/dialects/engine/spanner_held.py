"""Sessions that read from Spanner: those that are held, and those that look at one moment."""

from __future__ import annotations

from octonet.dialects.engine.session_held import HeldSession, SessionSnapshot
from octonet.dialects.engine.spanner_server import LOOK, Server


class Held(HeldSession):
    """No query takes longer than `timeout` seconds; the server ends it a second later."""

    def __init__(self, server: Server, timeout: float) -> None:
        super().__init__(server, lambda: server.connect(seconds=timeout + 1), LOOK)


async def open_snapshot(server: Server) -> SessionSnapshot:
    """Connect, and look: the snapshot begins here."""
    session = await server.connect()
    try:
        await session.run(LOOK, ())
    except server.failures as error:
        session.terminate()
        server.raise_meaning(error, closed=session.is_closed())
    return SessionSnapshot(server, session)
