"""The path of a read: a query that was parsed and checked, and the database or replica it is answered from."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

import msgspec

from octonet.kernel import past
from octonet.kernel.errors import Internal, OctonetError, Unavailable, invalid
from octonet.kernel.ids import ProjectName
from octonet.kernel.not_taken import refuse_more
from octonet.kernel.operation import Answer, Query, Raw, Request
from octonet.kernel.past import Moment
from octonet.kernel.position import Position
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import Checkpoint
from octonet.project import Project
from octonet.sources import ReplicaSource

log = logging.getLogger("octonet.replicas")

_LOOK: Final = 0.01
"""Seconds between two looks at how far the database has come."""
_SHORT: Final = 0.5
"""Seconds after which it is asked whether a replica that has not answered yet is there at all."""
_THERE: Final = 0.3
"""Seconds within which it says so."""
_NEVER: Final = sys.maxsize


class Read(msgspec.Struct, frozen=True):
    """What a query's caller is told."""

    operation: type[Query]
    schema: EntitySchema
    answer: Answer

    @property
    def version(self) -> int:
        """Of the row that was asked for by its id, else 0."""
        return self.answer.version


class Prepared(msgspec.Struct, frozen=True):
    """A query that was parsed and checked against the project as it is now."""

    home: Project
    schema: EntitySchema
    query: Query
    as_of: Moment | None = None
    """The moment of the past that it is about; None for the present."""


class _Seen(msgspec.Struct, frozen=True):
    """What whoever is being answered has seen of a project: nothing older may be shown to them from here on."""

    project: ProjectName
    entry: int
    asked: bool
    """Whether they said so; else this server knows, and its own database has come so far."""


_seen: ContextVar[_Seen | None] = ContextVar("seen", default=None)
"""Of the task that answers a request, and of those that it starts."""


class Reader:
    """Answers queries. `longest_wait`: seconds that a read waits for a position to be reached."""

    def __init__(self, queries: Mapping[str, type[Query]], longest_wait: float) -> None:
        self._queries = queries
        self._longest_wait = longest_wait

    def prepare(self, home: Project, schema: EntitySchema, request: Request) -> Prepared:
        """Check a request for a query. Raises `OctonetError` naming the place."""
        query = self._queries[request.op]
        if request.as_of is msgspec.UNSET:
            return Prepared(home, schema, query.parse(request, schema, home.schemas, home.limits))
        refuse_more(query, request)
        if request.min_position is not msgspec.UNSET:
            raise invalid(past.PATH, "is of the past: minPosition, which is about the present, cannot stand beside it")
        at = past.parse(home.positions, request.as_of)
        return Prepared(home, schema, query.parse(request, schema, home.schemas, home.limits), at)

    async def ask(self, prepared: Prepared) -> Read:
        """Answer it, from a replica where one may."""
        home, schema, query = prepared.home, prepared.schema, prepared.query
        if prepared.as_of is not None:
            async with home.past.seen(home.schemas, prepared.as_of) as source:
                return Read(type(query), schema, await query.answer(source, schema, home.schemas))
        if home.sources.all:
            return Read(type(query), schema, await self._anywhere(prepared))
        return Read(type(query), schema, await query.answer(home.database, schema, home.schemas))

    async def ask_at_home(self, prepared: Prepared) -> Read:
        """Answer it from the project's own database, which has every write that was acknowledged."""
        home, schema = prepared.home, prepared.schema
        return Read(type(prepared.query), schema, await prepared.query.answer(home.database, schema, home.schemas))

    async def reach(self, home: Project, token: Raw) -> None:
        """See to it that reads of this task see everything up to a position that some write was answered with: wait
        for it where there are no replicas, else when it is known where they are answered. Raises `Invalid` with code
        INVALID_POSITION, `Unavailable` with code POSITION_NOT_REACHED when it takes too long."""
        if not isinstance(token, str):
            raise invalid("$.minPosition", "must be a position", code="INVALID_POSITION")
        entry = home.positions.decode(token, "$.minPosition").entry
        if home.sources.all:
            _seen.set(_Seen(home.name, entry, asked=True))
        else:
            await self._reached(home, entry)

    def saw(self, home: Project, position: Position) -> None:
        """Whoever is being answered by this task has seen this, and this server's own database has it."""
        if home.sources.all:
            before = _seen.get()
            if before is None or before.project != home.name or not position.entry <= before.entry < _NEVER:
                _seen.set(_Seen(home.name, position.entry, asked=False))

    def stay(self, home: Project) -> None:
        """This task reads nothing from a replica until it has written: the write depends on what it reads."""
        if home.sources.all:
            _seen.set(_Seen(home.name, _NEVER, asked=False))

    async def mark(self, home: Project) -> Checkpoint:
        """How far the project's own database is, which those reads of this task that come see. Raises
        `StorageUnavailable`."""
        found = await home.database.checkpoint()
        self.saw(home, Position(found.entry))
        return found

    async def _anywhere(self, prepared: Prepared) -> Answer:
        home, seen = prepared.home, _seen.get()
        if seen is not None and seen.project != home.name:
            seen = None
        source = await self._source(home, seen)
        # One replica that fails is enough for one caller to wait for.
        if source is not None and (found := await _from(source, prepared)) is not None:
            return found
        if seen is not None and seen.asked:
            await self._reached(home, seen.entry)
        return await prepared.query.answer(home.database, prepared.schema, home.schemas)

    @staticmethod
    async def _source(home: Project, seen: _Seen | None) -> ReplicaSource | None:
        """A replica that is known to have come far enough, or says so when it is asked; None: the project's own
        database."""
        digest = home.schemas.digest
        if seen is None:
            return home.sources.choose(digest)
        known = home.sources.choose(digest, seen.entry)
        if known is not None or not seen.asked:
            return known
        near = home.sources.choose(digest)
        return near if near is not None and await _entry(near) >= seen.entry else None

    async def _reached(self, home: Project, entry: int) -> None:
        deadline = time.monotonic() + self._longest_wait
        while (await home.database.checkpoint()).entry < entry:
            if time.monotonic() > deadline:
                sentence = "what was written up to this position cannot be read here yet"
                raise Unavailable(sentence, code="POSITION_NOT_REACHED")
            await asyncio.sleep(_LOOK)


async def _from(source: ReplicaSource, prepared: Prepared) -> Answer | None:
    """What a replica answers; None, and nobody asks it any more, when it fails or does not. A query that is long is
    begun anew as soon as it is known to be nothing else."""
    query, schema, schemas = prepared.query, prepared.schema, prepared.home.schemas
    database = source.database
    if database is None:
        return None
    try:
        try:
            async with asyncio.timeout(_SHORT):
                return await query.answer(database, schema, schemas)
        except TimeoutError:
            if await _entry(source) < 0:
                return None
        return await query.answer(database, schema, schemas)
    except (Unavailable, Internal) as problem:
        if problem.code == "QUERY_TIMEOUT" and await _entry(source) >= 0:
            raise
        _suspend(source, problem.message)
        return None


async def _entry(source: ReplicaSource) -> int:
    """How far a replica says it is; -1, and nobody asks it any more, when it says nothing."""
    if source.database is None:
        return -1
    try:
        async with asyncio.timeout(_THERE):
            return (await source.database.checkpoint()).entry
    except TimeoutError:
        _suspend(source, "it does not answer")
    except OctonetError as problem:
        _suspend(source, problem.message)
    return -1


def _suspend(source: ReplicaSource, reason: str) -> None:
    if not source.suspended:
        log.warning("replica %s gets no reads until it answers again: %s", source.name, reason)
    source.suspend(reason)
