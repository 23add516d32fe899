"""The fold: facts into a database, in order, exactly once. Recovery, takeover, replay and replicas are this one path.

A row is an insert, an update or a delete by id with the version before it: no decision is made again, nothing is
looked up, and a database that does not fit its log is found out at once. Where the log says that the schema changed,
the tables are changed, at that very place and as they were the first time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from octonet.kernel.chain import Assembler, Link, start_of
from octonet.kernel.errors import TOO_MANY_ROWS, ConstraintViolation, invalid
from octonet.kernel.event import Event, Fact
from octonet.kernel.ids import Row
from octonet.kernel.log import Batch, LogGap, Outcome, SchemaChanged, Stream
from octonet.kernel.outcome import outcomes_of
from octonet.kernel.pending import Pending
from octonet.kernel.schema import DELETED_AT, ID, EntitySchema, Schemas
from octonet.kernel.sealing import Sealer, open_row
from octonet.kernel.storage import Checkpoint, Database, Remembered
from projections.engine.tables import Tables, fitted, moved

_FACTS_PER_COMMIT = 4096

_row = msgspec.json.Decoder(dict)


class Fold:
    """Implements `kernel.catch_up.CatchUp` for one log and one database."""

    def __init__(
        self,
        log: Stream,
        database: Database,
        schemas: Schemas,
        sealer: Sealer,
        *,
        as_logged: bool = False,
        pace: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """Tables that have caught up follow `schemas` or, `as_logged`, the last schema that was folded. `pace` is
        awaited after each commit, with the number of facts and commands in it."""
        self._log = log
        self._database = database
        self._schemas = schemas
        self._sealer = sealer
        self._as_logged = as_logged
        self._pace = pace
        self._tables = Tables(database, schemas)

    async def catch_up(self, until: int, tell: Callable[[Link], None]) -> Checkpoint:
        """See the port."""
        mark = await self._database.checkpoint()
        if mark.entry > until:
            raise LogGap(
                f"the database has folded {mark.entry} log entries, the log holds only {until}: history was lost. "
                "Restore the log, or rebuild the database from it"
            )
        await self._tables.open(mark)
        assembler = Assembler(mark.entry, mark.digest)
        links: list[Link] = []
        facts = 0
        if mark.entry < until:
            async for messages in self._log.read(mark.entry, until):
                for link in assembler.feed(messages):
                    links.append(link)
                    facts += size(link)
                    if facts >= _FACTS_PER_COMMIT or isinstance(link.entry, SchemaChanged):
                        mark = await self.apply(mark, links)
                        self._told(links, tell)
                        if self._pace is not None:
                            await self._pace(facts)
                        links, facts = [], 0
        if links:
            mark = await self.apply(mark, links)
            self._told(links, tell)
        if not self._as_logged:
            await self._tables.close()
        # Parts without their last part count as read: the next record makes them void.
        return msgspec.structs.replace(mark, entry=assembler.sequence, digest=assembler.digest)

    async def open(self) -> Checkpoint:
        """Begin to fold entry by entry, with `apply`: where the database is. Its tables are left as they follow the
        log."""
        mark = await self._database.checkpoint()
        await self._tables.open(mark)
        return mark

    async def outcomes(self, entry: int) -> list[Outcome]:
        """See the port."""
        start = await start_of(self._log, entry) - 1
        assembler = Assembler(start)
        async for messages in self._log.read(start, entry):
            for link in assembler.feed(messages):
                if link.sequence == entry and isinstance(link.entry, Batch):
                    return list(outcomes_of(link.entry, entry))
        return []

    async def apply(self, mark: Checkpoint, links: Sequence[Link]) -> Checkpoint:
        """Fold these entries in one transaction that expects the checkpoint to be at `mark`; returns the new one. Only
        the last of them may change the schema, which is a transaction of its own."""
        *before, last = links
        if isinstance(last.entry, SchemaChanged):
            mark = await self._rows(mark, before) if before else mark
            after = _behind(mark, last, last.entry)
            if not await self._tables.change(mark, after, last.entry):
                await self._rows(mark, [last])
            return after
        return await self._rows(mark, links)

    async def _rows(self, mark: Checkpoint, links: Sequence[Link]) -> Checkpoint:
        """In one transaction, or in several where the database takes no more at once."""
        try:
            return await self._at_once(mark, links)
        except ConstraintViolation as problem:
            if problem.code != TOO_MANY_ROWS or len(links) == 1:
                raise
        middle = len(links) // 2
        return await self._rows(await self._rows(mark, links[:middle]), links[middle:])

    async def _at_once(self, mark: Checkpoint, links: Sequence[Link]) -> Checkpoint:
        transaction = await self._database.begin()
        try:
            if await transaction.checkpoint() != mark:
                raise moved()
            pending = Pending(transaction)
            for link in links:
                mark = await self._entry(pending, mark, link)
            await pending.flush()
            # All at once: each statement is a round trip to a database that may be far away.
            await transaction.remember([each for link in links for each in _remembered(link)])
            await transaction.move_checkpoint(mark)
            await transaction.commit()
        finally:
            await transaction.rollback()
        return mark

    async def _entry(self, pending: Pending, mark: Checkpoint, link: Link) -> Checkpoint:
        mark = msgspec.structs.replace(mark, entry=link.sequence, digest=link.digest)
        if isinstance(link.entry, SchemaChanged):
            return _behind(mark, link, link.entry)
        if not isinstance(link.entry, Batch):
            return mark
        for decision in link.entry.decisions:
            for event in decision.events:
                await self._event(pending, event)
        return msgspec.structs.replace(mark, frame=link.entry.frame)

    async def _event(self, pending: Pending, event: Event) -> None:
        schema = self._tables.schemas.entities.get(event.entity)
        if schema is None:
            if not self._tables.in_step:
                return  # An entity that was given up since.
            raise invalid("$.schema", f"the log has facts of {event.entity!r}, which the schema does not know")
        unique = _touches_unique(schema, event)
        gives_back = event.fact is not Fact.CREATED and unique
        if pending.must_flush_before(schema, gives_back=gives_back):
            await pending.flush()
        slot = pending.slot(schema, event.id)
        if slot is None:
            slot = pending.know(schema, event.id, 0 if event.fact is Fact.CREATED else event.version - 1, None)
        elif slot.version != event.version - 1 and event.fact is not Fact.CREATED:
            raise LogGap(f"{schema.name} {event.id} is at version {slot.version}, its next fact at {event.version}")
        state = None if event.data is None else self._state(schema, event)
        pending.put(slot, event.version, state, takes=unique and event.fact is not Fact.DELETED)

    def _state(self, schema: EntitySchema, event: Event) -> Row:
        assert event.data is not None
        found: Row = _row.decode(event.data)
        found.pop(ID, None)
        row: Row = {name: found.get(name) for name in schema.columns if name != ID}
        for relation in schema.links:
            row[relation.name] = found.get(relation.name) or []
        opened = open_row(self._sealer, schema, event.id, row)
        return opened if self._tables.in_step else fitted(schema, event.id, found, opened)

    @staticmethod
    def _told(links: list[Link], tell: Callable[[Link], None]) -> None:
        for link in links:
            tell(link)


def _behind(mark: Checkpoint, link: Link, entry: SchemaChanged) -> Checkpoint:
    return msgspec.structs.replace(mark, entry=link.sequence, digest=link.digest, schema=entry.digest)


def _remembered(link: Link) -> list[Remembered]:
    if not isinstance(link.entry, Batch):
        return []
    return [Remembered(decision.command_id, link.sequence) for decision in link.entry.decisions]


def size(link: Link) -> int:
    """About how many rows an entry writes."""
    if not isinstance(link.entry, Batch):
        return 1
    return sum(len(decision.events) + 1 for decision in link.entry.decisions)


def _touches_unique(schema: EntitySchema, event: Event) -> bool:
    if event.fact is not Fact.UPDATED:
        return bool(schema.unique_columns) or schema.soft_delete
    return DELETED_AT in event.changed or not schema.unique_columns.isdisjoint(event.changed)
