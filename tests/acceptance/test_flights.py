"""The flights: 13,376 rows written by 32 clients, told exactly once to everyone, and replayed exactly."""

from __future__ import annotations

import asyncio
import csv
import json
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import nats
import pytest

from jetstream.endpoint import Endpoint
from jetstream.server import find_running
from tests import hsqldb, mariadb, mongodb, postgres
from tests.acceptance.checker import Told
from tests.acceptance.tables import content, rows
from tests.acceptance.writers import Writer
from tests.running import FLIGHTS, ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
_AIRPORTS, _FLIGHTS, _WRITERS, _CUTS = 3376, 10_000, 32, 10


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("flights") / "data", FLIGHTS / "schemas.json") as found:
        yield found
        assert "Traceback" not in found.log()


def _airports() -> list[Any]:
    numbers = ("latitude", "longitude")
    with (FLIGHTS / "airports.csv").open(newline="") as file:
        return [
            {name: float(text) if name in numbers else text or None for name, text in row.items()}
            for row in csv.DictReader(file)
        ]


def _flights() -> list[Any]:
    return [json.loads(line) for line in (FLIGHTS / "flights.ndjson").read_text().splitlines()]


def _endpoint(server: Server) -> Endpoint:
    found = find_running(server.directory / "nats")
    assert found is not None
    return found


async def _load(server: Server, collection: str, records: list[Any]) -> None:
    """Create every record through REST, by 32 concurrent clients."""
    left = iter(records)

    async def write(session: aiohttp.ClientSession) -> None:
        for record in left:
            async with session.post(f"/api/v1/{collection}", json=record) as response:
                assert response.status == 201, await response.text()

    async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(limit=_WRITERS)) as session:
        await asyncio.gather(*(write(session) for _ in range(_WRITERS)))


class _Stream:
    """A client of server-sent events that loses its connection now and then, and resumes where it was."""

    def __init__(self, server: Server) -> None:
        self._url = server.url
        self.seen: list[tuple[str, str]] = []
        """(event, id of the row) of each fact, in the order of their coming."""
        self.tokens: list[str] = []
        self.cuts = 0
        self._dice = random.Random(11)

    async def run(self, wanted: int) -> None:
        """Listen until so many facts are there."""
        async with aiohttp.ClientSession(self._url) as session:
            while len(self.seen) < wanted:
                stop = self._dice.randrange(200, 1200) + len(self.seen) if self.cuts < _CUTS else wanted
                headers = {"Last-Event-ID": self.tokens[-1]} if self.tokens else {}
                async with session.get("/events?entity=Flight", headers=headers) as response:
                    assert response.status == 200
                    await self._read(response.content, min(stop, wanted))
                self.cuts += 1

    async def _read(self, lines: aiohttp.StreamReader, stop: int) -> None:
        token = event = ""
        while len(self.seen) < stop:
            name, _, value = (await lines.readline()).decode().rstrip("\n").partition(": ")
            if name == "id":
                token = value
            elif name == "event":
                event = value
            elif name == "data" and event != "connected":
                self.seen.append((event, json.loads(value)["id"]))
                self.tokens.append(token)


async def test_every_flight_is_written_once_and_told_once_to_every_listener(server: Server) -> None:
    flights = _flights()
    wanted = {flight["id"] for flight in flights}
    await _load(server, "airports", _airports())
    endpoint = _endpoint(server)
    client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)
    subscription = await client.subscribe("mostajs.Flight.*", pending_msgs_limit=0, pending_bytes_limit=0)
    await client.flush()
    stream = _Stream(server)
    listening = asyncio.create_task(stream.run(_FLIGHTS))
    await _load(server, "flights", flights)
    async with asyncio.timeout(180):
        await listening
        told = [await subscription.next_msg(timeout=60) for _ in range(_FLIGHTS)]
    async with aiohttp.ClientSession(server.url) as session:
        for collection, number in (("airports", _AIRPORTS), ("flights", _FLIGHTS)):
            async with session.get(f"/api/v1/{collection}/count") as response:
                assert (await response.json())["data"] == number
    assert {message.subject for message in told} == {"mostajs.Flight.created"}
    assert Counter(json.loads(message.data)["id"] for message in told) == Counter(wanted)
    with pytest.raises(TimeoutError):
        await subscription.next_msg(timeout=0.2)
    await client.close()
    assert stream.cuts > _CUTS
    assert Counter(stream.seen) == Counter(("entity.created", id) for id in wanted)
    # In the order of the log: the feed carries the same positions in the same order.
    assert stream.tokens == [message.headers["Octonet-Position"] for message in told if message.headers]


