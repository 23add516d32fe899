"""The servers whose connections are kept, and what it takes to have trouble with each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from octonet import dialects
from octonet.dialects.engine import mariadb_held, mariadb_server, postgres_held, postgres_server
from octonet.dialects.engine.held_reads import HeldReads
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.storage import Database, DatabaseOptions
from tests import mariadb, postgres
from tests.conformance.dialect_cases import SCHEMAS, uri_of
from tests.mariadb import MariadbServer
from tests.postgres import PostgresServer

T = TypeVar("T")


class Site(msgspec.Struct, frozen=True):
    """One of them."""

    dialect: str
    sleep: str
    """An expression that takes so many seconds."""
    asleep: str
    """Counts the statements that sleep."""
    ended: Callable[[Site, Path], Awaitable[None]]
    """Every connection of a folder's database is ended by its server."""
    server: Callable[[], PostgresServer | MariadbServer]
    held: Callable[[str, int, float], HeldReads]
    settle: str = "SELECT 1"
    """What a crash takes nothing of."""

    def uri(self, folder: Path) -> str:
        return uri_of(self.dialect, folder)

    async def opened_at(self, uri: str) -> Database:
        return await dialects.find(self.dialect).open(uri, SCHEMAS, DatabaseOptions())

    def sql(self, folder: Path, text: str) -> str:
        return self.server().sql(text, self.uri(folder).rpartition("/")[2])

    def sleeping(self, seconds: float) -> str:
        return f"SELECT {self.sleep.format(seconds)}, 42"

    def reading(self, folder: Path, size: int, timeout: float) -> HeldReads:
        return self.held(self.uri(folder), size, timeout)


async def healed(ask: Callable[[], Awaitable[T]]) -> T:
    """What is answered as soon as the server is back."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await ask()
            except StorageUnavailable:
                await asyncio.sleep(0.02)


async def _ended_by_mariadb(site: Site, folder: Path) -> None:
    mine = "FROM information_schema.processlist WHERE db = DATABASE() AND user = 'octonet'"
    for thread in site.sql(folder, f"SELECT id {mine}").split():
        site.sql(folder, f"KILL {thread}")
    while site.sql(folder, f"SELECT COUNT(*) {mine}") != "0":
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


async def _ended_by_postgres(site: Site, folder: Path) -> None:
    mine = "application_name = 'octonet' AND datname = current_database()"
    site.sql(folder, f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE {mine}")


def _held_by_mariadb(uri: str, size: int, timeout: float) -> HeldReads:
    server = mariadb_server.Server(uri, False)
    return HeldReads(lambda: mariadb_held.Held(server, timeout), size, timeout)


def _held_by_postgres(uri: str, size: int, timeout: float) -> HeldReads:
    server = postgres_server.Server(uri, False)
    return HeldReads(lambda: postgres_held.Held(server, timeout), size, timeout)


SITES: Final = [
    Site(
        dialect="mariadb",
        sleep="SLEEP({})",
        asleep="SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(%'"
        " AND id <> CONNECTION_ID()",
        ended=_ended_by_mariadb,
        server=mariadb.server,
        held=_held_by_mariadb,
    ),
    Site(
        dialect="postgres",
        sleep="pg_sleep({})",
        asleep="SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active'"
        " AND pid <> pg_backend_pid()",
        ended=_ended_by_postgres,
        server=postgres.server,
        held=_held_by_postgres,
        # Commits are not synced: it is the log that brings back what a crash takes.
        settle="CHECKPOINT",
    ),
]
