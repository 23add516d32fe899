"""Decides a batch of commands in one transaction: prefetch, run them in order, let the database check, bisect.

When a constraint is violated the batch is rolled back and halved until exactly the guilty commands stand alone; they
are rejected, and every other command is decided as if they had not been there. The commands of a change set are never
parted: they stand alone together, and are rejected together.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TypeAlias

from commands.engine.unit_of_work import ID_PATH, UnitOfWork, encode_row, id_taken
from octonet.kernel.envelope import Envelope
from octonet.kernel.errors import (
    CHANGE_SET_REFUSED,
    Conflict,
    ConstraintViolation,
    Internal,
    OctonetError,
    Unavailable,
    VersionMismatch,
)
from octonet.kernel.ids import EntityId
from octonet.kernel.instant import iso
from octonet.kernel.log import Decision, Rejection, Verdict
from octonet.kernel.operation import Command, Moment
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.sealing import Sealer, seal_row
from octonet.kernel.storage import Database, Transaction

log = logging.getLogger("octonet.lane")

Item: TypeAlias = Envelope[Command]
_Unit: TypeAlias = tuple[Item, ...]
"""What is decided all or none: one command, or a change set."""

_POISON = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What a fault in our own code looks like: the command that meets it is rejected, the lane goes on."""


class _Isolate(Exception):
    """Only a rollback undoes this command; the batch must be cut until its unit stands alone."""

    def __init__(self, cause: OctonetError, guilty: Item) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.guilty = guilty


class Decider:
    """Decides the batches of one open transaction."""

    def __init__(self, transaction: Transaction, schemas: Schemas, sealer: Sealer) -> None:
        self._transaction = transaction
        self._schemas = schemas
        self._sealer = sealer

    async def decide(self, items: Sequence[Item]) -> list[Decision]:
        """One decision per command, in order; the rows are written. Raises `Unavailable` when the database is away:
        then nothing was decided."""
        return await self._decide(_units(items))

    async def _decide(self, units: Sequence[_Unit]) -> list[Decision]:
        guilty: Item | None = None
        await self._transaction.savepoint()
        try:
            decisions = await self._run(units)
        except _Isolate as problem:
            cause, guilty = problem.cause, problem.guilty
        except ConstraintViolation as problem:
            cause = problem
        except _POISON as problem:
            log.exception("a command could not be decided")
            cause = Internal(f"this command cannot be decided ({type(problem).__name__})")
        else:
            await self._transaction.release()
            return decisions
        await self._transaction.rollback_to()
        if len(units) == 1:
            return await self._refuse(units[0], cause, guilty)
        middle = len(units) // 2
        return await self._decide(units[:middle]) + await self._decide(units[middle:])

    async def _run(self, units: Sequence[_Unit]) -> list[Decision]:
        unit = UnitOfWork(self._transaction, self._schemas, self._sealer)
        await self._prefetch(unit, [item for each in units for item in each])
        decisions: list[Decision] = []
        for each in units:
            if each[0].together is None:
                decisions.append(await self._one(unit, each[0]))
            else:
                decisions += await self._set(unit, each, alone=len(units) == 1)
        await unit.flush()
        return decisions

    async def _set(self, unit: UnitOfWork, items: _Unit, alone: bool) -> list[Decision]:
        """Decide a change set. Where it stands alone the database is asked after each command, so that what it says is
        said of that one."""
        together = items[0].together
        assert together is not None
        if len(items) != together.size:
            raise _Isolate(Internal("parts of this change set cannot be read"), items[0])
        decisions: list[Decision] = []
        for item in items:
            try:
                decisions.append(await self._apply(unit, item))
                if alone:
                    await unit.flush()
            except Unavailable:
                raise
            except OctonetError as problem:
                raise _Isolate(problem, item) from problem
        return decisions

    async def _refuse(self, unit: _Unit, cause: OctonetError, guilty: Item | None) -> list[Decision]:
        """Reject what stands alone: of a change set the guilty one for what it did, the others for being with it."""
        guilty = unit[0] if guilty is None else guilty
        reason = await self._reason(guilty, cause)
        return [_rejected(item, reason if item is guilty else _with_it(guilty)) for item in unit]

    async def _one(self, unit: UnitOfWork, item: Item) -> Decision:
        try:
            return await self._apply(unit, item)
        except (ConstraintViolation, Unavailable):
            raise
        except OctonetError as problem:
            if unit.flushed_within:
                raise _Isolate(problem, item) from problem
            unit.undo()
            return _rejected(item, problem)

    async def _apply(self, unit: UnitOfWork, item: Item) -> Decision:
        """Decide one command. Raises `OctonetError` to reject it."""
        command = item.command
        schema = self._schemas.entities.get(command.entity)
        at = iso(item.at)
        unit.begin(at)
        if schema is None:
            raise Internal(f"the entity {command.entity!r} is not in the schema any more")
        if item.expected is not None:
            await _check_version(unit, schema, command.touches()[0], item.expected)
        decided = await command.decide(unit, schema, Moment(at))
        events = unit.finish()
        data, version = None, 0
        if not events and decided.id is not None:
            data = await self._row(unit, schema, decided.id)
            version = await unit.version(schema, decided.id)
        return Decision(
            item.id,
            command.op(),
            schema.name,
            item.at,
            item.actor,
            Verdict.APPLIED if events else Verdict.UNCHANGED,
            events,
            decided.count,
            data,
            None,
            item.fingerprint,
            version,
            None if events else _target(command),
        )

    async def _reason(self, item: Item, problem: OctonetError) -> OctonetError:
        """Of several values that are taken the database names any; the id comes first, since it tells a repeated
        create from a wrong one."""
        schema = self._schemas.entities.get(item.command.entity)
        if not isinstance(problem, ConstraintViolation) or schema is None:
            return problem
        id = item.command.makes()
        found = [fault.path for fault in problem.faults] == [ID_PATH]
        if found or (id is not None and await self._transaction.fetch(schema, [id])):
            return id_taken(schema, id)
        return problem

    async def _row(self, unit: UnitOfWork, schema: EntitySchema, id: EntityId) -> bytes | None:
        row = await unit.load(schema, id)
        return None if row is None else encode_row(id, seal_row(self._sealer, schema, id, row))

    async def _prefetch(self, unit: UnitOfWork, items: Sequence[Item]) -> None:
        rows: dict[str, set[EntityId]] = {}
        targets: dict[str, set[EntityId]] = {}
        for item in items:
            command = item.command
            schema = self._schemas.entities.get(command.entity)
            if schema is None:
                continue
            ids = command.touches()
            if ids:
                rows.setdefault(schema.name, set()).update(ids)
            if schema.references:
                values = command.mentions()
                for relation in schema.references:
                    target = values.get(relation.column)
                    if isinstance(target, str):
                        targets.setdefault(relation.target, set()).add(EntityId(target))
        for name, found in rows.items():
            await unit.prefetch(self._schemas.entities[name], found)
        for name, found in targets.items():
            await unit.prefetch_targets(self._schemas.entities[name], found)


