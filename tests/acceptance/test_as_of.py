"""Time travel: what a query is told as of a moment is what a fold of the facts up to that moment holds."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from octonet.access.sealing import derived, project_key
from octonet.data_directory import DataDirectory
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.position import Position, Positions
from tests.acceptance.folded import Fold, facts
from tests.conformance.clients import enter
from tests.running import Server

SCHEMAS = Path(__file__).parent / "past.json"
PEOPLE = [f"p{number:02d}" for number in range(60)]
NOTES = [f"n{number:02d}" for number in range(60)]
TEAMS = [f"t{number}" for number in range(5)]
COMMANDS = 2500
PAIRS = 1000
Body = dict[str, Any]


class Asking:
    """REST, at one server or project."""

    def __init__(self, session: aiohttp.ClientSession, url: str, prefix: str = "") -> None:
        self._session = session
        self._root = f"{url}{prefix}/api/v1"

    async def whole(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Body, str]:
        """Status, body and position."""
        async with self._session.request(method, self._root + path, json=body, params=query) as reply:
            return reply.status, await reply.json(), reply.headers.get("Octonet-Position", "")

    async def position(self, method: str, path: str, body: Any = None) -> str:
        """The position of a write that must succeed."""
        status, told, position = await self.whole(method, path, body)
        assert status < 300, told
        return position

    async def data(self, path: str, **query: str) -> Any:
        status, told, _ = await self.whole("GET", path, **query)
        assert status == 200, told
        return told["data"]

    async def code(self, path: str, **query: str) -> tuple[int, str]:
        status, told, _ = await self.whole("GET", path, **query)
        return status, told["error"]["code"]


def _command(chance: random.Random) -> tuple[str, str, Any]:
    """A write, drawn at random; it may well be refused."""
    person, note, age = chance.choice(PEOPLE), chance.choice(NOTES), chance.randrange(80)
    teams = sorted(chance.sample(TEAMS, chance.randrange(3)))
    whole = {"age": age, "hobbies": [f"h{age % 3}"], "teams": teams, "password": f"secret {age}"}
    return chance.choice(
        [
            ("POST", "/Person", {"id": person, "email": f"{person}@a.test", **whole}),
            ("POST", "/Person", {"id": person, "email": f"{person}@a.test", **whole}),
            ("PUT", f"/Person/{person}", whole),
            ("PUT", f"/Person/{person}", {"age": age}),
            ("PUT", f"/Person/{person}", {"boss": chance.choice(PEOPLE)}),
            ("POST", f"/Person/{person}/increment", {"field": "age", "amount": 1}),
            ("PUT", "/Person/bulk", {"filter": {"age": {"$lt": 5}}, "data": {"hobbies": ["young"]}}),
            ("DELETE", f"/Person/{person}", None),
            ("POST", "/Note", {"id": note, "text": f"about {person}", "rank": age, "person": person}),
            ("POST", "/Note", {"id": note, "text": f"about {person}", "rank": age, "person": person}),
            ("PUT", f"/Note/{note}", {"rank": age}),
            ("DELETE", f"/Note/{note}", None),
        ]
    )


class Past:
    """A server with a history, and the test's own fold of it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.fold = Fold([])

    async def fill(self) -> None:
        """Many random commands, ten at a time."""
        chance = random.Random(6)
        async with aiohttp.ClientSession() as session:
            asking = Asking(session, self.server.url)
            for team in TEAMS:
                await asking.position("POST", "/Team", {"id": team, "name": team})
            for _ in range(COMMANDS // 10):
                await asyncio.gather(*(asking.whole(*_command(chance)) for _ in range(10)))
            last = await asking.position("POST", "/Team", {"id": "last", "name": "last"})
        while not self.fold.told or self.fold.told[-1].position != last:
            self.fold = Fold(await facts(self.server.directory))


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    with Server(tmp_path_factory.mktemp("past") / "data", SCHEMAS) as server:
        found = Past(server)
        asyncio.run(found.fill())
        yield found
        assert "Traceback" not in server.log()


@pytest.fixture
async def asking(past: Past) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession() as session:
        yield Asking(session, past.server.url)


async def test_a_thousand_random_rows_are_as_a_fold_of_the_facts_has_them(past: Past, asking: Asking) -> None:
    fold, chance = past.fold, random.Random(1)
    ids = [*fold.ids(), ("Person", "never"), ("Note", "never")]
    pairs = [(*chance.choice(ids), chance.randrange(len(fold.told))) for _ in range(PAIRS)]
    seen = 0
    for start in range(0, PAIRS, 20):
        some = pairs[start : start + 20]
        asked = (asking.data(f"/{entity}/{id}", asOf=fold.told[index].position) for entity, id, index in some)
        for (entity, id, index), told in zip(some, await asyncio.gather(*asked), strict=True):
            expected = fold.row(entity, id, index)
            assert told == expected, (entity, id, index)
            seen += expected is not None
    # Not only rows that are not there.
    assert seen > PAIRS // 4


async def test_pages_and_counts_are_as_a_fold_of_the_facts_has_them(past: Past, asking: Asking) -> None:
    fold, chance = past.fold, random.Random(2)
    for _ in range(40):
        index, bound = chance.randrange(len(fold.told)), chance.randrange(80)
        at = fold.told[index].position
        for entity, column in (("Person", "age"), ("Note", "rank")):
            rows = [row for row in fold.rows(entity, index).values() if row[column] >= bound]
            where = json.dumps({column: {"$gte": bound}})
            assert await asking.data(f"/{entity}", filter=where, asOf=at) == rows
            assert await asking.data(f"/{entity}/count", filter=where, asOf=at) == len(rows)
            ranked = sorted(rows, key=lambda row: (-row[column], row["id"]))
            first = await asking.data(f"/{entity}/one", filter=where, sort=json.dumps({column: -1}), asOf=at)
            assert first == next(iter(ranked), None)


async def test_every_row_of_a_moment_in_the_middle_of_a_command_is_as_the_facts_before_it_left_it(
    past: Past, asking: Asking
) -> None:
    fold = past.fold
    commands = [fact.command for fact in fold.told]
    inside = [i for i in range(len(commands) - 1) if commands[i] == commands[i + 1]]
    assert inside, "a change of many rows has several facts"
    for index in random.Random(3).sample(inside, min(10, len(inside))):
        at = fold.told[index].position
        assert await asking.data("/Person", asOf=at) == list(fold.rows("Person", index).values())


async def test_softly_deleted_rows_are_seen_by_whoever_wants_to(past: Past, asking: Asking) -> None:
    fold = past.fold
    index = next(i for i, f in enumerate(fold.told) if f.entity == "Note" and f.fact == "deleted" and f.data)
    gone, at = fold.told[index], fold.told[index].position
    assert await asking.data(f"/Note/{gone.id}", asOf=at) is None
    assert await asking.data(f"/Note/{gone.id}", asOf=at, includeDeleted="true") == gone.data
    [row] = await asking.data("/Note", asOf=at, includeDeleted="true", filter=json.dumps({"id": gone.id}))
    assert row == gone.data


async def test_what_a_row_is_related_to_is_of_the_same_moment(past: Past, asking: Asking) -> None:
    fold, chance = past.fold, random.Random(4)
    checked = 0
    while checked < 20:
        index = chance.randrange(len(fold.told) // 2, len(fold.told))
        people, notes = fold.rows("Person", index), fold.rows("Note", index)
        note = next((n for n in notes.values() if n["person"] in people), None)
        if note is None:
            continue
        at, person = fold.told[index].position, people[note["person"]]
        told = await asking.data(f"/Note/{note['id']}", asOf=at, relations="person")
        assert told == {**note, "person": person}
        whole = await asking.data(f"/Person/{person['id']}", asOf=at, relations="teams,boss")
        teams = [{"id": team, "name": team} for team in person["teams"]]
        assert whole == {**person, "teams": teams, "boss": people.get(person["boss"])}
        checked += 1


async def test_graphql_shows_rows_of_one_moment_below_each_other(past: Past) -> None:
    fold = past.fold
    index = next(i for i in range(len(fold.told) - 1, 0, -1) if any(
        note["person"] in fold.rows("Person", i) for note in fold.rows("Note", i).values()))  # fmt: skip
    people = fold.rows("Person", index)
    query = "query ($at: String) { notes(asOf: $at, limit: 100) { id rank person { id age } } noteCount(asOf: $at) }"
    async with aiohttp.ClientSession() as session:
        body = {"query": query, "variables": {"at": fold.told[index].position}}
        async with session.post(f"{past.server.url}/graphql", json=body) as reply:
            told = (await reply.json())["data"]
    expected = [
        {"id": note["id"], "rank": note["rank"],
         "person": {n: people[note["person"]][n] for n in ("id", "age")} if note["person"] in people else None}
        for note in fold.rows("Note", index).values()
    ]  # fmt: skip
    assert told == {"notes": expected, "noteCount": len(expected)}


@pytest.mark.parametrize("door", ["rest", "graphql", "jsonrpc"])
async def test_a_time_stands_for_the_last_entry_before_it(door: str, tmp_path: Path) -> None:
    schemas = tmp_path / "library.json"
    schemas.write_text((Path(__file__).parents[1] / "conformance" / "library.json").read_text())
    with Server(tmp_path / "data", schemas) as server:
        async with enter(door, server) as call:
            times: list[str] = []
            for label in ("one", "two", "three"):
                op = "create" if label == "one" else "update"
                named = (
                    {"data": {"id": "t", "label": label}} if op == "create" else {"id": "t", "data": {"label": label}}
                )
                assert (await call({"op": op, "entity": "Tag", **named}))[0] == "ok"
                times.append(await _passed())
            for at, label in zip(times, ("one", "two", "three"), strict=True):
                code, told = await call({"op": "findById", "entity": "Tag", "id": "t", "asOf": at})
                assert (code, told["data"]["label"]) == ("ok", label)
            code, told = await call({"op": "count", "entity": "Tag", "asOf": "2020-01-01"})
            assert (code, told["data"]) == ("ok", 0)


async def _passed() -> str:
    """A time with no write near it."""
    found = datetime.now(UTC) + timedelta(milliseconds=2)
    while datetime.now(UTC) < found + timedelta(milliseconds=2):
        await asyncio.sleep(0.001)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_other_positions_are_refused(past: Past, asking: Asking) -> None:
    async with aiohttp.ClientSession() as session:
        schemas = [{"name": "Thing", "collection": "things", "fields": {"n": {"type": "number"}}}]
        async with session.post(f"{past.server.url}/api/projects", json={"name": "other", "schemas": schemas}) as made:
            assert made.status == 201
        other = Asking(session, past.server.url, "/other")
        elsewhere = await other.position("POST", "/Thing", {"n": 1})
        assert (await other.data("/Thing", asOf=elsewhere))[0]["n"] == 1
    assert await asking.code("/Person", asOf=elsewhere) == (400, "INVALID_POSITION")
    positions = _positions(past.server)
    assert await asking.code("/Person/p01", asOf=positions.encode(Position(10**9))) == (400, "INVALID_POSITION")
    assert await asking.code("/Person/p01", asOf="2999-01-01T00:00:00Z") == (400, "INVALID_AS_OF")
    assert await asking.code("/Person/p01", asOf="2026-99-99") == (400, "INVALID_AS_OF")
    assert await asking.code("/Person/search", q="x", asOf=past.fold.told[0].position) == (400, "UNKNOWN_PARAMETER")


def _positions(server: Server) -> Positions:
    key = project_key(DataDirectory(str(server.directory)).keys, DEFAULT_PROJECT)
    return Positions(DEFAULT_PROJECT, derived(key, "positions"))


async def test_rows_of_earlier_schemas_are_told_as_the_schema_has_them_today(tmp_path: Path) -> None:
    with Server(tmp_path / "data", SCHEMAS) as server:
        async with aiohttp.ClientSession(server.url) as session:
            asking = Asking(session, server.url, "/memos")
            fields: Body = {"text": {"type": "text"}, "rank": {"type": "string"}, "old": {"type": "string"}}
            memo: Body = {"name": "Memo", "collection": "memos", "fields": fields}
            async with session.post("/api/projects", json={"name": "memos", "schemas": [memo]}) as made:
                assert made.status == 201
            first = await asking.position("POST", "/Memo", {"id": "m", "text": "a", "rank": "7", "old": "x"})
            second = await asking.position("PUT", "/Memo/m", {"text": "b"})
            fields = {"text": {"type": "text"}, "rank": {"type": "number"}, "mood": {"type": "string", "default": "?"}}
            changed = {"schemas": [{**memo, "fields": fields}], "confirm": True}
            await _change(session, "memos", changed)
            third = await asking.position("PUT", "/Memo/m", {"rank": 8})
            expected = {
                first: {"id": "m", "text": "a", "rank": 7, "mood": "?"},
                second: {"id": "m", "text": "b", "rank": 7, "mood": "?"},
                third: {"id": "m", "text": "b", "rank": 8, "mood": "?"},
            }
            for at, row in expected.items():
                assert await asking.data("/Memo/m", asOf=at) == row
                assert await asking.data("/Memo", asOf=at, filter=json.dumps({"rank": {"$lt": 9}})) == [row]


async def _change(session: aiohttp.ClientSession, project: str, body: Body) -> None:
    async with session.put(f"/api/projects/{project}", json=body) as reply:
        assert reply.status < 300, await reply.text()


async def test_many_processes_share_one_history_and_one_of_them_may_die_over_it(past: Past) -> None:
    fold, others = past.fold, [Server(past.server.directory, SCHEMAS) for _ in range(3)]
    try:
        for other in others:
            other.start("--no-worker", within=60.0)
        _history(past.server).unlink(missing_ok=True)
        async with aiohttp.ClientSession() as session:
            at = fold.told[-1].position
            asked = [asyncio.create_task(_patiently(Asking(session, s.url), "/Person", at)) for s in others]
            while not _history(past.server).exists():
                await asyncio.sleep(0.001)
            others[0].kill()
            told = [await task for task in asked[1:]]
            await asyncio.gather(asked[0], return_exceptions=True)
        expected = list(fold.rows("Person", len(fold.told) - 1).values())
        assert told == [expected] * 2
    finally:
        for other in others:
            other.kill()


def _history(server: Server) -> Path:
    return server.directory / "history" / "default.db"


@pytest.mark.parametrize("how", ["scrambled", "a byte of a row", "of another log", "gone"])
async def test_a_history_that_is_damaged_is_made_anew(how: str, tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SCHEMAS).start()
    try:
        async with aiohttp.ClientSession() as session:
            asking = Asking(session, server.url)
            at = await asking.position("POST", "/Team", {"id": "t", "name": "needle in a row"})
            await asking.position("PUT", "/Team/t", {"name": "other"})
            assert (await asking.data("/Team/t", asOf=at))["name"] == "needle in a row"
        server.stop()
        _damage(_history(server), how)
        server.start()
        async with aiohttp.ClientSession() as session:
            asking = Asking(session, server.url)
            told = await _patiently(asking, "/Team/t", at)
            assert told["name"] == "needle in a row"
            assert await asking.data("/Team/count", asOf=at) == 1
    finally:
        server.kill()


def _damage(file: Path, how: str) -> None:
    if how == "gone":
        file.unlink()
    elif how == "scrambled":
        file.write_bytes(os.urandom(file.stat().st_size))
    elif how == "a byte of a row":
        whole = file.read_bytes()
        assert b"needle" in whole
        file.write_bytes(whole.replace(b"needle", b"beetle"))
    else:
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE mark SET digest = zeroblob(32)")
        connection.close()


async def _patiently(asking: Asking, path: str, at: str) -> Any:
    """The answer, as soon as there is one."""
    while True:
        status, told, _ = await asking.whole("GET", path, asOf=at)
        if status == 200:
            return told["data"]
        assert told["error"]["code"] == "HISTORY_NOT_READY"


async def test_history_goes_with_its_project(past: Past) -> None:
    async with aiohttp.ClientSession(past.server.url) as session:
        schemas = [{"name": "Thing", "collection": "things", "fields": {"n": {"type": "number"}}}]
        file = past.server.directory / "history" / "brief.db"
        for number in (1, 2):
            async with session.post("/api/projects", json={"name": "brief", "schemas": schemas}) as made:
                assert made.status == 201
            asking = Asking(session, past.server.url, "/brief")
            at = await asking.position("POST", "/Thing", {"id": "x", "n": number})
            assert await asking.data("/Thing", asOf=at) == [{"id": "x", "n": number}]
            assert file.exists()
            async with session.delete("/api/projects/brief", params={"deleteDb": "true"}) as gone:
                assert gone.status < 300
            while file.exists():
                await asyncio.sleep(0.02)


async def test_a_project_that_is_paused_tells_nothing_of_its_past(past: Past) -> None:
    async with aiohttp.ClientSession(past.server.url) as session:
        schemas = [{"name": "Thing", "collection": "things", "fields": {"n": {"type": "number"}}}]
        async with session.post("/api/projects", json={"name": "still", "schemas": schemas}) as made:
            assert made.status == 201
        asking = Asking(session, past.server.url, "/still")
        at = await asking.position("POST", "/Thing", {"id": "x", "n": 1})
        await _change(session, "still", {"paused": True})
        assert await asking.code("/Thing/x", asOf=at) == (503, "PROJECT_PAUSED")
        assert await asking.code("/Thing/x/history") == (503, "PROJECT_PAUSED")
        dry = {"Octonet-Dry-Run": "true"}
        async with session.post("/still/api/v1/Thing", json={"n": 2}, headers=dry) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (503, "PROJECT_PAUSED")
