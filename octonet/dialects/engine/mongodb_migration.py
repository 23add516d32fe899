"""Migrations on MongoDB: what stands is copied into a scratch file and changed there, and what differs then is written
back in one commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final

import bson
import msgspec

from octonet.dialects.engine import standing
from octonet.dialects.engine.mongodb_layout import GRAMMAR, LINKS, TURN, IndexKeys, Layout, Shape, link_key, version_of
from octonet.dialects.engine.mongodb_ledger import Kind, Ledger, State, Write, writing
from octonet.dialects.engine.mongodb_scratch import Line, Scratch, kinds, opened
from octonet.dialects.engine.mongodb_server import Document, Server
from octonet.dialects.engine.mongodb_values import decoded, encoded
from octonet.dialects.engine.standing import Standing, StandingTable
from octonet.kernel.errors import Conflict, Fault, StorageUnavailable
from octonet.kernel.ids import EntityId, JsonValue
from octonet.kernel.schema import ID, VERSION_COLUMN, Schemas
from octonet.kernel.storage import Checkpoint, Followed, Stored, Strategy

_SLOT: Final = "schema"
_AT_ONCE: Final = 2_000


class Noted(msgspec.Struct, frozen=True):
    """What the database itself tells of its collections."""

    digest: str = ""
    source: str = ""
    standing: Standing = Standing()


async def noted(server: Server, layout: Layout) -> Noted | None:
    """The schema that the collections follow, and what stands; None where nothing was noted."""
    find = server.collection(layout.followed).find_one({"_id": _SLOT})
    found = await server.written("find the schema", find)
    if found is None:
        return None
    return Noted(str(found["digest"]), str(found["source"]), standing.read(str(found["standing"])))


def followed(found: Noted, layout: Layout) -> Followed:
    """The same in the words of the port."""
    return Followed(found.digest, found.source, standing.aside(found.standing, layout.model))


class Migration:
    """One migration to a layout."""

    def __init__(self, server: Server, ledger: Ledger, layout: Layout) -> None:
        self._server = server
        self._ledger = ledger
        self._layout = layout
        self._writes: list[Write] = []

    async def run(self, schemas: Schemas, strategy: Strategy, *, drop: bool, mark: Checkpoint | None) -> None:
        """Do it. Raises `Conflict`: then nothing is changed."""
        await self._ledger.make(self._layout)
        state = await self._state()
        found = await noted(self._server, self._layout)
        to = state.checkpoint if mark is None else mark
        if strategy is Strategy.UPDATE:
            if found is None or found.digest != schemas.digest or (drop and followed(found, self._layout).aside):
                await self._update(schemas, state, found, drop=drop)
        elif strategy in (Strategy.CREATE, Strategy.CREATE_DROP):
            await self._remake(schemas, state, found)
            to = mark or Checkpoint()
        else:
            with opened(self._layout) as scratch:
                await self._prepared(scratch, strategy, found)
        if self._writes or to != state.checkpoint:
            await self._ledger.commit(self._layout, state, to, self._writes, noted=True)
        if strategy not in (Strategy.NONE, Strategy.VALIDATE):
            await self._furnish()

    async def remove(self) -> None:
        """Drop everything, the state last."""
        found = await noted(self._server, self._layout)
        names = [*(found.standing.tables if found is not None else ()), *self._collections(), *self._layout.private]
        for name in dict.fromkeys(names):
            await self._server.written(f"drop {name}", self._server.database.drop_collection(name))

    async def _state(self) -> State:
        state = await self._ledger.settled(self._layout)
        if state is None:
            raise StorageUnavailable(f"another process removed the collections of {self._server.address} meanwhile")
        return state

    async def _remake(self, schemas: Schemas, state: State, found: Noted | None) -> None:
        await self._expect_ours(Standing() if found is None else found.standing)
        stood = [] if found is None else list(found.standing.tables)
        there = set(await self._names())
        names = dict.fromkeys([*stood, *self._collections(), self._layout.inbox])
        self._writes += [Write(Kind.EMPTY, name) for name in names if name in there]
        self._note(schemas, state, standing.of(self._layout.model, GRAMMAR))

    async def _prepared(self, scratch: Scratch, strategy: Strategy, found: Noted | None) -> None:
        if found is not None:
            scratch.make(found.standing)
        stands = Standing() if found is None else found.standing
        await scratch.prepare(strategy, None if found is None else followed(found, self._layout), stands)

    async def _update(self, schemas: Schemas, state: State, found: Noted | None, *, drop: bool) -> None:
        before = Standing() if found is None else found.standing
        await self._expect_ours(before)
        with opened(self._layout) as scratch:
            scratch.make(before)
            await self._load(scratch, before)
            scratch.index(before)
            known = None if found is None else followed(found, self._layout)
            follower = await scratch.prepare(Strategy.UPDATE, known, before)
            after = await scratch.changed(follower, schemas, drop=drop)
            await self._write_back(scratch, before, after, state.turn)
        self._note(schemas, state, after)

    async def _expect_ours(self, before: Standing) -> None:
        """A collection that is there and was not made here may hold anything."""
        for shape in self._layout.shapes.values():
            if shape.collection in before.tables:
                continue
            first = await self._server.written("look", self._server.collection(shape.collection).find_one({}))
            if first is not None:
                fault = Fault(f"$.{shape.schema.name}.collection", "holds documents of another program")
                told = (
                    f"the collection {shape.collection} holds documents that Octonet did not write: choose another name"
                )
                raise Conflict(told, code="SCHEMA_CONFLICT", faults=(fault,))

    # -- there and back -----------------------------------------------------------------------------------------

    async def _load(self, scratch: Scratch, before: Standing) -> None:
        owners = {table.owner: name for name, table in before.tables.items() if not table.target and table.used}
        for name, table in before.tables.items():
            if not table.target:
                async for batch in self._batches(name):
                    scratch.fill(name, table, [_line(document, table) for document in batch])
                continue
            owner = owners.get(table.owner.partition(".")[0], "") if table.used else ""
            async for batch in self._batches(owner or name):
                key = link_key(name, self._layout.prefix)
                scratch.link(name, table, [pair for each in batch for pair in _pairs(each, key if owner else "")])

    async def _batches(self, name: str) -> AsyncIterator[list[Document]]:
        """The documents of a collection, in ascending order of id."""
        async with self._server.collection(name).find({}, batch_size=_AT_ONCE).sort([("_id", 1)]) as cursor:
            while batch := await self._server.written(f"copy {name}", cursor.to_list(_AT_ONCE)):
                yield batch

    async def _write_back(self, scratch: Scratch, before: Standing, after: Standing, turn: int) -> None:
        shapes = {shape.collection: shape for shape in self._layout.shapes.values()}
        used = {
            str(junction.table.name)
            for table in self._layout.model.entities.values()
            for junction in table.junctions.values()
        }
        there = set(await self._names())
        for name, table in after.tables.items():
            if name in used:
                continue
            if table.target:
                made = _link_documents(scratch, name, table, turn)
            else:
                made = _documents(scratch, name, table, shapes.get(name), after, turn)
            await self._compare(name, made, fresh=name not in there)
        kept = {name for name in after.tables if name not in used}
        self._writes += [Write(Kind.EMPTY, name) for name in before.tables if name in there and name not in kept]

    async def _compare(self, name: str, made: Iterator[Document], *, fresh: bool) -> None:
        """Note what differs between the documents of a collection and what it is to hold, both in order of id."""
        wanted = next(made, None)
        async for batch in self._batches(name) if not fresh else _nothing():
            for document in batch:
                while wanted is not None and str(wanted["_id"]) < str(document["_id"]):
                    self._writes.append(writing(Kind.NEW, name, wanted))
                    wanted = next(made, None)
                if wanted is None or wanted["_id"] != document["_id"]:
                    self._writes.append(Write(Kind.GONE, name, str(document["_id"])))
                    continue
                if _packed(wanted) != _packed(document):
                    self._writes.append(writing(Kind.ANEW, name, wanted))
                wanted = next(made, None)
        while wanted is not None:
            self._writes.append(writing(Kind.NEW, name, wanted))
            wanted = next(made, None)

    def _note(self, schemas: Schemas, state: State, stands: Standing) -> None:
        text = standing.write(stands)
        note: Document = {"_id": _SLOT, TURN: state.turn, "digest": schemas.digest, "source": schemas.source}
        self._writes.append(writing(Kind.ANEW, self._layout.followed, {**note, "standing": text}))

    # -- what is no document ------------------------------------------------------------------------------------

    def _collections(self) -> list[str]:
        return [shape.collection for shape in self._layout.shapes.values()]

    async def _names(self) -> Sequence[str]:
        return await self._server.written("list the collections", self._server.database.list_collection_names())

    async def _furnish(self) -> None:
        """Collections that hold nothing yet, and indexes. A migration that was broken off before this is made again
        at the next start."""
        there = set(await self._names())
        for name in {write.collection for write in self._writes if write.kind is Kind.EMPTY} & there:
            if await self._server.written("look", self._server.collection(name).find_one({})) is None:
                await self._server.written(f"drop {name}", self._server.database.drop_collection(name))
                there.remove(name)
        for name in (*self._collections(), self._layout.inbox):
            if name not in there:
                await self._server.written(f"create {name}", self._server.database.create_collection(name))
        for shape in self._layout.shapes.values():
            await self._index(shape)

    async def _index(self, shape: Shape) -> None:
        collection = self._server.collection(shape.collection)
        there = await self._server.written("list the indexes", collection.index_information())
        wanted = dict(_worth_it(shape))
        stands = {name: tuple(found["key"]) for name, found in there.items() if name != "_id_"}
        paths = {name: _paths(keys) for name, keys in stands.items() if name not in wanted}
        own = (f"{self._layout.prefix}idx_", f"{self._layout.prefix}uidx_")
        for name, keys in stands.items():
            stale = name in wanted and keys != wanted[name]
            # An index over the id is never ours.
            kept = {(ID,), *map(_paths, wanted.values())}
            given_up = name.startswith(own) and name not in wanted and paths[name] not in kept
            if stale or given_up:
                await self._server.written(f"drop the index {name}", collection.drop_index(name))
        for name, keys in wanted.items():
            # Under another name it may have been made by somebody else.
            if stands.get(name) != keys and _paths(keys) not in paths.values():
                await self._server.written(f"index {shape.collection}", collection.create_index(list(keys), name=name))


def _paths(keys: IndexKeys) -> tuple[str, ...]:
    return tuple(path for path, _ in keys)


def _worth_it(shape: Shape) -> Iterator[tuple[str, IndexKeys]]:
    """One of several indexes over the same, and none over the id, which has its own."""
    made: set[IndexKeys] = {((ID, 1),)}
    for name, keys in shape.indexes.items():
        if keys not in made and not any(column == ID for column, _ in keys[:1]):
            made.add(keys)
            yield name, keys


async def _nothing() -> AsyncIterator[list[Document]]:
    none: tuple[list[Document], ...] = ()
    for batch in none:
        yield batch


def _line(document: Document, table: StandingTable) -> Line:
    held = {name: decoded(document.get(name)) for name in table.columns if name != ID}
    return str(document["_id"]), version_of(document), held


def _pairs(document: Document, key: str) -> Iterator[tuple[str, str]]:
    """The links in a document of their owner, or, without a key, the one that a document of its own holds."""
    if not key:
        yield str(document["owner"]), str(document["target"])
        return
    links = document.get(LINKS)
    held: object = links.get(key) if isinstance(links, dict) else None
    for target in held if isinstance(held, list) else ():
        yield str(document["_id"]), str(target)


def _documents(
    scratch: Scratch, name: str, table: StandingTable, shape: Shape | None, after: Standing, turn: int
) -> Iterator[Document]:
    types = kinds(table)
    targets: dict[str, Callable[[str], list[str]]] = {}
    if shape is not None:
        for relation, junction in shape.table.junctions.items():
            found = str(junction.table.name)
            targets[relation] = scratch.targets(found, after.tables[found])
    for id, version, held in scratch.lines(name, table):
        document: Document = {"_id": id}
        document |= {column: encoded(types[column], value) for column, value in held.items()}
        document |= {VERSION_COLUMN: version, TURN: turn}
        if shape is not None:
            links: dict[str, JsonValue] = {relation: list[JsonValue](find(id)) for relation, find in targets.items()}
            document |= shape.document(Stored(EntityId(id), version, {ID: id, **held, **links}), turn)
        yield document


def _link_documents(scratch: Scratch, name: str, table: StandingTable, turn: int) -> Iterator[Document]:
    """Links that no schema names any more: a document for each."""
    made = [
        {"_id": msgspec.json.encode(pair).decode(), TURN: turn, "owner": pair[0], "target": pair[1]}
        for pair in scratch.pairs(name, table)
    ]
    yield from sorted(made, key=lambda document: str(document["_id"]))


def _packed(document: Document) -> bytes:
    return bson.encode({name: document[name] for name in sorted(document) if name != TURN})
