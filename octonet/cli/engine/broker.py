"""Which nats-server a command uses: the one it is told, the one that already runs on the data directory, or its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jetstream.endpoint import Endpoint
from jetstream.server import EmbeddedServer, find_running
from jetstream.vouching import Issuer
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.catalog import operations
from octonet.kernel.errors import Invalid

log = logging.getLogger("octonet.nats")

_LOOK = 0.2


class Started:
    """A server that was started, or found. `ours`: nobody else works on this data directory."""

    def __init__(self, endpoint: Endpoint | None, server: EmbeddedServer | None, ours: bool) -> None:
        self._endpoint = endpoint
        self._server = server
        self.ours = ours

    def ready(self) -> Endpoint:
        """Wait until it can be entered. Raises `Unavailable` with the end of its log."""
        if self._server is not None:
            self._server.wait_ready()
            return self._server.endpoint
        assert self._endpoint is not None
        return self._endpoint

    async def watch(self) -> None:
        """Start our own server again whenever it ends, for as long as this runs."""
        while self._server is not None:
            await asyncio.sleep(_LOOK)
            self.look()

    def look(self) -> None:
        """Start our own server again if it ended."""
        if self._server is not None and not self._server.alive():
            log.error("the embedded nats-server ended; starting it again")
            self._server.respawn()


def external(settings: Settings) -> Endpoint | None:
    """The server of NATS_URL, if one is set. Raises `Invalid` for a file that cannot be read."""
    if not settings.nats_url:
        return None
    return Endpoint(
        settings.nats_url,
        settings.nats_user,
        settings.nats_password,
        ca=settings.nats_ca,
        certificate=settings.nats_cert,
        key=settings.nats_key,
        credentials=settings.nats_creds,
        nkey=settings.nats_nkey,
        issuer=_seed(settings.nats_callout_seed),
        system_user=settings.nats_system_user,
        system_password=settings.nats_system_password,
    )


def _seed(file: str) -> str:
    if not file:
        return ""
    try:
        seed = Path(file).read_text().strip()
    except (OSError, UnicodeError) as problem:
        raise Invalid(f"NATS_CALLOUT_SEED {file} cannot be read: {problem}") from None
    # Before anything is opened.
    Issuer(seed)
    return seed


@contextmanager
def owned(settings: Settings) -> Iterator[Started]:
    """Own the data directory, with a server of our own unless NATS_URL names one. Raises `Unavailable` naming the
    process that owns it already."""
    directory = DataDirectory(settings.data_dir)
    directory.lock()
    try:
        elsewhere = external(settings)
        if elsewhere is not None:
            yield Started(elsewhere, None, True)
            return
        server = EmbeddedServer(
            directory.nats, settings.nats_max_store, settings.nats_listen, operations("commands", "projections")
        )
        server.spawn()
        try:
            yield Started(None, server, True)
        finally:
            server.stop()
    finally:
        directory.unlock()


@contextmanager
def found_or_owned(settings: Settings) -> Iterator[Started]:
    """The running server where there is one, else as `owned`."""
    elsewhere = external(settings) or find_running(DataDirectory(settings.data_dir).nats)
    if elsewhere is not None:
        yield Started(elsewhere, None, False)
        return
    with owned(settings) as started:
        yield started
