"""The write transaction of every SQL dialect, over what its driver can do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from octonet.dialects.engine.codec import first_cells
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.links import chunks, pairs, stored, wanted
from octonet.dialects.engine.queries import Queries
from octonet.dialects.engine.reading import checkpoint_of
from octonet.dialects.engine.statement import Statement
from octonet.dialects.engine.writes import Writes
from octonet.kernel.errors import ConstraintViolation, Internal
from octonet.kernel.filter import Filter, In
from octonet.kernel.ids import CommandId, EntityId
from octonet.kernel.schema import ID, EntitySchema, Relation
from octonet.kernel.storage import Checkpoint, Remembered, Stored


class Writer(Protocol):
    """A driver's connection with a transaction open. Every method raises errors of the kernel only."""

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        ...

    async def run(self, text: str, arguments: Sequence[Cell] = ()) -> int:
        """Run a statement; the number of rows it touched."""
        ...

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement once for each line of arguments; the number of rows touched in all."""
        ...

    async def commit(self) -> None:
        """Commit, or, when that fails, roll back and raise."""
        ...

    async def rollback(self) -> None:
        """Roll back; nothing happens when the transaction is already over."""
        ...

    async def restart(self) -> None:
        """Undo everything, and begin anew."""
        ...


class SqlTransaction:
    """Implements `octonet.kernel.storage.Transaction`."""

    def __init__(self, queries: Queries, writes: Writes, writer: Writer) -> None:
        self._queries = queries
        self._writes = writes
        self._open: Writer | None = writer
        self._savepoints: list[str] = []
        self._clean = True

    @property
    def _writer(self) -> Writer:
        if self._open is None:
            raise Internal("the transaction is over")
        return self._open

    async def checkpoint(self) -> Checkpoint:
        """The checkpoint as this transaction sees it."""
        return checkpoint_of(await self._writer.rows(self._queries.checkpoint().statement.text, ()))

    async def move_checkpoint(self, to: Checkpoint) -> None:
        """Replace the checkpoint."""
        self._clean = False
        cells: list[Cell] = [to.entry, to.frame, to.digest, to.schema]
        for statement in (self._writes.move_checkpoint(), self._writes.first_checkpoint()):
            if await self._writer.run(statement.text, statement.arguments(cells)):
                return

    async def recall(self, ids: Collection[CommandId]) -> Mapping[CommandId, int]:
        """For those of the commands that were decided before, the log entry that did it."""
        found: dict[CommandId, int] = {}
        for chunk in chunks(ids, self._queries.most_ids):
            bound = self._queries.recall(chunk)
            for command, entry in await self._writer.rows(bound.text, bound.arguments):
                found[CommandId(str(command))] = int(str(entry))
        return found

    async def newest(self) -> CommandId:
        """The last of all remembered commands whose id is a UUIDv7; empty where there is none."""
        statement = self._queries.newest().statement
        rows = await self._writer.rows(statement.text, statement.arguments(()))
        return CommandId(str(rows[0][0] or ""))

    async def remember(self, decided: Sequence[Remembered]) -> None:
        """Add to the inbox."""
        self._clean = False
        await self._many(self._writes.remember(), [[each.command_id, each.entry] for each in decided])

    async def fetch(self, schema: EntitySchema, ids: Collection[EntityId]) -> Mapping[EntityId, Stored]:
        """Those of the rows that exist, soft-deleted ones included, links included."""
        found: dict[EntityId, Stored] = {}
        for chunk in chunks(ids, self._queries.most_ids):
            rows = await stored(self._writer, self._queries, self._queries.fetch(schema, chunk))
            found.update((row.id, row) for row in rows)
        return found

    async def present(self, schema: EntitySchema, ids: Collection[EntityId]) -> frozenset[EntityId]:
        """Those of the ids that name a live row."""
        found: set[EntityId] = set()
        for chunk in chunks(ids, self._queries.most_ids):
            found.update(await self.match(schema, In(ID, tuple(chunk))))
        return frozenset(found)

    async def match(
        self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False, limit: int | None = None
    ) -> list[EntityId]:
        """Ids of the matching rows, in ascending order of id."""
        bound = self._queries.match(schema, where, include_deleted, limit)
        return [EntityId(id) for id in first_cells(await self._writer.rows(bound.text, bound.arguments))]

    async def linked(self, schema: EntitySchema, relation: Relation, targets: Collection[EntityId]) -> list[EntityId]:
        """Ids of the owners whose many-to-many `relation` holds any of the targets, ascending."""
        junction = self._queries.junction(schema, relation)
        found: set[str] = set()
        for chunk in chunks(targets, self._queries.most_ids):
            bound = self._queries.owners(junction, chunk)
            found.update(first_cells(await self._writer.rows(bound.text, bound.arguments)))
        return [EntityId(id) for id in sorted(found)]

    async def insert(self, schema: EntitySchema, rows: Sequence[Stored]) -> None:
        """Insert rows with their links, multi-row."""
        self._clean = False
        await self._put(schema, rows)
        for junction in self._queries.junctions(schema):
            links = wanted(junction, ((row.id, row.state) for row in rows))
            await self._many(self._writes.link(junction), sorted(links))

    async def update(self, schema: EntitySchema, rows: Sequence[tuple[int, Stored]]) -> None:
        """Replace rows, all at once, and their links. Raises `Internal` when one of them does not have the version
        it is given with."""
        self._clean = False
        if len(rows) > 1 and schema.unique_columns and self._queries.takes_rows_out:
            await self._exchange(schema, rows)
        else:
            await self._replace(schema, rows)
        await self._relink(schema, [row for _, row in rows])

    async def delete(self, schema: EntitySchema, ids: Sequence[EntityId]) -> None:
        """Remove rows and their links. Raises `Internal` when one of them is absent."""
        self._clean = False
        for chunk in chunks(ids, self._queries.most_ids):
            for junction in self._queries.junctions(schema):
                statement, arguments = self._writes.unlink_all(junction, chunk)
                await self._writer.run(statement.text, arguments)
            statement, arguments = self._writes.delete(schema, chunk)
            _expect(schema, len(chunk), await self._writer.run(statement.text, arguments))

    async def savepoint(self) -> None:
        """Open a nested savepoint. Where nothing was written before it, the transaction's own beginning is one: two
        statements less for every batch that goes well."""
        name = "" if self._clean else f"octonet_{len(self._savepoints) + 1}"
        if name:
            await self._writer.run(f"SAVEPOINT {name}")
        self._savepoints.append(name)

    async def release(self) -> None:
        """Keep what was done since the innermost savepoint, and close it."""
        name = self._innermost()
        if name:
            await self._writer.run(f"RELEASE SAVEPOINT {name}")

    async def rollback_to(self) -> None:
        """Undo what was done since the innermost savepoint, and close it."""
        name = self._innermost()
        if name:
            await self._writer.run(f"ROLLBACK TO SAVEPOINT {name}")
            await self._writer.run(f"RELEASE SAVEPOINT {name}")
        else:
            # Also where nothing was written: some databases take a failed read for the end of the transaction.
            await self._writer.restart()
            self._clean = True

    async def commit(self) -> None:
        """Make everything visible and durable; the transaction is over."""
        writer, self._open = self._writer, None
        await writer.commit()

    async def rollback(self) -> None:
        """Forget everything; the transaction is over. Never raises for a transaction that is already over."""
        writer, self._open = self._open, None
        if writer is not None:
            await writer.rollback()

    def _innermost(self) -> str:
        if not self._savepoints:
            raise Internal("no savepoint is open")
        return self._savepoints.pop()

    async def _many(self, statement: Statement, lines: Sequence[Sequence[Cell]]) -> int:
        if not lines:
            return 0
        arranged = lines if statement.in_order else [statement.arguments(line) for line in lines]
        return await self._writer.many(statement.text, arranged)

    async def _put(self, schema: EntitySchema, rows: Sequence[Stored]) -> None:
        codec = self._writes.codec(schema)
        lines = [[row.id, *codec.encode(row.state)[1:], row.version] for row in rows]
        await self._many(self._writes.insert(schema), lines)

    async def _replace(self, schema: EntitySchema, rows: Sequence[tuple[int, Stored]]) -> None:
        codec = self._writes.codec(schema)
        lines = [[*codec.encode(row.state)[1:], row.version, row.id, version] for version, row in rows]
        _expect(schema, len(rows), await self._many(self._writes.update(schema), lines))

    async def _exchange(self, schema: EntitySchema, rows: Sequence[tuple[int, Stored]]) -> None:
        """Rows may have taken over each other's unique values, in an order that single updates cannot follow."""
        await self.savepoint()
        try:
            await self._replace(schema, rows)
        except ConstraintViolation:
            await self.rollback_to()
            unused = await self._aside(schema, [row.id for _, row in rows])
            lines: list[list[Cell]] = [[row.id, version] for version, row in rows]
            _expect(schema, len(rows), await self._many(self._writes.take_out(schema), lines))
            await self._put(schema, [row for _, row in rows])
            if unused:
                await self._many(self._writes.put_aside(schema), unused)
        else:
            await self.release()

    async def _aside(self, schema: EntitySchema, ids: Sequence[EntityId]) -> list[Cells]:
        """What these rows hold that no schema names any more: it belongs to them for as long as they live."""
        found: list[Cells] = []
        for chunk in chunks(ids, self._queries.most_ids):
            if (read := self._writes.aside(schema, chunk)) is not None:
                found += await self._writer.rows(read[0].text, read[1])
        return found

    async def _relink(self, schema: EntitySchema, rows: Sequence[Stored]) -> None:
        for junction in self._queries.junctions(schema):
            after = wanted(junction, ((row.id, row.state) for row in rows))
            before = set(await pairs(self._writer, self._queries, junction, (row.id for row in rows)))
            await self._many(self._writes.unlink(junction), sorted(before - after))
            await self._many(self._writes.link(junction), sorted(after - before))


def _expect(schema: EntitySchema, rows: int, touched: int) -> None:
    if touched != rows:
        raise Internal(f"{rows} rows of {schema.name} were to be changed, {touched} were there as expected")
