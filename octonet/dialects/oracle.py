"""Oracle Database, 19c or later: its driver blocks, and every connection has a thread of its own; each definition is
committed, and migrations are noted."""

from __future__ import annotations

from typing import Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects.oracle import BINARY_DOUBLE, NUMBER

from octonet.dialects.engine import oracle_ddl, oracle_patterns
from octonet.dialects.engine.catalog_reflection import reflected
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, as_number
from octonet.dialects.engine.dbapi_database import DbapiJournalledDatabase
from octonet.dialects.engine.dbapi_driver import FAILURES, Failure
from octonet.dialects.engine.dbapi_server import Server
from octonet.dialects.engine.grammar import Condition, Expression, Grammar, sum_or_zero
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.journal_steps import Spelling
from octonet.dialects.engine.model import build
from octonet.dialects.engine.oracle_catalog import CATALOG
from octonet.dialects.engine.oracle_product import ORACLE, WRITTEN
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_TEXT: Final = sa.String(oracle_ddl.LONGEST_TEXT)


def _number(value: Expression) -> Expression:
    return cast("Expression", sa.cast(value, BINARY_DOUBLE()))


def _like(column: Expression, text: Expression) -> Condition:
    return column.like(text, escape=oracle_patterns.ESCAPE)


def _matches(column: Expression, text: Expression) -> Condition:
    # n: a point is any letter, the end of a line too.
    return sa.func.REGEXP_LIKE(column, text, sa.literal_column("'cn'"), type_=sa.Boolean())


def _has_letters(column: Expression) -> Condition:
    return column != sa.literal_column("CHR(0)")


GRAMMAR: Final = Grammar(
    name="oracle",
    compiler=oracle_ddl.Compiler(paramstyle="numeric"),
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: BINARY_DOUBLE(),
        FieldType.BOOLEAN: NUMBER(1),  # type: ignore[no-untyped-call]
        FieldType.DATE: _TEXT,
        FieldType.JSON: sa.Text(),
        FieldType.ARRAY: sa.Text(),
    },
    key=sa.String(255),
    kept=sa.Text(),
    encoders=JSON_AS_TEXT,
    decoders={FieldType.NUMBER: as_number, FieldType.BOOLEAN: bool, **JSON_FROM_TEXT},
    pattern=oracle_patterns.pattern,
    manners={
        oracle_patterns.LIKE: _like,
        oracle_patterns.SOME: lambda column, text: sa.and_(_like(column, text), _has_letters(column)),
        oracle_patterns.REGEX: _matches,
        oracle_patterns.SOME_REGEX: lambda column, text: sa.and_(_matches(column, text), _has_letters(column)),
    },
    total=sum_or_zero,
    number=_number,
    declares_references=False,
    takes_rows_out=True,
    most_listed=1000,
    most_ids=512,
    partial_index_option=oracle_ddl.PARTIAL,
    add_column="ALTER TABLE {table} ADD {column}",
    allow_null="ALTER TABLE {table} MODIFY {column} NULL",
    refuse_null="ALTER TABLE {table} MODIFY {column} NOT NULL",
    nulls_first=False,
    longest_name=oracle_ddl.LONGEST_NAME,
    no_letters='"',
)

_LISTINGS: Final = Listings(
    # Columns that belong to an index are hidden here.
    "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, CASE c.NULLABLE WHEN 'N' THEN 1 ELSE 0 END"
    " FROM USER_TAB_COLUMNS c JOIN USER_TABLES t ON t.TABLE_NAME = c.TABLE_NAME WHERE t.DROPPED = 'NO'",
    "SELECT INDEX_NAME FROM USER_INDEXES",
)

_JOURNALLING: Final = Journalling(
    GRAMMAR,
    _LISTINGS,
    # What may not be there is dropped all the same, and found not to be.
    Spelling(
        lambda table, index, made: f"DROP INDEX {index}",
        rename_index="ALTER INDEX {index} RENAME TO {to}",
        drop_column="ALTER TABLE {table} DROP COLUMN {column}",
        drop_table="DROP TABLE {table} PURGE",
    ),
    failures=FAILURES,
    doubtful=lambda error: isinstance(error, Failure) and error.code in ORACLE.meanings.already_so,
)


class OracleDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "oracle"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``oracle://user:password@host:1521/service``; ``?ssl=true`` may follow."""
        server = Server(uri, options.show_sql, ORACLE, WRITTEN)
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await DbapiJournalledDatabase(server, _JOURNALLING, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        server = Server(uri, show_sql=False, product=ORACLE, written=WRITTEN)
        return await reflected(server, lambda: server.connect(()), CATALOG)


DIALECT: Final[Dialect] = OracleDialect()
