"""A deadline that passes, and a call that is cancelled, end the query on the database too."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest

from tests import postgres
from tests.acceptance.grpc_site import OPEN, SHOP, Shop, Status, entered
from tests.conformance.dialect_cases import uri_of
from tests.running import Server

_ROWS = 2000
_LONG: dict[str, Any] = {"OCTONET_QUERY_TIMEOUT": "600", **OPEN}
_TICKS = os.sysconf("SC_CLK_TCK")
# For each row a text of ten thousand letters is looked through hundreds of times.
_SLOW = json.dumps({"$or": [{"note": {"$regex": f"zz{number}"}} for number in range(300)]})


async def _fill(shop: Shop) -> None:
    made = await shop.do("Customer", "Create", data=shop.row("Customer", email="slow@x.org"))

    def rows() -> Iterator[bytes]:
        for number in range(_ROWS):
            row = shop.row("Order", customer=made.row.id, total=number, note="z" * 10_000)
            yield shop.asked("Order", "Import", create=shop.asked("Order", "Create", data=row)).SerializeToString()

    kind = shop.message("octonet.v1.OrderServiceImportResponse")
    told = await shop.channel.stream_unary("/octonet.v1.OrderService/Import", response_deserializer=kind.FromString)(
        rows()
    )
    assert told.written == _ROWS


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("slow") / "data", SHOP, **_LONG) as server:
        yield server
        assert "Traceback" not in server.log()


@pytest.fixture
async def slow(on_sqlite: Server) -> AsyncIterator[Shop]:
    async with entered(on_sqlite) as shop:
        if not (await shop.do("Order", "Count")).count:
            await _fill(shop)
        yield shop


def _cpu(server: Server) -> float:
    """Seconds of work so far, of all its threads."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def _works(server: Server, seconds: float) -> None:
    """Wait until it has worked so long."""
    begun = _cpu(server)
    async with asyncio.timeout(120):
        while _cpu(server) - begun < seconds:
            await asyncio.sleep(0.05)


async def _rests(server: Server) -> None:
    """Wait until it has next to nothing to do."""
    async with asyncio.timeout(60):
        while True:
            begun = _cpu(server)
            await asyncio.sleep(0.5)
            if _cpu(server) - begun < 0.1:
                return


def _count(shop: Shop, **more: Any) -> Any:
    return shop.begun("Order", "Count", shop.asked("Order", "Count", filter=_SLOW), **more)


async def test_a_deadline_that_passes_ends_the_query_on_sqlite(on_sqlite: Server, slow: Shop) -> None:
    begun = _cpu(on_sqlite)
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await _count(slow, timeout=0.05)
    assert late.value.code() is Status.DEADLINE_EXCEEDED
    await _rests(on_sqlite)
    # The whole of it would take many times as long, as the next test shows.
    assert _cpu(on_sqlite) - begun < 2
    assert (await slow.do("Order", "Count")).count == _ROWS


async def test_a_call_that_is_cancelled_ends_its_query_on_sqlite(on_sqlite: Server, slow: Shop) -> None:
    call = _count(slow)
    await _works(on_sqlite, 3)
    assert not call.done()
    call.cancel()
    await _rests(on_sqlite)
    assert (await slow.do("Order", "Count")).count == _ROWS


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
async def test_a_deadline_that_passes_ends_the_query_on_postgres(tmp_path: Path) -> None:
    uri = uri_of("postgres", tmp_path)
    with Server(tmp_path / "data", SHOP, DB_DIALECT="postgres", SGBD_URI=uri, **_LONG) as server:
        looker = await asyncpg.connect(uri)
        try:
            async with entered(server) as shop:
                assert (await shop.do("Order", "Count")).count == 0
                locked = looker.transaction()
                await locked.start()
                # Whoever looks waits now, for ever.
                await looker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
                for end in ("deadline", "cancel"):
                    call = _count(shop, timeout=0.05 if end == "deadline" else None)
                    if end == "cancel":
                        await _until(looker, 1)
                        call.cancel()
                        with pytest.raises(asyncio.CancelledError):
                            await call
                    else:
                        with pytest.raises(grpc.aio.AioRpcError) as late:
                            await call
                        assert late.value.code() is Status.DEADLINE_EXCEEDED
                    await _until(looker, 0)
                await locked.rollback()
                assert (await shop.do("Order", "Count")).count == 0
        finally:
            await looker.close()
    assert "Traceback" not in server.log()


async def _until(looker: Any, count: int) -> None:
    """Wait until so many wait for the lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = time.monotonic() + 60
    while await looker.fetchval(waiting) != count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
