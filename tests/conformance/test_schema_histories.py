"""Random histories of writes and changes of the schema: whoever folds the log, entry by entry or at once, from its
beginning or from half way, ends with the same rows and versions, in what schemas name and in what they gave up."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octonet import dialects
from octonet.access.sealing import AesSealer
from octonet.kernel import schema_parse
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Conflict
from octonet.kernel.event import Event, Fact
from octonet.kernel.ids import CommandId, EntityId, JsonValue, Row
from octonet.kernel.log import Batch, Decision, SchemaChanged, Verdict
from octonet.kernel.schema import EntitySchema, FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Stored, Strategy
from projections.engine.fold import Fold
from tests.acceptance.tables import opened
from tests.conformance.dialect_cases import KNOWN, page, uri_of
from tests.unit.transports.memory import MemoryLog

SEALER = AesSealer(bytes(32))
IDS = [EntityId(id) for id in "abc"]
_VALUES: dict[FieldType, Sequence[JsonValue]] = {
    FieldType.STRING: ("1", "2", "true", "x", "2024-01-02"),
    FieldType.TEXT: ("1", '["y"]', '{"z":1}', ""),
    FieldType.NUMBER: (0, 1, 2.5),
    FieldType.BOOLEAN: (True, False),
    FieldType.DATE: ("2024-01-02T00:00:00.000Z",),
    FieldType.JSON: ("1", 1, ["y"], {"z": 1}),
    FieldType.ARRAY: ([], ["y"]),
}
_SPARE: dict[FieldType, JsonValue] = {FieldType.STRING: "spare", FieldType.NUMBER: 99}
_DEFAULTS = {str(kind): values[0] for kind, values in _VALUES.items()}

kinds = st.sampled_from(["string", "string", "number", "number", "text", "boolean", "date", "json", "array"])
fields = st.builds(
    lambda kind, required, unique, default: {
        "type": kind,
        **({"required": True} if required else {}),
        **({"default": _DEFAULTS[kind]} if default else {}),
        **({"unique": True} if unique and kind in ("string", "number") else {}),
    },
    kinds, st.sampled_from([False, False, True]), st.sampled_from([False, False, True]), st.booleans(),
)  # fmt: skip
items = st.builds(
    lambda name, collection, found, linked: {
        "name": name,
        "collection": collection,
        "fields": found,
        "relations": {"links": {"type": "many-to-many", "target": "Tag"}} if linked else {},
    },
    st.sampled_from(["Item", "Item", "Item", "Thing"]),
    st.sampled_from(["items", "items", "things"]),
    st.dictionaries(st.sampled_from(["one", "two", "three"]), fields, max_size=3),
    st.booleans(),
)
schemas = st.lists(items, max_size=1).map(lambda some: [{"name": "Tag", "collection": "tags", "fields": {}}, *some])
number = st.integers(0, 4)
steps: st.SearchStrategy[tuple[str, object, object]] = st.one_of(
    st.tuples(st.just("schema"), schemas, st.sampled_from([False, False, False, True])),
    st.tuples(st.just("write"), st.sampled_from(IDS), st.lists(number, min_size=4, max_size=4)),
    st.tuples(st.just("write"), st.sampled_from(IDS), st.lists(number, min_size=4, max_size=4)),
    st.tuples(st.just("delete"), st.sampled_from(IDS), st.just([])),
    st.tuples(st.just("swap"), st.sampled_from(IDS), st.just([])),
)


class History:
    """A log, and the database that is served while it is written."""

    def __init__(self, folder: Path) -> None:
        self.log = MemoryLog()
        self.folder = folder
        self.schemas = Schemas({})
        self._commands = count(1)

    async def play(self, script: list[tuple[str, object, object]]) -> None:
        """Do all of it, in order."""
        for what, target, detail in script:
            match what:
                case "schema":
                    await self.change(schema_parse.parse(json.dumps(target)), dropped=bool(detail))
                case "write":
                    assert isinstance(detail, list)
                    await self.write(EntityId(str(target)), detail)
                case "delete":
                    await self.delete(EntityId(str(target)))
                case _:
                    await self.swap(EntityId(str(target)))

    async def open(self) -> Database:
        self.database = await dialects.find("sqlite").open(f"sqlite:///{self.folder}/live.db", FIRST, DatabaseOptions())
        await self.change(FIRST, dropped=False)
        return self.database

    async def change(self, schemas: Schemas, *, dropped: bool) -> None:
        """Where the rows allow it."""
        try:
            await self.database.migrate(schemas, Strategy.UPDATE, drop=dropped)
        except Conflict:
            return
        self.schemas = schemas
        self.log.append(SchemaChanged(self.log.digest, schemas.digest, schemas.source, dropped))
        await self.fold()

    async def fold(self) -> None:
        await Fold(self.log, self.database, self.schemas, SEALER).catch_up(await self.log.last(), lambda _: None)

    @property
    def entity(self) -> EntitySchema | None:
        return next((entity for entity in self.schemas.entities.values() if entity.name != "Tag"), None)

    async def write(self, id: EntityId, numbers: Sequence[int]) -> None:
        schema = self.entity
        if schema is None:
            return
        before = (await self._rows(schema)).get(id)
        state: Row = {}
        for number, field in zip(numbers, schema.fields.values(), strict=False):
            values = _VALUES[field.type]
            state[field.name] = values[number] if number < len(values) else values[0] if field.required else None
        for relation in schema.links:
            state[relation.name] = list(("t", "u")[: numbers[-1] % 3])
        await self._record(schema, [(before, Stored(id, before.version + 1 if before else 1, {"id": id, **state}))])

    async def delete(self, id: EntityId) -> None:
        schema = self.entity
        if schema is not None and (before := (await self._rows(schema)).get(id)):
            await self._record(schema, [(before, None)])

    async def swap(self, id: EntityId) -> None:
        """Two rows exchange all they hold, by way of values that nobody else has."""
        schema = self.entity
        if schema is None:
            return
        there = await self._rows(schema)
        other = next((row for row in there.values() if row.id != id), None)
        one = there.get(id)
        if one is not None and other is not None:
            spare: Row = {name: _SPARE[field.type] for name, field in schema.fields.items() if field.unique}
            aside = Stored(id, one.version + 1, {**one.state, **spare})
            over = Stored(other.id, other.version + 1, {**one.state, "id": other.id})
            back = Stored(id, aside.version + 1, {**other.state, "id": id})
            await self._record(schema, [(one, aside), (other, over), (aside, back)])

    async def _rows(self, schema: EntitySchema) -> dict[EntityId, Stored]:
        transaction = await self.database.begin()
        found = await transaction.fetch(schema, IDS)
        await transaction.rollback()
        return dict(found)

    async def _record(self, schema: EntitySchema, changes: Sequence[tuple[Stored | None, Stored | None]]) -> None:
        """What the constraints allow, as the lane would decide it."""
        transaction = await self.database.begin()
        try:
            for before, after in changes:
                if before and after:
                    await transaction.update(schema, [(before.version, after)])
                elif after:
                    await transaction.insert(schema, [after])
        except Conflict:
            return
        finally:
            await transaction.rollback()
        events = tuple(_event(schema, before, after) for before, after in changes)
        id = CommandId(f"c{next(self._commands):04}")
        decision = Decision(id, "x", schema.name, 0, Actor(), Verdict.APPLIED, events, len(events))
        self.log.append(Batch(self.log.digest, 0, (decision,)))
        await self.fold()


FIRST = schema_parse.parse('[{"name": "Tag", "collection": "tags", "fields": {}}]')


def _event(schema: EntitySchema, before: Stored | None, after: Stored | None) -> Event:
    if after is None:
        assert before is not None
        return Event(Fact.DELETED, schema.name, before.id, before.version + 1, None)
    fact = Fact.CREATED if before is None else Fact.UPDATED
    changed = tuple(name for name in after.state if before is None or before.state[name] != after.state[name])
    return Event(
        fact, schema.name, after.id, after.version, msgspec.json.encode(after.state), changed if before else ()
    )


async def content(database: Database, schemas: Schemas) -> list[object]:
    found: list[object] = []
    for entity in schemas.entities.values():
        transaction = await database.begin()
        rows = await transaction.fetch(entity, IDS)
        await transaction.rollback()
        found.append((entity.name, [rows[id] for id in sorted(rows)], len(await database.select(entity, page()))))
    return found


async def copied(history: History, dialect: str, uri: str, stop: int) -> list[object]:
    """The content of a database that was filled in two goes."""
    last = await history.log.last()
    for end in (min(stop, last), last):
        database = await dialects.find(dialect).open(uri, history.schemas, DatabaseOptions())
        try:
            if await database.follows() is None:
                await database.migrate(history.schemas, Strategy.UPDATE)
            await Fold(history.log, database, history.schemas, SEALER, as_logged=True).catch_up(end, lambda _: None)
            found = await content(database, history.schemas) if end == last else []
        finally:
            await database.close()
    return found


def physical(path: Path) -> dict[str, list[dict[str, object]]]:
    """Every column of every row, by name."""
    with opened(path) as tables:
        return {name: tables.rows(name) for name in tables.names() if not name.startswith("octonet_")}


async def play(folder: Path, script: list[tuple[str, object, object]], dialect: str, stop: int) -> None:
    history = History(folder)
    database = await history.open()
    try:
        await history.play(script)
        original = await content(database, history.schemas)
    finally:
        await database.close()
    copy = folder / "copy"
    assert await copied(history, dialect, uri_of(dialect, copy), stop) == original
    if dialect == "sqlite":
        assert physical(copy / "data" / "octonet.db") == physical(folder / "live.db")


@pytest.mark.parametrize("dialect", KNOWN)
def test_every_fold_of_a_history_comes_to_the_same(dialect: str, tmp_path: Path) -> None:
    uri_of(dialect, tmp_path)

    @settings(
        max_examples=30 if dialect == "sqlite" else 6,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(steps, min_size=6, max_size=24), st.integers(0, 12))
    def run(script: list[tuple[str, object, object]], stop: int) -> None:
        asyncio.run(play(Path(tempfile.mkdtemp(dir=tmp_path)), script, dialect, stop))

    run()
