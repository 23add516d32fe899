"""One row on its way from one project into another, as a command of a replication rule."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from commands.engine.replicate import Replicate
from octonet.kernel.envelope import Actor, Envelope, Origin
from octonet.kernel.errors import Conflict
from octonet.kernel.ids import CommandId, EntityId, ProjectName, Row
from octonet.kernel.instant import iso
from octonet.kernel.merge import NEVER, Stamp
from octonet.kernel.operation import Command
from octonet.kernel.schema import CREATED_AT, DELETED_AT, ID, UPDATED_AT, EntitySchema
from octonet.kernel.sealing import open_row, seal_row
from octonet.kernel.values import new_row
from octonet.project import Project

TRANSPORT = "rule"
"""How it says that it came in."""

_row = msgspec.json.Decoder(dict)


class Carried(msgspec.Struct, frozen=True):
    """A row and all that its origin must say. `row` is None where it is gone, secrets in clear else."""

    entity: str
    id: EntityId
    row: Row | None
    base: int
    """See `commands.engine.replicate.Replicate`."""
    at: int
    chain: tuple[ProjectName, ...]
    stamp: Stamp = NEVER
    fresh: bool = False
    """Whether the other side is known not to have it."""


class Carriage:
    """Implements `octonet.kernel.envelope.Draft`. `attempt` tells one look at both sides from the next: what is sent
    twice within it is decided once."""

    def __init__(self, rule: str, home: Project, carried: Carried, attempt: str) -> None:
        self._rule = rule
        self._home = home
        self._carried = carried
        said = msgspec.json.encode((rule, home.name, carried.entity, carried.id, carried.stamp, carried.base, attempt))
        self.id = CommandId(f"rule-{blake2b(said, digest_size=16).hexdigest()}")

    def envelope(self, at: int) -> Envelope[Command]:
        """See the port. Raises `ValidationError` or `Conflict` where the row does not fit this project."""
        carried = self._carried
        schema = self._home.schemas.entities.get(carried.entity)
        if schema is None:
            raise Conflict(f"project {self._home.name} has no {carried.entity} any more")
        origin = Origin(self._rule, carried.chain, carried.at, carried.stamp, carried.entity, carried.id)
        actor = Actor(transport=TRANSPORT, origin=origin)
        if carried.row is None:
            return Envelope(self.id, at, actor, Replicate(schema.name, carried.id, carried.base, True, {}, ()))
        full, known = fitted(schema, carried.row, iso(carried.at))
        gone = not schema.soft_delete and carried.row.get(DELETED_AT) is not None
        sealed = seal_row(self._home.sealer, schema, "", full)
        return Envelope(self.id, at, actor, Replicate(schema.name, carried.id, carried.base, gone, sealed, known))


def opened(home: Project, entity: str, id: EntityId, data: bytes) -> Row:
    """A row as a fact of this project has it, its secrets in clear."""
    row: Row = _row.decode(data)
    row.pop(ID, None)
    schema = home.schemas.entities.get(entity)
    return row if schema is None else open_row(home.sealer, schema, id, row)


def fitted(schema: EntitySchema, row: Row, at: str) -> tuple[Row, tuple[str, ...]]:
    """The row as this schema has it, whole, and the names of what was told of it. Raises `ValidationError`."""
    names = [*(name for name in schema.columns if name != ID), *(link.name for link in schema.links)]
    told = {name: row[name] for name in names if name in row}
    for name in (CREATED_AT, UPDATED_AT):
        if told.get(name, "") is None:
            del told[name]
    deleted = told.pop(DELETED_AT, None) if schema.soft_delete else None
    full = new_row(schema, told, at, path="$.data")
    known = set(told)
    if schema.soft_delete:
        full[DELETED_AT] = deleted
        known.add(DELETED_AT)
    return full, tuple(name for name in names if name in known)
