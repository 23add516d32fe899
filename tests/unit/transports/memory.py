"""A project in memory: real operations over a dict of rows, and a log that the hub can tail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from itertools import count

import msgspec

from commands import COMMANDS
from octonet.access.principal import INSIDER, Caller, Visitor
from octonet.gateway import Written
from octonet.kernel import chain
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Conflict, Invalid, NotFound
from octonet.kernel.event import Event, Fact
from octonet.kernel.filter import Filter, Options
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import DEFAULT_PROJECT, CommandId, EntityId, ProjectName, Row
from octonet.kernel.log import Batch, Decision, Entry, Outcome, Recorded, Verdict
from octonet.kernel.operation import Limits, Moment, Operation, Request
from octonet.kernel.position import Position, Positions
from octonet.kernel.schema import EntitySchema, Relation, Schemas
from octonet.kernel.storage import Checkpoint, Page, Stored
from octonet.reader import Read
from projections import QUERIES
from projections.engine.hub import Hub

AT = "2026-11-23T12:00:00.000Z"


class MemoryLog:
    """Implements `kernel.log.Stream`, and appends."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.grown = asyncio.Event()
        self.broken: Exception | None = None
        self.readers = 0

    @property
    def digest(self) -> bytes:
        return chain.digest(self.messages[-1]) if self.messages else b""

    def append(self, entry: Entry, largest: int = 1 << 20) -> int:
        """Append an entry, split where it is larger than `largest`; returns the sequence at which it stands."""
        self.messages += chain.split(entry, largest)
        self._stir()
        return len(self.messages)

    def break_off(self, problem: Exception) -> None:
        """Let every reader fail, once."""
        self.broken = problem
        self._stir()

    async def last(self) -> int:
        return len(self.messages)

    async def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        self.readers += 1
        try:
            while until is None or after < until:
                grown = self.grown
                if self.broken is not None:
                    problem, self.broken = self.broken, None
                    raise problem
                found = [Recorded(n, body) for n, body in enumerate(self.messages[after:until], after + 1)]
                if found:
                    after = found[-1].sequence
                    yield found
                else:
                    await grown.wait()
        finally:
            self.readers -= 1

    def _stir(self) -> None:
        self.grown.set()
        self.grown = asyncio.Event()


