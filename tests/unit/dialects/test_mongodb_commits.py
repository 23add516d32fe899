"""MongoDB: commits that are cut short, owners that were overtaken, looks at everything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from octonet import dialects
from octonet.dialects.engine import mongodb_ledger
from octonet.dialects.engine.mongodb_server import Abilities, Server
from octonet.dialects.mongodb import MongodbDatabase
from octonet.kernel import schema_parse
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.filter import EVERYTHING, Compare, Comparison
from octonet.kernel.ids import CommandId, EntityId, JsonValue
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Remembered, Strategy, Transaction
from tests import mongodb
from tests.conformance.dialect_cases import PERSON, SCHEMAS, USER, found, opened, page, state, stored, uri_of, write

T = TypeVar("T")


class Cut(StorageUnavailable):
    """The process ends here."""


@pytest.fixture(autouse=True)
def needs_a_server() -> None:
    if reason := mongodb.missing():
        pytest.skip(reason)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened("mongodb", tmp_path) as database:
        yield database


async def opened_at(uri: str, schemas: Schemas = SCHEMAS) -> MongodbDatabase:
    database = await dialects.find("mongodb").open(uri, schemas, DatabaseOptions())
    assert isinstance(database, MongodbDatabase)
    return database


# Commits that are cut short


class Cutting:
    """Lets so many exchanges with the server happen, and ends the process at the next one, before or behind it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left = -1
        self.behind = False
        done = Server.written

        async def written(server: Server, what: str, work: Awaitable[T]) -> T:
            if self.left != 0:
                self.left -= 1
                return await done(server, what, work)
            self.left = -1
            if self.behind:
                await done(server, what, work)
            elif asyncio.iscoroutine(work):
                work.close()
            raise Cut(what)

        patch.setattr(Server, "written", written)


async def _written(transaction: Transaction) -> None:
    """Rows that are new, changed, gone, and gone and new again; a command; the checkpoint."""
    await transaction.delete(USER, [EntityId("gone"), EntityId("anew")])
    await transaction.insert(USER, [stored(USER, "anew", email="again"), stored(USER, "new", email="gone")])
    await transaction.update(USER, [(1, stored(USER, "kept", 2, email="changed"))])
    await transaction.insert(PERSON, [stored(PERSON, "p", active=True, groups=["g"])])
    await transaction.remember([Remembered(CommandId("c"), 2)])
    await transaction.move_checkpoint(Checkpoint(2, 2, b"two", "s"))


async def _look(uri: str) -> tuple[int, list[tuple[str, JsonValue]], list[str], int | None]:
    """What stands when somebody else begins, and that the next commit goes well."""
    database = await opened_at(uri)
    try:
        transaction = await database.begin()
        await transaction.move_checkpoint(await transaction.checkpoint())
        await transaction.commit()
        users = [(str(row["id"]), row["email"]) for row in await database.select(USER, page())]
        people = await found(database, PERSON, Compare("active", Comparison.EQ, True))
        recalled = await database.recall(CommandId("c"))
        return (await database.checkpoint()).entry, users, people, recalled
    finally:
        await database.close()


