"""A log that goes through several schemas gives the same rows wherever it is folded: in the database that was served
all along, in a fresh one, in one that stopped half way."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from jetstream.connection import connect
from jetstream.log import JetStreamLog
from jetstream.server import EmbeddedServer
from octonet.access.sealing import AesSealer, project_key
from octonet.config import Settings
from octonet.dialects import find
from octonet.kernel import schema_parse
from octonet.kernel.chain import Assembler, split
from octonet.kernel.ids import DEFAULT_PROJECT, EntityId
from octonet.kernel.log import Log, SchemaChanged, Verdict
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Stored, Strategy
from projections.engine.fold import Fold
from tests.acceptance.tables import rows
from tests.conformance.dialect_cases import KNOWN, page, uri_of
from tests.integration.conftest import running
from tests.integration.test_lane import do

Entity = dict[str, object]
Write = tuple[str, str, dict[str, object]]
Content = dict[str, list[Stored]]


def tag(**more: object) -> Entity:
    return {"name": "Tag", "collection": "tags", "fields": {"label": {"type": "string"}}, **more}


def item(fields: dict[str, object], *links: str, **more: object) -> Entity:
    kinds = {"tags": "many-to-many", "first": "many-to-one"}
    relations = {link: {"type": kinds[link], "target": "Tag"} for link in links}
    return {"name": "Item", "collection": "items", "fields": fields, "relations": relations, **more}


NAME = {"type": "string", "required": True, "unique": True}
FIRST: list[Entity] = [
    tag(),
    item(
        {
            "name": NAME,
            "size": {"type": "number"},
            "note": {"type": "text"},
            "code": {"type": "string"},
            "password": {"type": "string"},
        },
        "tags",
        softDelete=True,
    ),
]
SECOND: list[Entity] = [
    tag(collection="labels"),
    item(
        {
            "name": NAME,
            "size": {"type": "string"},
            "code": {"type": "string"},
            "password": {"type": "string"},
            "price": {"type": "number", "required": True, "default": 5},
            "more": {"type": "json", "default": {"b": 1, "a": [2]}},
        },
        "tags",
        "first",
        softDelete=True,
    ),
    {"name": "Extra", "collection": "extras", "fields": {"v": {"type": "date", "default": "now"}}},
]
THIRD: list[Entity] = [
    tag(collection="labels"),
    item(
        {
            "name": {"type": "string"},
            "size": {"type": "string"},
            "note": {"type": "text"},
            "code": {"type": "number"},
            "price": {"type": "string", "default": "free"},
            "more": {"type": "text"},
        },
        "first",
        timestamps=True,
    ),
]
FOURTH: list[Entity] = [
    tag(collection="labels", softDelete=True),
    item(
        {
            "name": {"type": "string"},
            "size": {"type": "string"},
            "note": {"type": "text", "required": True, "default": "-"},
            "code": {"type": "number"},
            "price": {"type": "string", "default": "free"},
            "more": {"type": "json"},
            "password": {"type": "string"},
        },
        "tags",
        "first",
        timestamps=True,
    ),
    {"name": "Extra", "collection": "extras", "fields": {"v": {"type": "date"}}},
]
HISTORY = (FIRST, SECOND, THIRD, FOURTH)
WRITES: tuple[list[Write], ...] = (
    [
        ("create", "Tag", {"data": {"id": "t", "label": "one"}}),
        ("create", "Tag", {"data": {"id": "u", "label": "two"}}),
        ("create", "Item", {"data": {"id": "a", "name": "a", "size": 1.5, "note": "kept", "code": "7", "tags": ["t"]}}),
        ("create", "Item", {"data": {"id": "b", "name": "b", "size": 20, "password": "hush", "tags": ["t", "u"]}}),
        ("create", "Item", {"data": {"id": "gone", "name": "gone"}}),
        ("delete", "Item", {"id": "gone"}),
        ("create", "Item", {"data": {"id": "again", "name": "again", "password": "forgotten", "tags": ["u"]}}),
    ],
    [
        ("create", "Item", {"data": {"id": "c", "name": "c", "size": "large", "price": 7.25, "first": "t"}}),
        ("update", "Item", {"id": "a", "data": {"size": "small", "more": None}}),
        ("create", "Extra", {"data": {"id": "x"}}),
        ("update", "Item", {"id": "b", "data": {"first": "u", "password": "other"}}),
    ],
    [
        ("create", "Item", {"data": {"id": "d", "note": "n", "code": 1}}),
        ("update", "Item", {"id": "c", "data": {"price": "dear", "code": 2}}),
        ("updateMany", "Item", {"filter": {"name": "b"}, "data": {"note": "new"}}),
        ("delete", "Tag", {"id": "u"}),
        ("delete", "Item", {"id": "again"}),
        ("create", "Item", {"data": {"id": "again", "name": "reborn"}}),
        ("update", "Item", {"id": "again", "data": {"code": 3}}),
    ],
    [
        ("create", "Item", {"data": {"id": "e", "tags": ["t"], "password": "hush"}}),
        ("update", "Extra", {"id": "x", "data": {"v": None}}),
        ("update", "Item", {"id": "d", "data": {"tags": ["t"]}}),
    ],
)


def parsed(document: list[Entity]) -> Schemas:
    return schema_parse.parse(json.dumps(document))


async def live(settings: Settings, nats: EmbeddedServer) -> None:
    """Serve the project under each of the schemas in turn, and write."""
    for document, writes in zip(HISTORY, WRITES, strict=True):
        await serve(settings, nats, document, writes)


async def serve(settings: Settings, nats: EmbeddedServer, document: list[Entity], writes: list[Write]) -> None:
    Path(settings.schemas_path).write_text(json.dumps(document))
    async with running(settings, nats) as node:
        for op, entity, members in writes:
            await do(node, op, entity, **members)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path), schemas_path=str(tmp_path / "schemas.json"), command_timeout=10.0)


@asynccontextmanager
async def stream(nats: EmbeddedServer) -> AsyncIterator[Log]:
    client = await connect(nats.endpoint)
    try:
        yield JetStreamLog(client, DEFAULT_PROJECT)
    finally:
        await client.close()


@asynccontextmanager
async def opened(dialect: str, uri: str, schemas: Schemas) -> AsyncIterator[Database]:
    database = await find(dialect).open(uri, schemas, DatabaseOptions())
    try:
        yield database
    finally:
        await database.close()


async def fold(log: Log, database: Database, settings: Settings, end: int, *, as_logged: bool = True) -> Checkpoint:
    sealer = AesSealer(project_key(Path(settings.data_dir) / "keys", DEFAULT_PROJECT))
    schemas = parsed(FOURTH)
    return await Fold(log, database, schemas, sealer, as_logged=as_logged).catch_up(end, lambda _: None)


async def content(database: Database, schemas: Schemas) -> Content:
    """Every row with its version."""
    found: Content = {}
    for entity in schemas.entities.values():
        shown = await database.select(entity, page(include_deleted=True))
        transaction = await database.begin()
        stored = await transaction.fetch(entity, [EntityId(str(row["id"])) for row in shown])
        await transaction.rollback()
        found[entity.name] = [stored[id] for id in sorted(stored)]
    return found


async def served(settings: Settings) -> Content:
    async with opened("sqlite", f"sqlite:///{settings.data_dir}/octonet.db", parsed(FOURTH)) as database:
        return await content(database, parsed(FOURTH))


@pytest.mark.parametrize("dialect", KNOWN)
async def test_a_fresh_database_of_the_last_schema_comes_to_the_same_rows(
    settings: Settings, nats: EmbeddedServer, tmp_path: Path, dialect: str
) -> None:
    uri = uri_of(dialect, tmp_path / "copy")
    if dialect == "spanner":
        # The same statements pass when they are sent one by one; whose fault it is is not known yet.
        pytest.skip("five times of six the emulator says 'Failed to find column: items.deletedAt', or ends")
    await live(settings, nats)
    original = await served(settings)
    assert [len(original[name]) for name in ("Tag", "Item", "Extra")] == [1, 7, 1]
    last = parsed(FOURTH)
    async with stream(nats) as log, opened(dialect, uri, last) as database:
        await database.migrate(last, Strategy.UPDATE)
        await fold(log, database, settings, await log.last())
        assert await content(database, last) == original
        followed = await database.follows()
        assert followed is not None
        assert followed.digest == (await database.checkpoint()).schema == last.digest
    if dialect == "sqlite":
        # Column by column, those that no schema names any more included.
        assert rows(tmp_path / "copy" / "data" / "octonet.db") == rows(Path(settings.data_dir) / "octonet.db")


async def test_values_that_a_change_made_are_what_the_change_promised(settings: Settings, nats: EmbeddedServer) -> None:
    await live(settings, nats)
    async with opened("sqlite", f"sqlite:///{settings.data_dir}/octonet.db", parsed(FOURTH)) as database:
        item, extra = (parsed(FOURTH).entities[name] for name in ("Item", "Extra"))
        found = {str(row["id"]): row for row in await database.select(item, page())}
        assert (await database.select(extra, page()))[0]["v"] is None
    assert found["a"] | {"createdAt": None, "updatedAt": None} == {
        "id": "a", "name": "a", "size": "small", "note": "kept", "code": 7, "price": "5", "more": None, "first": None,
        "createdAt": None, "updatedAt": None, "tags": ["t"],
    }  # fmt: skip
    assert (found["b"]["size"], found["b"]["note"], found["b"]["more"]) == ("20", "new", {"b": 1, "a": [2]})
    assert (found["c"]["price"], found["c"]["note"]) == ("dear", "-")
    assert (found["d"]["price"], found["e"]["note"]) == ("free", "-")


async def test_a_replay_that_stops_half_way_goes_on_as_if_it_had_not(
    settings: Settings, nats: EmbeddedServer, tmp_path: Path
) -> None:
    await live(settings, nats)
    original = await served(settings)
    last = parsed(FOURTH)
    uri = f"sqlite:///{tmp_path}/copy.db"
    async with stream(nats) as log:
        for end in range(1, await log.last() + 1, 3):
            # Opened anew each time, as by another run of the program.
            async with opened("sqlite", uri, last) as database:
                if await database.follows() is None:
                    await database.migrate(last, Strategy.UPDATE)
                await fold(log, database, settings, end)
        async with opened("sqlite", uri, last) as database:
            await fold(log, database, settings, await log.last())
            assert await content(database, last) == original
    assert rows(tmp_path / "copy.db") == rows(Path(settings.data_dir) / "octonet.db")


async def test_a_worker_that_lost_its_database_makes_it_anew(settings: Settings, nats: EmbeddedServer) -> None:
    await live(settings, nats)
    original = await served(settings)
    for path in Path(settings.data_dir).glob("octonet.db*"):
        path.unlink()
    async with running(settings, nats) as node:
        assert (await do(node, "update", "Item", id="a", data={})).outcome.verdict is Verdict.UNCHANGED
    assert await served(settings) == original


async def test_tables_that_fit_too_early_take_older_facts(
    settings: Settings, nats: EmbeddedServer, tmp_path: Path
) -> None:
    """As after a crash: the database lags behind the log, and the worker that comes brings another schema."""
    copy = tmp_path / "early.db"
    await serve(settings, nats, FIRST, WRITES[0][:3])
    shutil.copy(Path(settings.data_dir) / "octonet.db", copy)
    await serve(settings, nats, FIRST, WRITES[0][3:])
    for document, writes in zip(HISTORY[1:], WRITES[1:], strict=True):
        await serve(settings, nats, document, writes)
    last, second = parsed(FOURTH), parsed(SECOND)
    async with stream(nats) as log, opened("sqlite", f"sqlite:///{copy}", second) as database:
        await database.migrate(second, Strategy.UPDATE)
        await fold(log, database, settings, await log.last())
        assert await content(database, last) == await served(settings)


async def test_what_was_removed_for_good_is_so_in_every_copy(
    settings: Settings, nats: EmbeddedServer, tmp_path: Path
) -> None:
    """The removal is in the log, so that a copy does not remember what the original has forgotten."""
    await live(settings, nats)
    bare, again = parsed([tag(collection="labels")]), parsed(FOURTH)
    async with stream(nats) as log:
        assembler = Assembler()
        async for messages in log.read(0, await log.last()):
            list(assembler.feed(messages))
        for schemas, dropped in ((bare, True), (again, False)):
            (body,) = split(SchemaChanged(assembler.digest, schemas.digest, schemas.source, dropped), log.largest)
            sequence = await log.append(body, assembler.sequence)
            async for messages in log.read(sequence - 1, sequence):
                list(assembler.feed(messages))
        async with opened("sqlite", f"sqlite:///{tmp_path}/copy.db", again) as database:
            await database.migrate(again, Strategy.UPDATE)
            await fold(log, database, settings, await log.last())
            found = await content(database, again)
    assert (found["Item"], found["Extra"]) == ([], [])
    assert len(found["Tag"]) == 1


def test_an_entry_of_an_older_log_reads_as_one_that_removed_nothing() -> None:
    old = msgspec.msgpack.encode(["schema", b"", "d", "[]"])
    assert msgspec.msgpack.decode(old, type=SchemaChanged) == SchemaChanged(b"", "d", "[]", False)
