"""The SQL that MariaDB and MySQL have in common."""

from __future__ import annotations

from typing import Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from octonet.dialects.engine import mariadb_ddl, mariadb_patterns
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, as_number
from octonet.dialects.engine.grammar import Expression, Grammar
from octonet.dialects.engine.inventory import Listings
from octonet.kernel.schema import FieldType

_TEXT: Final = mysql.LONGTEXT()


def _number(value: Expression) -> Expression:
    # A cast that SQLAlchemy leaves out where it does not know the server.
    return cast("Expression", sa.type_coerce(value, sa.Double()) + sa.literal_column("0e0"))


def _total(value: Expression) -> Expression:
    return cast("Expression", sa.func.coalesce(sa.func.sum(value), sa.literal_column("0e0")))


GRAMMAR: Final = Grammar(
    name="mariadb",
    compiler=mariadb_ddl.Compiler(paramstyle="qmark"),
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: sa.Double(),
        FieldType.BOOLEAN: mysql.TINYINT(1),
        FieldType.DATE: _TEXT,
        FieldType.JSON: _TEXT,
        FieldType.ARRAY: _TEXT,
    },
    key=sa.String(255),
    encoders=JSON_AS_TEXT,
    decoders={FieldType.NUMBER: as_number, FieldType.BOOLEAN: bool, **JSON_FROM_TEXT},
    pattern=mariadb_patterns.pattern,
    manners={
        mariadb_patterns.LIKE: lambda column, text: column.like(text, escape=mariadb_patterns.ESCAPE),
        mariadb_patterns.REGEX: lambda column, text: column.bool_op("REGEXP")(text),
    },
    total=_total,
    number=_number,
    declares_references=False,
    takes_rows_out=True,
    most_ids=1000,
    partial_index_option=mariadb_ddl.PARTIAL,
    allow_null="ALTER TABLE {table} MODIFY COLUMN {column} {type} NULL",
    refuse_null="ALTER TABLE {table} MODIFY COLUMN {column} {type} NOT NULL",
    # What comes with an index is seen to where it is run.
    drop_index="ALTER TABLE {table} DROP INDEX {index}",
    longest_name=mariadb_ddl.LONGEST_NAME,
)


_OURS: Final = "table_schema = DATABASE()"
LISTINGS: Final = Listings(
    # A computed column belongs to its index.
    "SELECT c.table_name, c.column_name, c.column_type, c.is_nullable = 'NO' FROM information_schema.columns AS c"
    f" WHERE c.{_OURS} AND COALESCE(c.generation_expression, '') = '' AND c.table_name IN"
    f" (SELECT t.table_name FROM information_schema.tables AS t WHERE t.{_OURS} AND t.table_type = 'BASE TABLE')",
    f"SELECT DISTINCT index_name FROM information_schema.statistics WHERE {_OURS}",
)
