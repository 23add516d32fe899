"""An installation that is backed up, lost, and restored."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

import aiohttp

from tests import hsqldb, mariadb, mongodb, postgres
from tests.acceptance.checker import Told
from tests.acceptance.folded import Fold, facts
from tests.acceptance.writers import Writer
from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
PROGRAM = ("-m", "octonet")
SERVERS: Final[dict[str, ModuleType]] = {
    "postgres": postgres,
    "mariadb": mariadb,
    "hsqldb": hsqldb,
    "mongodb": mongodb,
}
ENTITIES = {"Customer": "customers", "Order": "orders", "Tag": "tags", "Note": "notes"}


class Done(NamedTuple):
    """What a command said: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


class Site:
    """A server over one data directory, and where its backups go."""

    def __init__(self, root: Path, dialect: str = "sqlite", **environment: str) -> None:
        self.root = root
        self.backup = root / "backup"
        self._dialect = dialect
        if dialect != "sqlite":
            environment |= {"DB_DIALECT": dialect, "SGBD_URI": SERVERS[dialect].server().uri(root)}
        self._environment = environment | {"OCTONET_MAXIMUM_PAGE": "100000"}
        self.server = self.at("data")
        self.told: list[Told] = []

    def at(self, name: str) -> Server:
        """A server over another data directory."""
        return Server(self.root / name, SHOP, program=PROGRAM, **self._environment)

    async def run(self, *arguments: str, server: Server | None = None, **environment: str) -> Done:
        """`octonet …` on the data directory."""
        on = server or self.server
        process = await asyncio.create_subprocess_exec(
            *on.command(*arguments), env=on.environment() | environment, cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        assert b"Traceback" not in err, err.decode()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def back_up(self, *arguments: str) -> Done:
        done = await self.run("backup", "--to", str(self.backup), "--quiet", *arguments)
        assert done.code == 0, done.err
        return done

    async def restore(self, *arguments: str, server: Server | None = None) -> Done:
        return await self.run("restore", str(self.backup), "--quiet", *arguments, server=server)

    def last(self, project: str = "default") -> int:
        """The last entry of a project that the backup holds."""
        body = json.loads((self.backup / "manifest").read_text().partition("\n")[2])
        return next(int(one["last"]) for one in body["manifest"]["projects"] if one["project"] == project)

    @asynccontextmanager
    async def under_load(self, writers: int = 4) -> AsyncIterator[None]:
        """Several clients write meanwhile."""
        until = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(writers):
                group.create_task(Writer(lambda: self.server.url, self.told, 70 + number).run(until))
            try:
                yield
            finally:
                until.set()

    async def written(self, more: int) -> None:
        """Wait for so many more answers to writes."""
        wanted = len(self.told) + more
        async with asyncio.timeout(120):
            while len(self.told) < wanted:
                await asyncio.sleep(0.02)

    async def fold(self, last: int) -> Fold:
        """The test's own fold of what was told up to this entry. The server runs, and has written more."""
        found = await facts(self.server.directory)
        while not found or entry_of(found[-1].position) <= last:
            found = await facts(self.server.directory)
        return Fold([told for told in found if entry_of(told.position) <= last])

    async def rows(self, server: Server | None = None) -> dict[str, list[Any]]:
        """All live rows, as REST shows them, in order of their ids."""
        found = {}
        async with aiohttp.ClientSession((server or self.server).url) as session:
            for entity, collection in ENTITIES.items():
                async with session.get(
                    f"/api/v1/{collection}", params={"limit": "100000", "sort": '{"id":1}'}
                ) as reply:
                    assert reply.status == 200, await reply.text()
                    found[entity] = (await reply.json())["data"]
        return found

    def lose(self, *, keys: bool = True, databases: bool = True) -> None:
        """kill -9 of everything; then the store of NATS is gone, and what else."""
        self.kill()
        directory = self.server.directory
        if keys:
            shutil.rmtree(directory)
        else:
            shutil.rmtree(directory / "nats")
        if databases and not keys:
            for file in directory.glob("*.db*"):
                file.unlink()
        if databases and self._dialect != "sqlite":
            name = self._environment["SGBD_URI"].rpartition("/")[2]
            if self._dialect == "mongodb":
                mongodb.server().drop(name)
                return
            emptied = {
                "postgres": "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
                "hsqldb": "DROP SCHEMA PUBLIC CASCADE",
                "mariadb": f"DROP DATABASE `{name}`; CREATE DATABASE `{name}`",
            }
            SERVERS[self._dialect].server().sql(emptied[self._dialect], name)

    def kill(self) -> None:
        """kill -9 of the server and of its nats-server."""
        broker = int((self.server.directory / "nats" / "nats-server.pid").read_text())
        self.server.kill()
        try:
            os.kill(broker, signal.SIGKILL)
        except ProcessLookupError:
            return
        while Path(f"/proc/{broker}").exists():
            os.sched_yield()


def entry_of(position: str) -> int:
    """The log entry in a position, which is opaque to everybody else."""
    raw = base64.urlsafe_b64decode(position + "=" * (-len(position) % 4))
    return int(raw.partition(b".")[0])


def expected(fold: Fold) -> dict[str, list[Any]]:
    """The rows of every entity after the last fact."""
    end = len(fold.told) - 1
    return {entity: list(fold.rows(entity, end).values()) for entity in ENTITIES}
