"""Live facts: what subscribers are told of the log, which of it they want, and how it is read from any point on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from functools import cached_property

import msgspec

from octonet.kernel.chain import Assembler, Link
from octonet.kernel.event import Event, Fact
from octonet.kernel.filter import Filter
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.log import Batch, Decision, Entry, LogGap, Part, Recorded, Stream
from octonet.kernel.position import Position, Positions
from octonet.kernel.schema import EntitySchema, Schemas

_UPSERT = "upsert"
_entry = msgspec.msgpack.Decoder(Entry)
_row = msgspec.json.Decoder(Row).decode
_write = msgspec.json.Encoder().encode


class Live(msgspec.Struct, frozen=True, dict=True):
    """One fact as subscribers may see it. `data` is the row as JSON text without secrets, None when it is gone."""

    positions: Positions
    position: Position
    op: str
    at: int
    """Time of the command, milliseconds since 1970, UTC."""
    fact: Fact
    entity: str
    id: EntityId
    version: int
    data: bytes | None

    @cached_property
    def token(self) -> str:
        """The position as clients hold it."""
        return self.positions.encode(self.position)

    @cached_property
    def name(self) -> str:
        """What push clients call it: an upsert is named for what was asked, not for what became of it."""
        return "entity.upserted" if self.op == _UPSERT else f"entity.{self.fact}"

    @cached_property
    def row(self) -> Row | None:
        """`data`, decoded."""
        return None if self.data is None else _row(self.data)


class Interest(msgspec.Struct, frozen=True):
    """Which facts a subscriber wants: of these entities (none named: of all), and matching the filter.

    The filter sees the row after the change. The removal of a row leaves nothing to look at, so it always passes.
    """

    entities: frozenset[str] = frozenset()
    where: Filter | None = None

    def pick(self, facts: list[Live]) -> list[Live]:
        """Those of the facts that are wanted."""
        if self.entities:
            facts = [fact for fact in facts if fact.entity in self.entities]
        if self.where is not None:
            where = self.where
            facts = [fact for fact in facts if fact.row is None or matches(where, fact.row)]
        return facts


def facts(positions: Positions, schemas: Schemas, links: Iterable[Link]) -> Iterator[Live]:
    """The facts of whole log entries, in order. Those of an entity that the schema no longer knows are left out: what
    is secret in them cannot be told."""
    for link in links:
        if isinstance(link.entry, Batch):
            index = -1
            for decision in link.entry.decisions:
                for event in decision.events:
                    index += 1
                    schema = schemas.entities.get(event.entity)
                    if schema is not None:
                        yield _live(positions, Position(link.sequence, index), decision, event, schema)


def _live(positions: Positions, at: Position, decision: Decision, event: Event, schema: EntitySchema) -> Live:
    data = event.data
    if data is not None and schema.secrets:
        data = _write({key: value for key, value in _row(data).items() if key not in schema.secrets})
    return Live(positions, at, decision.op, decision.at, event.fact, event.entity, event.id, event.version, data)


class Reached(msgspec.Struct, frozen=True):
    """A stretch of the log: the whole entries it completes, and its last sequence."""

    sequence: int
    links: list[Link]


async def read(log: Stream, after: int, until: int | None = None) -> AsyncGenerator[Reached, None]:
    """The entries standing above sequence `after`, also when `after` lies between the parts of one.

    Raises `LogGap` when history is missing.
    """
    start = after
    while True:
        source = log.read(start, until)
        try:
            back = 0
            assembler: Assembler | None = None
            async for messages in source:
                if assembler is None:
                    back = _pieces_before(messages[0]) if start == after else 0
                    if back:
                        break
                    assembler = Assembler(start)
                links = [link for link in assembler.feed(messages) if link.sequence > after]
                yield Reached(assembler.sequence, links)
            if not back:
                return
            start = after - back
            if start < 0:
                raise LogGap(f"the parts before log message {after + 1} are missing")
        finally:
            await _close(source)


def _pieces_before(message: Recorded) -> int:
    """How many messages before this one belong to the same entry."""
    try:
        entry = _entry.decode(message.body)
    except msgspec.DecodeError as problem:
        raise LogGap(f"log message {message.sequence} cannot be read: {problem}") from problem
    return entry.number - 1 if isinstance(entry, Part) else 0


async def _close(source: AsyncIterator[list[Recorded]]) -> None:
    if isinstance(source, AsyncGenerator):
        await source.aclose()
