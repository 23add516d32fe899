"""The promises that a crash must not break: kill -9 at random moments, then every account is held against the log."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from jetstream.server import EmbeddedServer, stop_stale
from tests import cockroachdb, hsqldb, mariadb, mongodb, mysql, postgres, spanner
from tests.acceptance.checker import Told, violations
from tests.acceptance.writers import Writer
from tests.running import Process, Server

SHOP = Path(__file__).parent / "shop.json"
BROKEN = str(Path(__file__).parent / "broken_build.py")
_ROUNDS = os.environ.get("OCTONET_KILL_ROUNDS")
ROUNDS = int(_ROUNDS or "50")
SERVER_ROUNDS = int(_ROUNDS or "8")
WRITERS = 8
_DATABASES = {
    "postgres": postgres,
    "mariadb": mariadb,
    "hsqldb": hsqldb,
    "cockroachdb": cockroachdb,
    "mysql": mysql,
    "mongodb": mongodb,
    "spanner": spanner,
}
CHECK_EVERY = 10


async def _write_for(server: Server, told: list[Told], seconds: float, seed: int) -> None:
    """Let the clients write; they stop when the time is over or the server goes away."""
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, until.set)
    await _write_until(server, told, until, seed)


async def _write_until(server: Server, told: list[Told], until: asyncio.Event, seed: int) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(WRITERS):
            group.create_task(Writer(lambda: server.url, told, seed * 100 + number).run(until))


async def _check(directory: Path, told: list[Told], database: str | None = None) -> list[str]:
    """Hold everything against everything, with no server running but NATS (and the database, where the rows are)."""
    nats = EmbeddedServer(directory / "nats")
    nats.spawn()
    nats.wait_ready()
    try:
        return await violations(nats.endpoint, database or directory / "octonet.db", SHOP, told)
    finally:
        nats.stop()


async def test_fifty_kills_lose_nothing_double_nothing_and_leave_rows_equal_to_facts(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    dice = random.Random(7)
    told: list[Told] = []
    server = Server(directory, SHOP)
    for number in range(1, ROUNDS + 1):
        server.start()
        moment = dice.uniform(0.1, 1.0)
        killer = asyncio.get_running_loop().call_later(moment, server.send, signal.SIGKILL)
        try:
            await _write_for(server, told, 5.0, number)
        finally:
            killer.cancel()
        server.kill()
        if number % CHECK_EVERY == 0 or number == ROUNDS:
            server.start()
            await _caught_up(server)
            assert server.stop() == 0
            assert await _check(directory, told) == []
    acknowledged = [one for one in told if one.status in (200, 201)]
    assert {one.op for one in acknowledged} == {
        "create",
        "update",
        "upsert",
        "delete",
        "updateMany",
        "deleteMany",
        "increment",
        "addToSet",
        "pull",
    }
    assert len(acknowledged) > 20 * ROUNDS


@pytest.mark.parametrize("dialect", _DATABASES)
async def test_kills_of_server_and_database_lose_nothing(dialect: str, tmp_path: Path) -> None:
    if reason := _DATABASES[dialect].missing():
        pytest.skip(reason)
    database = _DATABASES[dialect].server()
    directory, uri = tmp_path / "data", database.uri(tmp_path)
    dice = random.Random(11)
    told: list[Told] = []
    server = Server(directory, SHOP, DB_DIALECT=dialect, SGBD_URI=uri)
    for number in range(1, SERVER_ROUNDS + 1):
        server.start()
        if number % 4 == 2:  # the database dies and comes back under the server, which lives on
            over = asyncio.Event()
            writing = asyncio.create_task(_write_until(server, told, over, 900 + number))
            await _restarted(database)
            back = len(told)
            async with asyncio.timeout(60):
                while not any(one.status in (200, 201) for one in told[back:]):
                    await asyncio.sleep(0.05)
            await asyncio.sleep(2.0)
            over.set()
            await writing
            assert server.alive()
        else:
            killer = asyncio.get_running_loop().call_later(dice.uniform(0.1, 1.0), server.send, signal.SIGKILL)
            try:
                await _write_for(server, told, 5.0, 900 + number)
            finally:
                killer.cancel()
        server.kill()
        if number % CHECK_EVERY == 0 or number in (2, SERVER_ROUNDS):
            server.start()
            await _caught_up(server)
            assert server.stop() == 0
            assert await _check(directory, told, uri) == []
    assert len([one for one in told if one.status in (200, 201)]) > 20 * SERVER_ROUNDS


@pytest.mark.parametrize("dialect", _DATABASES)
async def test_what_a_killed_database_forgets_is_folded_again(dialect: str, tmp_path: Path) -> None:
    """It may forget what it has committed at last, Spanner's emulator everything, and nobody is there to notice: no
    transaction is open."""
    if reason := _DATABASES[dialect].missing():
        pytest.skip(reason)
    database = _DATABASES[dialect].server()
    with Server(tmp_path / "data", SHOP, DB_DIALECT=dialect, SGBD_URI=database.uri(tmp_path)) as server:
        for number in range(3):
            await _written(server, f"before {number}")
            with database.away():
                pass
            await _written(server, f"behind {number}")
        assert await _slugs(server) == {f"{when} {number}" for when in ("before", "behind") for number in range(3)}
        await _written(server, "the last")
        with database.away():
            pass
        async with asyncio.timeout(90):  # nobody writes any more
            while "the last" not in await _slugs(server):
                await asyncio.sleep(0.1)


async def _slugs(server: Server) -> set[str]:
    async with aiohttp.ClientSession(server.url) as session, session.get("/api/v1/notes") as response:
        return {str(row["slug"]) for row in (await response.json()).get("data") or []}


async def _written(server: Server, slug: str) -> None:
    """Written, as soon as that can be done."""
    async with asyncio.timeout(90), aiohttp.ClientSession(server.url) as session:
        while True:
            async with session.post("/api/v1/notes", json={"slug": slug}) as response:
                if response.status == 201:
                    return
            await asyncio.sleep(0.1)


async def _caught_up(server: Server) -> None:
    """A write that is answered stands behind every command the killed server left; one that is decided while the
    server stops would have its facts told by the next owner only."""
    note = {"slug": f"caught up {uuid4()}"}
    async with aiohttp.ClientSession(server.url) as session, session.post("/api/v1/notes", json=note) as response:
        assert response.status == 201, await response.text()


async def _restarted(
    database: postgres.PostgresServer | mariadb.MariadbServer | hsqldb.HsqldbServer | mongodb.MongodbServer,
) -> None:
    await asyncio.sleep(1.5)
    with database.away():
        await asyncio.sleep(0.5)


async def test_killing_the_broker_too_loses_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    told: list[Told] = []
    server = Server(directory, SHOP)
    for number in range(1, 6):
        server.start()
        broker = int((directory / "nats" / "nats-server.pid").read_text())
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, os.kill, broker, signal.SIGKILL)
        loop.call_later(0.55, server.send, signal.SIGKILL)
        await _write_for(server, told, 5.0, 500 + number)
        server.kill()
    server.start()
    await _caught_up(server)
    assert server.stop() == 0
    assert await _check(directory, told) == []
    assert told


async def _until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.05)


def _stand_by(owner: Server) -> Process:
    """Start a server, and a second worker beside it with nothing taken away. Hashing names one of the two for the lane:
    it is tried until it is the server."""
    plain = Server(owner.directory, SHOP)
    while True:
        owner.start()
        worker = plain.launch("work")
        assert worker.output.until(lambda line: "standing by" in line, 60), plain.log()
        if not worker.output.until(lambda line: "owns the lane" in line, 10.0):
            return worker
        assert worker.stop() == owner.stop() == 0


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


async def _stopped_owner(directory: Path, fault: str) -> list[str]:
    """The owner pauses between deciding and appending, another worker takes over, the owner wakes."""
    told: list[Told] = []
    server = Server(directory, SHOP, program=(BROKEN, fault))
    worker = _stand_by(server)
    over = asyncio.Event()
    writing = asyncio.create_task(_write_until(server, told, over, 77))
    try:
        await _until(lambda: _state(server.pid) == "T")
        await _until(lambda: "lane default waits" in server.log() and "database is locked" in server.log())
        count = len(told)
        server.send(signal.SIGCONT)
        await _until(lambda: len(told) > count or writing.done())
        await asyncio.sleep(3.0)
        over.set()
        await writing
        server.kill()
    finally:
        worker.stop()
    stop_stale(directory / "nats")
    return await _check(directory, told)


async def test_an_owner_that_wakes_after_a_takeover_can_neither_append_nor_commit(tmp_path: Path) -> None:
    found = await _stopped_owner(tmp_path / "data", "stop-at-append")
    assert [one for one in found if not one.startswith("the feed")] == []


async def test_the_checker_catches_appends_without_compare_and_set(tmp_path: Path) -> None:
    found = await _stopped_owner(tmp_path / "data", "no-compare-and-set")
    assert any("hash chain" in one for one in found), found


async def test_the_checker_catches_a_reply_before_the_append_is_acknowledged(tmp_path: Path) -> None:
    told: list[Told] = []
    server = Server(tmp_path / "data", SHOP, program=(BROKEN, "early-reply")).start()
    await _write_for(server, told, 60.0, 88)
    await _until(lambda: not server.alive())
    server.kill()
    stop_stale(tmp_path / "data" / "nats")
    found = await _check(tmp_path / "data", told)
    assert any(one.startswith("LOST") for one in found), found


async def test_the_checker_catches_copies_that_only_the_brokers_window_could_have_found(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP, program=(BROKEN, "no-inbox")).start()
    told: list[Told] = []
    async with aiohttp.ClientSession() as session:
        for number in range(20):
            correlation = f"copy {number % 10}"
            headers = {"Idempotency-Key": correlation, "X-Correlation-Id": correlation}
            body = {"label": f"t{number % 10}"}
            async with session.post(f"{server.url}/api/v1/tags", json=body, headers=headers) as reply:
                position = reply.headers.get("Octonet-Position", "")
                told.append(Told(correlation, "create", reply.status, await reply.json(), position))
    assert server.stop() == 0
    found = await _check(tmp_path / "data", told)
    assert any("was decided by entry" in one for one in found), found


async def test_the_checker_catches_a_checkpoint_outside_the_transaction(tmp_path: Path) -> None:
    told: list[Told] = []
    server = Server(tmp_path / "data", SHOP, program=(BROKEN, "late-checkpoint")).start()
    await _write_for(server, told, 60.0, 99)
    server.kill()
    stop_stale(tmp_path / "data" / "nats")
    found = await _check(tmp_path / "data", told)
    # What the last batch was about decides how it shows: its rows, or, when it changed none, only the inbox.
    signs = ("rows without a fact", "differs from its facts", "the inbox has")
    assert any(sign in one for sign in signs for one in found), found
