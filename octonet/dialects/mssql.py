"""Microsoft SQL Server, 2016 or later: its driver blocks, and every connection has a thread of its own; definitions are
part of their transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.mssql import NVARCHAR, TINYINT

from octonet.dialects.engine import mssql_ddl, mssql_patterns
from octonet.dialects.engine.catalog_reflection import reflected
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, as_number
from octonet.dialects.engine.dbapi_database import DbapiDatabase
from octonet.dialects.engine.dbapi_server import Server
from octonet.dialects.engine.ends import Verbatim
from octonet.dialects.engine.grammar import Cell, Condition, Expression, Grammar, as_double, sum_or_zero
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.model import build
from octonet.dialects.engine.mssql_catalog import CATALOG
from octonet.dialects.engine.mssql_letters import kept
from octonet.dialects.engine.mssql_product import MSSQL, WRITTEN
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_TEXT: Final = NVARCHAR(mssql_ddl.LONGEST_TEXT, collation=mssql_ddl.COLLATION)
_LONG: Final = NVARCHAR(None, collation=mssql_ddl.COLLATION)


def _matches(column: Expression, text: Expression) -> Condition:
    return sa.func.REGEXP_LIKE(column, text, type_=sa.Boolean())


def _among(column: Expression, values: Expression, negated: bool) -> Condition:
    """The values are told as texts; numbers are compared as numbers."""
    value: Expression = sa.column("value", NVARCHAR())
    of = sa.collate(value, mssql_ddl.COLLATION) if isinstance(column.type, sa.String) else sa.cast(value, sa.Double())
    listed = sa.select(of).select_from(sa.func.OPENJSON(values))
    return column.not_in(listed) if negated else column.in_(listed)


def _packed(values: Sequence[Cell]) -> Cell:
    return Verbatim(msgspec.json.encode([kept(cell) if isinstance(cell, str) else cell for cell in values]).decode())


GRAMMAR: Final = Grammar(
    name="mssql",
    compiler=mssql_ddl.Compiler(paramstyle="qmark"),  # type: ignore[no-untyped-call]
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: sa.Double(),
        FieldType.BOOLEAN: TINYINT(),
        FieldType.DATE: _TEXT,
        FieldType.JSON: _LONG,
        FieldType.ARRAY: _LONG,
    },
    key=NVARCHAR(255, collation=mssql_ddl.COLLATION),
    kept=_LONG,
    encoders=JSON_AS_TEXT,
    decoders={FieldType.NUMBER: as_number, FieldType.BOOLEAN: bool, **JSON_FROM_TEXT},
    pattern=mssql_patterns.pattern,
    manners={
        mssql_patterns.LIKE: lambda column, text: column.like(text, escape=mssql_patterns.ESCAPE),
        mssql_patterns.REGEX: _matches,
    },
    total=sum_or_zero,
    among=_among,
    pack=_packed,
    number=as_double,
    declares_references=False,
    takes_rows_out=True,
    most_ids=1000,
    partial_index_option=mssql_ddl.PARTIAL,
    add_column="ALTER TABLE {table} ADD {column}",
    allow_null="ALTER TABLE {table} ALTER COLUMN {column} {type} NULL",
    refuse_null="ALTER TABLE {table} ALTER COLUMN {column} {type} NOT NULL",
    rename_table="DECLARE @name SYSNAME = PARSENAME(N'{to}', 1); EXEC sp_rename N'{table}', @name",
    rename_column="DECLARE @name SYSNAME = PARSENAME(N'{to}', 1); EXEC sp_rename N'{table}.{column}', @name, 'COLUMN'",
    drop_index="DROP INDEX {index} ON {table}",
    longest_name=mssql_ddl.LONGEST_NAME,
    no_letters="'[]",
)

_LISTINGS: Final = Listings(
    "SELECT t.name, c.name, CASE WHEN c.collation_name IS NULL THEN y.name ELSE y.name + '('"
    " + CASE c.max_length WHEN -1 THEN 'max' ELSE CAST(c.max_length / 2 AS VARCHAR(10)) END + ') COLLATE '"
    " + c.collation_name END, CASE c.is_nullable WHEN 1 THEN 0 ELSE 1 END FROM sys.tables AS t"
    " JOIN sys.columns AS c ON c.object_id = t.object_id JOIN sys.types AS y ON y.user_type_id = c.user_type_id"
    " WHERE t.schema_id = SCHEMA_ID()",
    "SELECT i.name FROM sys.indexes AS i JOIN sys.tables AS t ON t.object_id = i.object_id"
    " WHERE t.schema_id = SCHEMA_ID() AND i.name IS NOT NULL",
)


class MssqlDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "mssql"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``mssql://user:password@host:1433/database``; ``?trust=true`` may follow, where no
        certificate of the server's is known, and ``encrypt=no``."""
        server = Server(uri, options.show_sql, MSSQL, WRITTEN)
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await DbapiDatabase(GRAMMAR, _LISTINGS, server, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        server = Server(uri, show_sql=False, product=MSSQL, written=WRITTEN)
        return await reflected(server, lambda: server.connect(()), CATALOG)


DIALECT: Final[Dialect] = MssqlDialect()
