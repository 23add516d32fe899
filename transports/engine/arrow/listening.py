"""The port that Flight listens on."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from pathlib import Path
from typing import Final

import pyarrow as pa

from octonet.gateway import Gateway
from octonet.kernel.errors import Unavailable
from octonet.transport import ListenSettings
from transports.engine.arrow.bridge import Bridge
from transports.engine.arrow.server import Server
from transports.engine.arrow.sql import Sql
from transports.engine.arrow.terms import Bounds

_SWITCH: Final = 0.0005
_GRACE: Final = 5.0
"""Seconds that calls which were told of the end may take to end."""


class Listening:
    """Listens from the moment it is made, on the running loop. Raises `Unavailable` where it cannot."""

    def __init__(self, gateway: Gateway, settings: ListenSettings) -> None:
        # The loop waits so long at most for a thread that holds the interpreter: five milliseconds would be felt by
        # every other door.
        sys.setswitchinterval(_SWITCH)
        self._bridge = Bridge(asyncio.get_running_loop())
        if settings.port and not settings.shared:
            _check_free(settings.host, settings.port)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        scheme = "grpc+tls" if settings.certificate else "grpc"
        try:
            self._server = Server(
                gateway,
                self._bridge,
                settings.turnstile,
                f"{scheme}://{host}:{settings.port}",
                Sql(_bounds(settings)),
                settings.max_message,
                _pair(settings),
                Path(settings.client_authority).read_text() if settings.client_authority else "",
            )
        except (pa.ArrowException, OSError) as problem:
            reason = str(problem).split("\n", 1)[0]
            raise Unavailable(f"the arrow door cannot listen on {host}:{settings.port}: {reason}") from None
        self.address = f"arrow://{host}:{self._server.port}"

    async def close(self) -> None:
        """Accept nothing more; end what is under way."""
        self._bridge.end()
        # A client that reads nothing holds its call: it is left behind with its thread.
        ending = threading.Thread(target=self._server.shutdown, name="octonet-arrow-end", daemon=True)
        ending.start()
        deadline = asyncio.get_running_loop().time() + _GRACE
        while ending.is_alive() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)


def _bounds(settings: ListenSettings) -> Bounds:
    timeout, rows, memory = (settings.own.get(f"sql_{name}") for name in ("timeout", "rows", "memory"))
    plain = Bounds()
    return Bounds(
        float(timeout) if isinstance(timeout, int | float) else plain.timeout,
        rows if isinstance(rows, int) else plain.rows,
        memory if isinstance(memory, int) else plain.memory,
    )


def _pair(settings: ListenSettings) -> tuple[str, str] | None:
    if not settings.certificate:
        return None
    return Path(settings.certificate).read_text(), Path(settings.certificate_key).read_text()


def _check_free(host: str, port: int) -> None:
    """gRPC shares a port with whoever listens there already: somebody else's calls would be answered here."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise Unavailable(f"the arrow door cannot listen on {host}:{port}: {problem.strerror}") from None
