"""What stands in a database, in the words of the schemas it followed: what the catalogue of a database cannot tell."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.names import quoted
from octonet.dialects.engine.tables import EntityTable, Junction, Model
from octonet.kernel.schema import ID, FieldType


class StandingColumn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column of an entity, by what was last stored in it."""

    type: FieldType
    required: bool = False
    enum: tuple[str, ...] = ()
    references: str = ""
    """The physical table whose ids it holds, or empty."""


class StandingTable(msgspec.Struct, frozen=True, omit_defaults=True):
    """The table of an entity or, with a `target`, of links. Columns and tables that a schema gave up stay in here,
    unused, for as long as they are in the database."""

    owner: str
    """The entity, or the entity and its relation: ``Flight.crew``."""
    columns: Mapping[str, StandingColumn] = {}
    target: str = ""
    """The physical table that links lead to."""
    used: bool = True


class Standing(msgspec.Struct, frozen=True):
    """By physical names."""

    tables: Mapping[str, StandingTable] = {}
    indexes: Mapping[str, str] = {}
    """For each index in use the SQL that made it."""


def read(text: str) -> Standing:
    """What `write` wrote."""
    return msgspec.json.decode(text, type=Standing)


def write(standing: Standing) -> str:
    """As text, to be kept in the database itself."""
    return msgspec.json.encode(standing).decode()


def of(model: Model, grammar: Grammar) -> Standing:
    """What stands when nothing but this model does."""
    tables: dict[str, StandingTable] = {}
    for entity in model.entities.values():
        tables[str(entity.table.name)] = StandingTable(entity.schema.name, _columns(entity, model))
        for junction in entity.junctions.values():
            target = str(model.entities[junction.relation.target].table.name)
            ends = {str(column.name): StandingColumn(FieldType.STRING, True) for column in junction.table.columns}
            tables[str(junction.table.name)] = StandingTable(owner(entity, junction), ends, target)
    indexes = {str(index.name): created(index, grammar) for table in model.public for index in table.indexes}
    return Standing(tables, indexes)


def kept(before: Standing, after: Standing) -> Standing:
    """`after`, with all that stood before it and is not used any more."""
    tables: dict[str, StandingTable] = {
        name: msgspec.structs.replace(table, used=False) for name, table in before.tables.items()
    }
    for name, table in after.tables.items():
        old = before.tables[name].columns if name in before.tables and not table.target else {}
        unused = {column: msgspec.structs.replace(found, required=False) for column, found in old.items()}
        tables[name] = msgspec.structs.replace(table, columns={**unused, **table.columns})
    return Standing(tables, after.indexes)


def beside(standing: Standing, model: Model, grammar: Grammar) -> Model:
    """The model, with the columns of its tables that stand unused."""
    entities: dict[str, EntityTable] = {}
    for name, entity in model.entities.items():
        used = {str(column.name) for column in entity.table.columns}
        stands = standing.tables[str(entity.table.name)].columns
        unused = [sa.Column(quoted(n), grammar.types[c.type]) for n, c in stands.items() if n not in used]
        id = sa.Column(quoted(ID), grammar.types[FieldType.STRING])
        aside = sa.Table(entity.table.name, sa.MetaData(), id, *unused) if unused else None
        entities[name] = msgspec.structs.replace(entity, aside=aside)
    return msgspec.structs.replace(model, entities=entities)


def aside(standing: Standing, model: Model) -> tuple[str, ...]:
    """What stands there without being of the model: tables, and columns as ``table.column``."""
    used = {str(table.name): {str(column.name) for column in table.columns} for table in model.public}
    found: list[str] = []
    for name, table in standing.tables.items():
        if not table.used or name not in used:
            found.append(name)
        else:
            found += [f"{name}.{column}" for column in table.columns if column not in used[name]]
    return tuple(sorted(found))


def owner(entity: EntityTable, junction: Junction) -> str:
    """Who owns a table of links."""
    return f"{entity.schema.name}.{junction.relation.name}"


def created(index: sa.Index, grammar: Grammar) -> str:
    """The SQL that makes an index."""
    return str(CreateIndex(index).compile(dialect=grammar.compiler)).strip()


def _columns(entity: EntityTable, model: Model) -> dict[str, StandingColumn]:
    found: dict[str, StandingColumn] = {}
    for column in entity.schema.columns.values():
        field = entity.schema.fields.get(column.name)
        target = str(model.entities[column.references].table.name) if column.references else ""
        enum = () if field is None else field.enum
        found[str(entity.table.c[column.name].name)] = StandingColumn(column.type, not column.nullable, enum, target)
    return found
