"""Which schema the tables follow while the log is folded into them, and how facts of another schema fit in."""

from __future__ import annotations

from octonet.kernel import schema_parse, value_types
from octonet.kernel.conversion import conversion
from octonet.kernel.errors import Conflict, Fault, Unavailable
from octonet.kernel.faults import quote, step
from octonet.kernel.ids import EntityId, JsonValue, Row
from octonet.kernel.log import SchemaChanged
from octonet.kernel.schema import ID, EntitySchema, Field, FieldType, Schemas
from octonet.kernel.storage import Checkpoint, Database, Strategy
from octonet.kernel.value_types import Misfit

MOVED = "CHECKPOINT_MOVED"


class Tables:
    """The tables of one database, as the fold passes changes of the schema.

    In step, they follow the schema that the facts were written by. They are ahead where they were made to fit a newer
    one before the log was folded that far: then they stay, and facts are fitted into them until the log catches up.
    Tables that somebody else looks after are never changed.
    """

    def __init__(self, database: Database, schemas: Schemas) -> None:
        self._database = database
        self._wanted = schemas
        self._ours = False
        self.schemas = schemas
        """What the tables follow."""
        self.in_step = True
        """Whether facts at this place of the log were written by the same schema."""

    async def open(self, mark: Checkpoint) -> None:
        """Find out what the tables follow, and read and write by it."""
        followed = await self._database.follows()
        self._ours = followed is not None
        self.schemas = self._wanted
        if followed is not None and followed.digest != self._wanted.digest:
            self.schemas = schema_parse.parse(followed.source)
            await self._database.migrate(self.schemas, Strategy.UPDATE)
        self.in_step = mark.schema == self.schemas.digest

    async def change(self, before: Checkpoint, after: Checkpoint, entry: SchemaChanged) -> bool:
        """Follow the log: true when the tables were changed, and the checkpoint moved from `before` to `after` in the
        same transaction."""
        # Before the first schema there are no facts, so that tables of any shape are empty, and begin anew.
        fresh = not before.schema
        follow = self._ours and (self.in_step or fresh)
        changes = follow and (entry.digest != self.schemas.digest or entry.dropped)
        if changes:
            if await self._database.checkpoint() != before:
                raise moved()
            wanted = entry.digest == self._wanted.digest
            self.schemas = self._wanted if wanted else schema_parse.parse(entry.schema)
            drop = entry.dropped or fresh
            await self._database.migrate(self.schemas, Strategy.UPDATE, drop=drop, mark=after)
        self.in_step = entry.digest == self.schemas.digest
        return changes

    async def close(self) -> None:
        """The log ends here: whoever writes on wants the project's own schema."""
        if self._ours and self.schemas.digest != self._wanted.digest:
            await self._database.migrate(self._wanted, Strategy.UPDATE)
            self.schemas = self._wanted


def moved() -> Unavailable:
    """Another process has folded further meanwhile, as while a replica becomes a project's own database: whoever meets
    this begins again where the checkpoint is now."""
    return Unavailable("the checkpoint moved under the fold: another process writes to this database", code=MOVED)


def fitted(schema: EntitySchema, id: EntityId, fact: Row, row: Row) -> Row:
    """The row of a fact that was written by another schema, as a change of the tables would have left it: new columns
    have their defaults, values are turned. Raises `Conflict`, code SCHEMA_CONFLICT, where one cannot be."""
    for name, column in schema.columns.items():
        field = schema.fields.get(name) or Field(name, column.type)
        if name == ID:
            continue
        if row[name] is not None:
            row[name] = _fitting(schema, id, field, row[name])
        elif name not in fact or field.required:
            row[name] = value_types.anything(field.default)
    return row


def _fitting(schema: EntitySchema, id: EntityId, field: Field, value: JsonValue) -> JsonValue:
    try:
        value_types.for_field(Field(field.name, field.type))(value)
    except Misfit:
        # The type it had is not known here, but a value tells enough about itself.
        try:
            return conversion(FieldType.JSON, field)(value)
        except Misfit as misfit:
            told = "does not convert" if field.secret else misfit.faults[0][1]
            path = step(step(step("$", schema.name), "fields"), field.name)
            sentence = f"the log has a value for row {quote(id)} that does not fit the tables: {told}"
            raise Conflict(f"{path}: {sentence}", code="SCHEMA_CONFLICT", faults=(Fault(path, sentence),)) from None
    return value