@pytest.mark.parametrize("large", [False, True])
async def test_a_commit_that_is_cut_short_anywhere_is_whole_or_never_was(
    large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(mongodb_ledger, "_INLINE", 0)
        monkeypatch.setattr(mongodb_ledger, "_CHUNK", 100)
    cutting = Cutting(monkeypatch)
    seen: list[int] = []
    before: tuple[object, ...] = (1, [("anew", "anew"), ("gone", "gone"), ("kept", "kept")], [], None)
    after: tuple[object, ...] = (2, [("anew", "again"), ("kept", "changed"), ("new", "gone")], ["p"], 2)
    for number in range(100):
        uri = uri_of("mongodb", tmp_path / str(number))
        async with opened("mongodb", tmp_path / str(number)) as database:
            rows = [stored(USER, id, email=id) for id in ("gone", "anew", "kept")]
            transaction = await database.begin()
            await transaction.insert(USER, rows)
            await transaction.move_checkpoint(Checkpoint(1, 1, b"one", "s"))
            await transaction.commit()
            transaction = await database.begin()
            await _written(transaction)
            cutting.left, cutting.behind = number // 2, bool(number % 2)
            try:
                await transaction.commit()
            except Cut:
                cut = True
            else:
                cut = False
            cutting.left = -1
        there = await _look(uri)
        assert there in (before, after)
        seen.append(there[0])
        if not cut:
            break
    assert seen == sorted(seen)
    assert set(seen) == {1, 2}
    assert not cut


def _shop(**fields: object) -> Schemas:
    tag = {"name": "Tag", "collection": "tags", "fields": {}}
    relations = {"tags": {"type": "many-to-many", "target": "Tag"}}
    item = {"name": "Item", "collection": "items", "fields": fields, "relations": relations}
    return schema_parse.parse(json.dumps([item, tag]))


async def test_a_migration_that_is_cut_short_anywhere_is_whole_or_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cutting = Cutting(monkeypatch)
    small, large = (
        _shop(size={"type": "string"}),
        _shop(size={"type": "number"}, price={"type": "number", "default": 2}),
    )
    outcomes = set[str]()
    for number in range(100):
        uri = uri_of("mongodb", tmp_path / str(number))
        async with opened("mongodb", tmp_path / str(number), small) as database:
            item = small.entities["Item"]
            await write(database, item, *(stored(item, id, size=id, tags=["t"]) for id in ("1", "2", "3")))
            cutting.left, cutting.behind = number // 2, bool(number % 2)
            try:
                await database.migrate(large, Strategy.UPDATE)
            except Cut:
                cut = True
            else:
                cut = False
            cutting.left = -1
        again = await opened_at(uri, small)
        # Whoever writes next finishes what was left half done.
        await (await again.begin()).rollback()
        followed = await again.follows()
        assert followed is not None
        outcomes.add(followed.digest)
        schemas = large if followed.digest == large.digest else small
        await again.migrate(schemas, Strategy.UPDATE)
        shape = schemas.entities["Item"]
        more: dict[str, JsonValue] = {"price": 2} if schemas is large else {}
        assert await again.select(shape, page()) == [
            state(shape, id, size=int(id) if schemas is large else id, tags=["t"], **more) for id in ("1", "2", "3")
        ]
        await again.close()
        if not cut:
            break
    assert not cut
    assert outcomes == {small.digest, large.digest}


# Owners that were overtaken


async def test_an_owner_that_was_overtaken_commits_nothing(database: Database, tmp_path: Path) -> None:
    other = await opened_at(uri_of("mongodb", tmp_path))
    late = await database.begin()
    await late.insert(USER, [stored(USER, "late", email="late")])
    await write(other, USER, stored(USER, "early", email="early"))
    with pytest.raises(StorageUnavailable, match="another process wrote"):
        await late.commit()
    assert await found(database, USER, EVERYTHING) == ["early"]
    await other.close()


@pytest.mark.parametrize("trusted", [60, 0])
async def test_what_an_owner_noted_is_not_written_over_what_its_successor_wrote_since(
    trusted: float, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongodb_ledger, "_TRUSTED", trusted)
    await write(database, USER, stored(USER, "u", email="one"))
    noted, go_on = asyncio.Event(), asyncio.Event()
    carry_out = mongodb_ledger.Ledger._carry_out

    async def frozen(ledger: mongodb_ledger.Ledger, *what: Any, again: bool, since: float) -> None:
        if not again and not noted.is_set():
            noted.set()
            await go_on.wait()
        await carry_out(ledger, *what, again=again, since=since)

    monkeypatch.setattr(mongodb_ledger.Ledger, "_carry_out", frozen)
    transaction = await database.begin()
    await transaction.update(USER, [(1, stored(USER, "u", 2, email="two"))])
    await transaction.insert(USER, [stored(USER, id, email=id) for id in ("v", "gone")])
    late = asyncio.create_task(transaction.commit())
    await noted.wait()
    other = await opened_at(uri_of("mongodb", tmp_path))
    successor = await other.begin()
    await successor.update(USER, [(2, stored(USER, "u", 3, email="three")), (1, stored(USER, "v", 2, email="w"))])
    if not trusted:
        await successor.delete(USER, [EntityId("gone")])
    await successor.commit()
    go_on.set()
    with pytest.raises(StorageUnavailable):
        await late
    rows = await other.select(USER, page())
    assert [row["email"] for row in rows] == (["gone", "three", "w"] if trusted else ["three", "w"])
    assert await other.version(USER, EntityId("u")) == 3
    await other.close()


# Transactions of the server


async def test_where_the_server_has_transactions_a_commit_is_one(database: Database, tmp_path: Path) -> None:
    """The stand-in keeps them from each other in nothing; it does undo one that is given up."""
    assert isinstance(database, MongodbDatabase)
    other = await opened_at(uri_of("mongodb", tmp_path))
    for one in (database, other):
        one._server._abilities = Abilities(True, "set")
    await write(database, USER, stored(USER, "a", email="a"), stored(USER, "b", email="b"))
    late = await database.begin()
    await late.delete(USER, [EntityId("a")])
    await late.insert(USER, [stored(USER, "c", email="a")])
    await write(other, USER, stored(USER, "d", email="d"))
    with pytest.raises(StorageUnavailable):
        await late.commit()
    assert await found(other, USER, EVERYTHING) == ["a", "b", "d"]
    again = await database.begin()
    await again.delete(USER, [EntityId("a")])
    await again.insert(USER, [stored(USER, "c", email="a")])
    await again.move_checkpoint(Checkpoint(5, 5, b"d", "s"))
    await again.commit()
    assert await found(other, USER, EVERYTHING) == ["b", "c", "d"]
    assert await other.checkpoint() == Checkpoint(5, 5, b"d", "s")
    await other.close()


# Looks at everything


async def test_a_look_at_everything_is_of_one_moment_though_another_process_writes_all_the_while(
    database: Database, tmp_path: Path
) -> None:
    other = await opened_at(uri_of("mongodb", tmp_path))
    over = asyncio.Event()

    async def writing() -> int:
        number = 0
        while not over.is_set():
            number += 1
            transaction = await other.begin()
            if number > 1:
                await transaction.delete(USER, [EntityId(f"u{number - 1}")])
            await transaction.insert(USER, [stored(USER, f"u{number}", email="only one has it")])
            await transaction.insert(PERSON, [stored(PERSON, f"p{number}", age=number)])
            await transaction.move_checkpoint(Checkpoint(number, 0, b"", ""))
            await transaction.commit()
        return number

    task = asyncio.create_task(writing())
    for _ in range(5):
        async with database.snapshot() as look:
            entry = (await look.checkpoint()).entry
            assert [row.id for row in await look.rows(USER, "", 9)] == ([f"u{entry}"] if entry else [])
            assert len(await look.rows(PERSON, "", 10_000)) == entry
    over.set()
    assert await task > 5
    await other.close()


async def test_commits_do_not_wait_for_a_look_whose_process_died(database: Database) -> None:
    assert isinstance(database, MongodbDatabase)
    held = await database._ledger.hold(database._layout, "", "somebody")
    assert held is not None
    await write(database, USER, stored(USER, "a", email="a"))
    assert await found(database, USER, EVERYTHING) == ["a"]