class MemorySource:
    """As much of `kernel.storage.Source` as the queries of these tests ask for, and the `Session` of the commands."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[EntityId, Row]] = {}
        self.versions: dict[tuple[str, EntityId], int] = {}
        self.events: list[Event] = []

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        row = self._table(schema).get(id)
        version = self.versions.get((schema.name, id), 1)
        return None if row is None else Stored(id, version, _shown(schema, row, options))

    async def select(self, schema: EntitySchema, page: Page) -> list[Row]:
        rows = [row for row in self._table(schema).values() if matches(page.where, row)]
        rows.sort(key=lambda row: str(row["id"]))
        for order in reversed(page.options.sort):
            rows.sort(key=lambda row: (row[order.column] is not None, row[order.column]), reverse=order.descending)
        start = page.options.skip
        return [_shown(schema, row, page.options) for row in rows[start : start + page.limit]]

    async def count(self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False) -> int:
        return sum(matches(where, row) for row in self._table(schema).values())

    async def aggregate(self, schema: EntitySchema, stages: Sequence[object], limit: int) -> list[Row]:
        return [{"n": len(self._table(schema))}]

    async def version(self, schema: EntitySchema, id: EntityId) -> int | None:
        return self.versions.get((schema.name, id))

    async def pairs(
        self, schema: EntitySchema, relation: Relation, owners: Sequence[EntityId]
    ) -> list[tuple[EntityId, EntityId]]:
        return []

    async def checkpoint(self) -> Checkpoint:
        return Checkpoint()

    async def recall(self, id: CommandId) -> int | None:
        return None

    async def standing(self, schema: EntitySchema, id: EntityId) -> tuple[int, Row | None]:
        raise NotImplementedError("no door asks for this")

    async def load(self, schema: EntitySchema, id: EntityId) -> Row | None:
        return self._table(schema).get(id)

    async def prefetch(self, schema: EntitySchema, ids: Collection[EntityId]) -> None:
        """Everything is here already."""

    async def match(self, schema: EntitySchema, where: Filter, limit: int | None = None) -> list[EntityId]:
        return sorted(id for id, row in self._table(schema).items() if matches(where, row))[:limit]

    async def create(self, schema: EntitySchema, id: EntityId, state: Row, *, settled: bool = False) -> Row:
        if id in self._table(schema):
            raise Conflict("the id is taken", code="ID_TAKEN")
        return self._put(Fact.CREATED, schema, id, {"id": id, **state})

    async def update(self, schema: EntitySchema, id: EntityId, change: Row, *, settled: bool = False) -> Row:
        row = self._table(schema)[id]
        changed = {**row, **change}
        return row if changed == row else self._put(Fact.UPDATED, schema, id, changed)

    async def erase(self, schema: EntitySchema, ids: Sequence[EntityId]) -> None:
        for id in ids:
            del self._table(schema)[id]
            self.events.append(Event(Fact.DELETED, schema.name, id, self._next(schema, id), None))

    def _put(self, fact: Fact, schema: EntitySchema, id: EntityId, row: Row) -> Row:
        self._table(schema)[id] = row
        self.events.append(Event(fact, schema.name, id, self._next(schema, id), msgspec.json.encode(row)))
        return row

    def _next(self, schema: EntitySchema, id: EntityId) -> int:
        version = self.versions[schema.name, id] = self.versions.get((schema.name, id), 0) + 1
        return version

    def _table(self, schema: EntitySchema) -> dict[EntityId, Row]:
        return self.tables.setdefault(schema.name, {})


class MemoryProject:
    """What the doors see of a project."""

    def __init__(self, name: ProjectName, schemas: Schemas) -> None:
        self.name = name
        self.schemas = schemas
        self.log = MemoryLog()
        self.positions = Positions(name, b"key")
        self.hub = Hub(self.positions, schemas, self.log, linger=0.0)
        self.source = MemorySource()
        self.limits = Limits(default_page=2, maximum_page=10)

    def record(self, *decisions: Decision, largest: int = 1 << 20) -> int:
        """Append one entry."""
        return self.log.append(Batch(self.log.digest, 0, decisions), largest)


class MemoryGateway:
    """What the doors see of the gateway: every operation, decided at once."""

    def __init__(self, schemas: Mapping[str, Schemas]) -> None:
        self._projects = {name: MemoryProject(ProjectName(name), found) for name, found in schemas.items()}
        self.operations: dict[str, type[Operation]] = {**QUERIES, **COMMANDS}
        self.actors: list[Actor] = []
        self.failure: Exception | None = None
        self.gate: asyncio.Event | None = None
        self._number = count(1)
        self.schemas = schemas[DEFAULT_PROJECT]
        self.at = AT

    def new_id(self) -> EntityId:
        return EntityId(f"id-{next(self._number):04d}")

    def project(self, name: ProjectName) -> MemoryProject:
        if name not in self._projects:
            raise NotFound(f"there is no project {name!r}", code="UNKNOWN_PROJECT")
        return self._projects[name]

    def projects(self) -> Mapping[str, MemoryProject]:
        return self._projects

    def serves(self, name: str) -> bool:
        return name in self._projects

    def has_entity(self, project: ProjectName, name: str) -> bool:
        return self.project(project).schemas.find(name) is not None

    def entities(self, project: ProjectName) -> list[str]:
        return list(self.project(project).schemas.entities)

    def known(self, credential: str, transport: str, address: str) -> None:
        """Everybody is looked at."""

    def recognise(self, caller: Caller) -> Visitor:
        return Visitor(INSIDER, caller.actor)

    async def enter(self, name: ProjectName, visitor: Visitor) -> MemoryProject:
        return self.project(name)

    def prepare(self, name: ProjectName, request: Request, visitor: Visitor) -> None:
        """Nothing is worth keeping here."""

    async def execute(self, name: ProjectName, request: Request, visitor: Visitor) -> Written | Read:
        actor = visitor.actor
        self.actors.append(actor)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        home = self.project(name)
        schema = home.schemas.find(request.entity)
        if schema is None:
            raise NotFound(f"there is no entity {request.entity!r}", code="ENTITY_NOT_FOUND")
        if request.op in QUERIES:
            query = QUERIES[request.op].parse(request, schema, home.schemas, home.limits)
            return Read(QUERIES[request.op], schema, await query.answer(home.source, schema, home.schemas))
        if request.op not in COMMANDS:
            raise Invalid(f"there is no operation {request.op!r}", code="UNKNOWN_OP")
        return await self._write(home, request, schema, actor)

    async def _write(self, home: MemoryProject, request: Request, schema: EntitySchema, actor: Actor) -> Written:
        command = COMMANDS[request.op].parse(request, schema, self)
        decided = await command.decide(home.source, schema, Moment(AT))
        events, home.source.events = tuple(home.source.events), []
        verdict = Verdict.APPLIED if events else Verdict.UNCHANGED
        id = CommandId(self.new_id())
        sequence = home.record(Decision(id, request.op, schema.name, 0, actor, verdict, events, decided.count))
        at = Position(sequence, max(len(events) - 1, 0))
        row = None if decided.id is None else home.source.tables[schema.name].get(decided.id)
        data = None if row is None else msgspec.json.encode(_shown(schema, row, Options()))
        outcome = Outcome(id, at, verdict, decided.count)
        return Written(COMMANDS[request.op], schema, outcome, data, home.positions.encode(at))


def _shown(schema: EntitySchema, row: Row, options: Options) -> Row:
    return {
        name: value
        for name, value in row.items()
        if name not in schema.secrets
        and name not in options.exclude
        and (not options.select or name in (*options.select, "id"))
    }