async def foreseen(database: Database, schemas: Schemas, sealer: Sealer, items: Sequence[Item]) -> list[Decision]:
    """What would become of commands; nothing of it stays."""
    transaction = await database.begin()
    try:
        return await Decider(transaction, schemas, sealer).decide(items)
    finally:
        await transaction.rollback()


def _units(items: Sequence[Item]) -> list[_Unit]:
    found: list[_Unit] = []
    for item in items:
        if item.together is not None and found and found[-1][0].together == item.together:
            found[-1] += (item,)
        else:
            found.append((item,))
    return found


def _with_it(guilty: Item) -> Conflict:
    sentence = f"the {guilty.command.op()} of a {guilty.command.entity} in the same change set was refused"
    return Conflict(sentence, code=CHANGE_SET_REFUSED)


def _rejected(item: Item, problem: OctonetError) -> Decision:
    rejection = Rejection(problem.kind, problem.code, problem.message, problem.faults)
    command = item.command
    return Decision(
        item.id,
        command.op(),
        command.entity,
        item.at,
        item.actor,
        Verdict.REJECTED,
        rejection=rejection,
        fingerprint=item.fingerprint,
        target=_target(command),
    )


def _target(command: Command) -> EntityId | None:
    """The id of the row that a command names."""
    return next(iter(command.touches()), None) or command.makes()


async def _check_version(unit: UnitOfWork, schema: EntitySchema, id: EntityId, expected: int) -> None:
    """The caller's condition; 0: that there is a row at all."""
    found = await unit.version(schema, id)
    if found == 0 or expected not in (0, found):
        state = f"is at version {found}" if found else "does not exist"
        raise VersionMismatch(f"{schema.name} {id} {state}; the request was for {expected or 'any version'}")
