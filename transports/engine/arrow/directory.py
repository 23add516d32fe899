"""What there is to ask for in SQL, as Flight SQL's tables about tables: a project is a catalog, with one schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

import pyarrow as pa

from octonet.kernel.schema import ID, EntitySchema, OnDelete
from octonet.project import Project
from transports.engine.arrow import sql_info
from transports.engine.arrow.columns import TIME, Columns
from transports.engine.arrow.terms import SCHEMA
from transports.engine.arrow.wire import Message

_TEXT, _INT32, _UINT8 = pa.string(), pa.int32(), pa.uint8()


def _schema(*fields: tuple[str, pa.DataType, bool]) -> pa.Schema:
    return pa.schema([pa.field(*field) for field in fields])


CATALOGS: Final = _schema(("catalog_name", _TEXT, False))
SCHEMAS: Final = _schema(("catalog_name", _TEXT, True), ("db_schema_name", _TEXT, False))
TABLE_TYPES: Final = _schema(("table_type", _TEXT, False))
TABLES: Final = _schema(
    ("catalog_name", _TEXT, True),
    ("db_schema_name", _TEXT, True),
    ("table_name", _TEXT, False),
    ("table_type", _TEXT, False),
)
TABLES_WITH_SCHEMA: Final = TABLES.append(pa.field("table_schema", pa.binary(), False))
PRIMARY_KEYS: Final = _schema(
    ("catalog_name", _TEXT, True),
    ("db_schema_name", _TEXT, True),
    ("table_name", _TEXT, False),
    ("column_name", _TEXT, False),
    ("key_sequence", _INT32, False),
    ("key_name", _TEXT, True),
)
REFERENCES: Final = _schema(
    ("pk_catalog_name", _TEXT, True),
    ("pk_db_schema_name", _TEXT, True),
    ("pk_table_name", _TEXT, False),
    ("pk_column_name", _TEXT, False),
    ("fk_catalog_name", _TEXT, True),
    ("fk_db_schema_name", _TEXT, True),
    ("fk_table_name", _TEXT, False),
    ("fk_column_name", _TEXT, False),
    ("key_sequence", _INT32, False),
    ("fk_key_name", _TEXT, True),
    ("pk_key_name", _TEXT, True),
    ("update_rule", _UINT8, False),
    ("delete_rule", _UINT8, False),
)
TYPES: Final = _schema(
    ("type_name", _TEXT, False),
    ("data_type", _INT32, False),
    ("column_size", _INT32, True),
    ("literal_prefix", _TEXT, True),
    ("literal_suffix", _TEXT, True),
    ("create_params", pa.list_(pa.field("item", _TEXT, False)), True),
    ("nullable", _INT32, False),
    ("case_sensitive", pa.bool_(), False),
    ("searchable", _INT32, False),
    ("unsigned_attribute", pa.bool_(), True),
    ("fixed_prec_scale", pa.bool_(), False),
    ("auto_increment", pa.bool_(), True),
    ("local_type_name", _TEXT, True),
    ("minimum_scale", _INT32, True),
    ("maximum_scale", _INT32, True),
    ("sql_data_type", _INT32, False),
    ("datetime_subcode", _INT32, True),
    ("num_prec_radix", _INT32, True),
    ("interval_precision", _INT32, True),
)
SQL_TIME: Final = pa.timestamp("us", "UTC")
_TABLE: Final = "TABLE"
_NO_ACTION: Final = 3
_RULES: Final[Mapping[OnDelete, int]] = {
    OnDelete.CASCADE: 0,
    OnDelete.RESTRICT: 1,
    OnDelete.SET_NULL: 2,
    OnDelete.NO_ACTION: _NO_ACTION,
}
_BOOLEAN, _DOUBLE, _VARCHAR, _TIMESTAMP = -7, 8, 12, 93
_FULL: Final = 3
"""A type that every condition can be about."""

Reference: TypeAlias = tuple[EntitySchema, EntitySchema, str, OnDelete]
"""Who is referred to, who refers, by which column, and what a deletion does."""


def _catalogs(home: Project, asked: Message) -> pa.Table:
    return _table(CATALOGS, [(home.name,)])


def _schemas(home: Project, asked: Message) -> pa.Table:
    there = _is(asked.text(1), home.name) and _like(asked.text(2), SCHEMA)
    return _table(SCHEMAS, [(home.name, SCHEMA)] if there else [])


def _tables(home: Project, asked: Message) -> pa.Table:
    types = asked.texts(4)
    there = _is(asked.text(1), home.name) and _like(asked.text(2), SCHEMA) and (not types or _TABLE in types)
    pattern, whole = asked.text(3), asked.flag(5)
    found = [entity for entity in home.schemas.entities.values() if there and _like(pattern, entity.name)]
    rows: list[tuple[object, ...]] = [(home.name, SCHEMA, entity.name, _TABLE) for entity in sorted(found, key=_name)]
    if not whole:
        return _table(TABLES, rows)
    told = [_answered(Columns(home.schemas.entities[str(row[2])]).schema) for row in rows]
    return _table(TABLES_WITH_SCHEMA, [(*row, schema) for row, schema in zip(rows, told, strict=True)])


def _table_types(home: Project, asked: Message) -> pa.Table:
    return _table(TABLE_TYPES, [(_TABLE,)])


def _primary_keys(home: Project, asked: Message) -> pa.Table:
    entity = home.schemas.find(asked.text(3) or "")
    there = entity is not None and _is(asked.text(1), home.name) and _is(asked.text(2), SCHEMA)
    return _table(PRIMARY_KEYS, [(home.name, SCHEMA, entity.name, ID, 1, None)] if there and entity else [])


def _exported(home: Project, asked: Message) -> pa.Table:
    return _referring(home, lambda one: one[0].name == asked.text(3))


def _imported(home: Project, asked: Message) -> pa.Table:
    return _referring(home, lambda one: one[1].name == asked.text(3))


def _crossed(home: Project, asked: Message) -> pa.Table:
    return _referring(home, lambda one: (one[0].name, one[1].name) == (asked.text(3), asked.text(6)))


def _types(home: Project, asked: Message) -> pa.Table:
    wanted = asked.fields.get(1)
    rows = [row for row in _TYPE_ROWS if wanted is None or row[1] == _signed(wanted[-1])]
    return _table(TYPES, rows)


def _info(home: Project, asked: Message) -> pa.Table:
    return sql_info.table(asked.numbers(1))


COMMANDS: Final[Mapping[str, tuple[Callable[[Message], pa.Schema], Callable[[Project, Message], pa.Table]]]] = {
    "CommandGetSqlInfo": (lambda asked: sql_info.SCHEMA, _info),
    "CommandGetCatalogs": (lambda asked: CATALOGS, _catalogs),
    "CommandGetDbSchemas": (lambda asked: SCHEMAS, _schemas),
    "CommandGetTables": (lambda asked: TABLES_WITH_SCHEMA if asked.flag(5) else TABLES, _tables),
    "CommandGetTableTypes": (lambda asked: TABLE_TYPES, _table_types),
    "CommandGetPrimaryKeys": (lambda asked: PRIMARY_KEYS, _primary_keys),
    "CommandGetExportedKeys": (lambda asked: REFERENCES, _exported),
    "CommandGetImportedKeys": (lambda asked: REFERENCES, _imported),
    "CommandGetCrossReference": (lambda asked: REFERENCES, _crossed),
    "CommandGetXdbcTypeInfo": (lambda asked: TYPES, _types),
}
"""Message → the columns of its answer, and its answer."""


def _referring(home: Project, wanted: Callable[[Reference], bool]) -> pa.Table:
    rows: list[tuple[object, ...]] = [
        (
            home.name,
            SCHEMA,
            target.name,
            ID,
            home.name,
            SCHEMA,
            owner.name,
            column,
            1,
            None,
            None,
            _NO_ACTION,
            _RULES[rule],
        )
        for target, owner, column, rule in filter(wanted, _references(home))
    ]
    return _table(REFERENCES, rows)


def _references(home: Project) -> Iterator[Reference]:
    entities = home.schemas.entities
    for owner in sorted(entities.values(), key=_name):
        for relation in owner.references:
            yield entities[relation.target], owner, relation.column, relation.on_delete


def _table(schema: pa.Schema, rows: list[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays(
        [pa.array(list(c), f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )


def _answered(schema: pa.Schema) -> bytes:
    """The columns as a statement answers with them: with the times of SQL, which are finer."""
    times = {TIME: SQL_TIME, pa.list_(TIME): pa.list_(SQL_TIME)}
    fields = [field.with_type(times.get(field.type, field.type)) for field in schema]
    return bytes(pa.schema(fields, schema.metadata).serialize().to_pybytes())


def _name(entity: EntitySchema) -> str:
    return entity.name


def _is(wanted: str | None, name: str) -> bool:
    return wanted is None or wanted == name


def _like(pattern: str | None, name: str) -> bool:
    """Whether a name matches a pattern of SQL's LIKE."""
    if pattern is None:
        return True
    parts = (".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern)
    return re.fullmatch("".join(parts), name, re.DOTALL) is not None


def _signed(value: int | bytes) -> int:
    if not isinstance(value, int):
        return 0
    return value - (1 << 64) if value >= 1 << 63 else value


def _type_row(name: str, number: int, size: int | None, quote: str | None, case: bool) -> tuple[object, ...]:
    radix = 2 if number == _DOUBLE else None
    unsigned = False if number == _DOUBLE else None
    shared = (None, 1, case, _FULL, unsigned, False, False, name, None, None, number, None, radix, None)
    return (name, number, size, quote, quote, *shared)


_TYPE_ROWS: Final = [
    _type_row("BOOLEAN", _BOOLEAN, 1, None, False),
    _type_row("DOUBLE", _DOUBLE, 53, None, False),
    _type_row("VARCHAR", _VARCHAR, None, "'", True),
    _type_row("TIMESTAMP WITH TIME ZONE", _TIMESTAMP, 32, "'", False),
]
