"""The session that commands decide in: rows loaded once, changes kept until a flush, one fact per row and command."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from octonet.kernel.equality import same
from octonet.kernel.errors import Conflict, Fault, ValidationError, validation
from octonet.kernel.event import Event, Fact
from octonet.kernel.filter import Filter, In
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.pending import Pending, Slot
from octonet.kernel.schema import DELETED_AT, UPDATED_AT, EntitySchema, OnDelete, Schemas
from octonet.kernel.sealing import Sealer, open_row, seal_row
from octonet.kernel.storage import Transaction

ID_PATH: Final = "$.data.id"
_json = msgspec.json.Encoder()


def encode_row(id: EntityId, row: Row) -> bytes:
    """A row as the JSON text that reply, fact and frame share."""
    return _json.encode({"id": id, **row})


def id_taken(schema: EntitySchema, id: EntityId | None) -> Conflict:
    """The refusal of a row under an id that another one has."""
    which = "with this id" if id is None else id
    fault = Fault(ID_PATH, "is already taken")
    return Conflict(f"{schema.name} {which} exists already", code="DUPLICATE_ID", faults=(fault,))


class _Before(NamedTuple):
    version: int
    state: Row | None


class UnitOfWork:
    """Implements `kernel.operation.Session` over one open transaction. `begin` and `finish` enclose each command."""

    def __init__(self, transaction: Transaction, schemas: Schemas, sealer: Sealer) -> None:
        self._transaction = transaction
        self._schemas = schemas
        self._sealer = sealer
        self._pending = Pending(transaction)
        self._present: dict[str, set[EntityId]] = {}
        self._journal: dict[Slot, tuple[EntityId, _Before]] = {}
        self._at = ""
        self.flushed_within = False
        """Whether the current command's own changes may have reached the database: then only a rollback undoes it."""

    # -- what the batch does ------------------------------------------------------------------------------------

    async def prefetch(self, schema: EntitySchema, ids: Collection[EntityId]) -> None:
        """Load rows that commands of the batch name, in one query."""
        unknown = {id for id in ids if self._pending.slot(schema, id) is None}
        if not unknown:
            return
        found = await self._transaction.fetch(schema, unknown)
        for id in unknown:
            row = found.get(id)
            self._pending.know(schema, id, row.version if row else 0, row.state if row else None)

    async def prefetch_targets(self, schema: EntitySchema, ids: Collection[EntityId]) -> None:
        """Learn which of the ids that references point at exist, in one query."""
        present = self._present.setdefault(schema.name, set())
        unknown = {id for id in ids if id not in present}
        if unknown:
            present |= await self._transaction.present(schema, unknown)

    def begin(self, at: str) -> None:
        """A command starts; `at` is its time, ISO-8601."""
        self._journal = {}
        self._at = at
        self.flushed_within = False

    def finish(self) -> tuple[Event, ...]:
        """The command is decided: its facts, one for each row that differs from before."""
        return tuple(
            event
            for slot, (id, before) in self._journal.items()
            if (event := self._event(slot, id, before)) is not None
        )

    def undo(self) -> None:
        """The command is rejected: as if it had never begun. Only while nothing of it was flushed."""
        for slot, (_, before) in self._journal.items():
            slot.version, slot.state = before.version, before.state
        self._journal = {}

    async def flush(self) -> None:
        """Let the database check everything so far. Raises `ConstraintViolation`."""
        await self._pending.flush()

    # -- what a command sees ------------------------------------------------------------------------------------

    async def load(self, schema: EntitySchema, id: EntityId) -> Row | None:
        """See the port."""
        slot = await self._slot(schema, id)
        return slot.state if _is_live(schema, slot) else None

    async def standing(self, schema: EntitySchema, id: EntityId) -> tuple[int, Row | None]:
        """See the port."""
        slot = await self._slot(schema, id)
        return (0 if slot.state is None else slot.version), slot.state

    async def version(self, schema: EntitySchema, id: EntityId) -> int:
        """The version of a live row, 0 where there is none."""
        slot = await self._slot(schema, id)
        return slot.version if _is_live(schema, slot) else 0

    async def match(self, schema: EntitySchema, where: Filter, limit: int | None = None) -> list[EntityId]:
        """See the port."""
        await self._flush_within()
        return await self._transaction.match(schema, where, limit=limit)

    async def create(self, schema: EntitySchema, id: EntityId, state: Row, *, settled: bool = False) -> Row:
        """See the port. A taken id that the batch does not know is found by the database."""
        slot = self._pending.slot(schema, id) or self._pending.know(schema, id, 0, None)
        if slot.state is not None:
            raise id_taken(schema, id)
        state = open_row(self._sealer, schema, "", state)
        await self._check_references(schema, id, {}, state, settled)
        self._touch(slot, id)
        before = self._journal[slot][1]
        # A row that this very command removed goes on counting; a new life starts at 1.
        version = before.version + 1 if before.state is not None else 1
        self._pending.put(slot, version, state, takes=bool(schema.unique_columns))
        return state

    async def update(self, schema: EntitySchema, id: EntityId, change: Row, *, settled: bool = False) -> Row:
        """See the port."""
        slot = await self._slot(schema, id)
        state = slot.state
        assert state is not None, "the command loads a row before it changes it"
        change = open_row(self._sealer, schema, "", change)
        new = {name: value for name, value in change.items() if not same(state[name], value)}
        if not new:
            return state
        await self._check_references(schema, id, state, new, settled)
        if schema.timestamps and UPDATED_AT not in change:
            new[UPDATED_AT] = self._at
        await self._change(schema, slot, id, {**state, **new}, new)
        return slot.state or state

    async def erase(self, schema: EntitySchema, ids: Sequence[EntityId]) -> None:
        """See the port. First everything that follows is found out, then it is done: a restriction leaves no trace."""
        if schema.soft_delete:
            for id in ids:
                slot = await self._slot(schema, id)
                assert slot.state is not None
                gone: Row = {DELETED_AT: self._at}
                await self._change(schema, slot, id, slot.state | gone, gone)
            return
        plan = _Plan()
        await self._plan(schema, ids, plan)
        plan.check_restrictions()
        for child, owner, cleared in plan.cleared:
            if (child.name, owner) not in plan.erased:
                slot = await self._slot(child, owner)
                if slot.state is not None:
                    await self._change(child, slot, owner, slot.state | cleared, cleared)
        await self._unlink(plan)
        for (_, id), erased in reversed(plan.erased.items()):
            slot = await self._slot(erased, id)
            if slot.state is not None:
                await self._remove(erased, slot, id)

    # -- how ----------------------------------------------------------------------------------------------------

    async def _plan(self, schema: EntitySchema, ids: Iterable[EntityId], plan: _Plan) -> None:
        new = [id for id in ids if plan.add(schema, id)]
        referrers = self._schemas.referrers[schema.name]
        if not new or not referrers:
            return
        await self._flush_within()
        for child, relation in referrers:
            where = _in(relation.column, new)
            children = await self._transaction.match(child, where, include_deleted=True)
            if not children:
                continue
            if relation.on_delete is OnDelete.CASCADE:
                await self._plan(child, children, plan)
            elif relation.on_delete is OnDelete.SET_NULL:
                plan.cleared += [(child, owner, {relation.column: None}) for owner in children]
            else:
                plan.restricted += [(child, owner, relation.name, schema.name) for owner in children]

    async def _unlink(self, plan: _Plan) -> None:
        by_entity: dict[str, list[EntityId]] = {}
        for (name, id), _ in plan.erased.items():
            by_entity.setdefault(name, []).append(id)
        for name, ids in by_entity.items():
            for owner_schema, relation in self._schemas.linkers[name]:
                await self._flush_within()
                gone = set(ids)
                for owner in await self._transaction.linked(owner_schema, relation, ids):
                    slot = await self._slot(owner_schema, owner)
                    if slot.state is None or (owner_schema.name, owner) in plan.erased:
                        continue
                    links = slot.state[relation.name]
                    assert isinstance(links, list)
                    left: Row = {relation.name: [link for link in links if link not in gone]}
                    await self._change(owner_schema, slot, owner, slot.state | left, left)

    async def _slot(self, schema: EntitySchema, id: EntityId) -> Slot:
        slot = self._pending.slot(schema, id)
        if slot is None:
            await self.prefetch(schema, (id,))
            slot = self._pending.slot(schema, id)
            assert slot is not None
        return slot

    def _touch(self, slot: Slot, id: EntityId) -> None:
        if slot not in self._journal:
            self._journal[slot] = (id, _Before(slot.version, slot.state))

    async def _change(self, schema: EntitySchema, slot: Slot, id: EntityId, state: Row, new: Row) -> None:
        unique = DELETED_AT in new or not schema.unique_columns.isdisjoint(new)
        if self._pending.must_flush_before(schema, gives_back=unique):
            await self._flush_within()
        self._touch(slot, id)
        self._pending.put(slot, self._journal[slot][1].version + 1, state, takes=unique)

    async def _remove(self, schema: EntitySchema, slot: Slot, id: EntityId) -> None:
        if self._pending.must_flush_before(schema, gives_back=True):
            await self._flush_within()
        self._touch(slot, id)
        self._pending.put(slot, self._journal[slot][1].version + 1, None, takes=False)

    async def _flush_within(self) -> None:
        if self._pending.dirty:
            self.flushed_within = self.flushed_within or bool(self._journal)
            await self._pending.flush()

    async def _check_references(self, schema: EntitySchema, id: EntityId, before: Row, new: Row, settled: bool) -> None:
        """What was linked before may stay, also to a row that was softly deleted since."""
        for relation in schema.references:
            target = new.get(relation.column)
            if isinstance(target, str):
                await self._check_target(schema, id, relation.target, EntityId(target), relation.column, settled)
        for relation in schema.links:
            held = set(_links(before.get(relation.name)))
            for linked in (link for link in _links(new.get(relation.name)) if link not in held):
                await self._check_target(schema, id, relation.target, linked, relation.name, settled)

    async def _check_target(
        self, schema: EntitySchema, id: EntityId, target: str, target_id: EntityId, place: str, settled: bool
    ) -> None:
        if target == schema.name and target_id == id:
            return
        target_schema = self._schemas.entities[target]
        if settled and target_schema.soft_delete:
            if (await self._slot(target_schema, target_id)).state is None:
                raise _no_target(place, target, target_id)
            return
        slot = self._pending.slot(target_schema, target_id)
        if slot is not None:
            if not _is_live(target_schema, slot):
                raise _no_target(place, target, target_id)
            return
        present = self._present.setdefault(target, set())
        if target_id not in present:
            await self.prefetch_targets(target_schema, (target_id,))
            if target_id not in present:
                raise _no_target(place, target, target_id)

    def _event(self, slot: Slot, id: EntityId, before: _Before) -> Event | None:
        schema, state = slot.schema, slot.state
        if state is None:
            # A version is never reused within a life, so the row's end has one of its own.
            return Event(Fact.DELETED, schema.name, id, before.version + 1, None) if before.state is not None else None
        data = encode_row(id, seal_row(self._sealer, schema, id, state))
        if before.state is None:
            return Event(Fact.CREATED, schema.name, id, slot.version, data)
        changed = tuple(name for name in state if not same(before.state[name], state[name]))
        if not changed:
            slot.version = before.version
            return None
        ended = schema.soft_delete and before.state[DELETED_AT] is None and state[DELETED_AT] is not None
        return Event(Fact.DELETED if ended else Fact.UPDATED, schema.name, id, slot.version, data, changed)