def _replay(server: Server, target: Path | str, *more: str) -> str:
    """What `octonet replay` says; it runs beside the server."""
    uri = target if isinstance(target, str) else f"sqlite:///{target}"
    done = subprocess.run(
        server.command("replay", "--to", uri, "--quiet", *more),
        env=server.environment(), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _proved(printed: str) -> dict[str, tuple[int, str]]:
    """Rows and hash of each entity, as a replay tells them that found them equal to those of the live database."""
    assert "equal to the live database in all" in printed
    told = (line.split() for line in printed.splitlines() if line.startswith("  "))
    return {name: (int(number), digest) for digest, number, name in told}


def test_a_replay_of_the_flights_equals_the_original_row_for_row(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    assert _proved(_replay(server, target))["Flight"][0] == _FLIGHTS
    assert rows(target) == rows(server.directory / "octonet.db")
    assert len(rows(target)["flights"]) == _FLIGHTS
    before = content(target)
    assert "0 log entries folded" in _replay(server, target)
    assert content(target) == before


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("shop") / "data", SHOP) as found:
        yield found


async def _write(shop: Server, seed: int) -> list[Told]:
    """Two hundred random writes of every kind, some of them with links."""
    told: list[Told] = []
    writer = Writer(lambda: shop.url, told, seed)
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            await writer.once(session)
    return told


async def test_a_replay_of_every_command_has_the_links_and_stops_where_it_is_told(shop: Server, tmp_path: Path) -> None:
    original = shop.directory / "octonet.db"
    position = [one.position for one in await _write(shop, 1) if one.position][-1]
    half = rows(original)
    copies = [tmp_path / f"{name}.db" for name in ("position", "time", "whole")]
    await asyncio.sleep(0.01)  # so that the moment lies between the commands, which are timed to the millisecond
    mark = {"label": "the moment"}
    async with aiohttp.ClientSession(shop.url) as session, session.post("/api/v1/tags", json=mark) as response:
        moment = (await response.json())["data"]["id"]
    milliseconds = int(moment.replace("-", "")[:12], 16) - 1
    await _write(shop, 2)
    whole = rows(original)
    assert half != whole
    assert whole["customer_tags"]
    assert "not held against the live database" in _replay(shop, copies[0], "--until", position)
    assert rows(copies[0]) == half
    _replay(shop, copies[1], "--until", _iso(milliseconds))
    assert rows(copies[1]) == half
    for copy in copies:
        _replay(shop, copy)
        assert rows(copy) == whole
    before = content(copies[2])
    assert "0 log entries folded" in _replay(shop, copies[2])
    assert content(copies[2]) == before


@pytest.mark.parametrize("kind", [postgres, mariadb, hsqldb, mongodb])
async def test_a_replay_into_a_database_server_equals_the_sqlite_original_row_for_row(
    kind: ModuleType, server: Server, shop: Server, tmp_path: Path
) -> None:
    if reason := kind.missing():
        pytest.skip(reason)
    await _write(shop, 3)
    for number, origin in enumerate((server, shop)):
        target = kind.server().uri(tmp_path / str(number))
        assert _proved(_replay(origin, target)) == _proved(_replay(origin, tmp_path / f"{number}.db"))
        whole = rows(origin.directory / "octonet.db")
        assert any(whole.values())
        assert rows(target) == whole
        before = content(target)
        assert "0 log entries folded" in _replay(origin, target)
        assert content(target) == before


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