class _Plan:
    """What a deletion will do."""

    def __init__(self) -> None:
        self.erased: dict[tuple[str, EntityId], EntitySchema] = {}
        self.cleared: list[tuple[EntitySchema, EntityId, Row]] = []
        self.restricted: list[tuple[EntitySchema, EntityId, str, str]] = []

    def add(self, schema: EntitySchema, id: EntityId) -> bool:
        if (schema.name, id) in self.erased:
            return False
        self.erased[schema.name, id] = schema
        return True

    def check_restrictions(self) -> None:
        for child, owner, relation, target in self.restricted:
            if (child.name, owner) not in self.erased:
                raise Conflict(
                    f"{child.name} {owner} still refers to this {target} by {relation!r}", code="STILL_REFERRED_TO"
                )


def _is_live(schema: EntitySchema, slot: Slot) -> bool:
    if slot.state is None or (schema.soft_delete and slot.state[DELETED_AT] is not None):
        return False
    return not schema.discriminator_value or slot.state[schema.discriminator] == schema.discriminator_value


def _in(column: str, ids: list[EntityId]) -> Filter:
    return In(column, tuple(ids))


def _links(value: object) -> list[EntityId]:
    return [EntityId(str(link)) for link in value] if isinstance(value, list) else []


def _no_target(place: str, target: str, id: EntityId) -> ValidationError:
    return validation(f"$.data.{place}", f"there is no {target} with the id {id!r}", code="REFERENCE_NOT_FOUND")
