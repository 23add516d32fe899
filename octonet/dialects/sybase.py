"""SAP ASE, once Sybase, 16.0 SP02 or later: its driver blocks, and every connection has a thread of its own; readers
and the writer take turns; each definition is committed, and migrations are noted."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.mssql import TINYINT

from octonet.dialects.engine import sybase_ddl, sybase_patterns
from octonet.dialects.engine.catalog_reflection import reflected
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, as_number
from octonet.dialects.engine.dbapi_database import DbapiJournalledDatabase
from octonet.dialects.engine.dbapi_driver import FAILURES, Failure
from octonet.dialects.engine.dbapi_locks import TURN
from octonet.dialects.engine.dbapi_server import Server
from octonet.dialects.engine.grammar import Condition, Expression, Grammar, as_double, sum_or_zero
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.journal_steps import Spelling
from octonet.dialects.engine.model import build
from octonet.dialects.engine.sybase_catalog import CATALOG
from octonet.dialects.engine.sybase_letters import MARKED
from octonet.dialects.engine.sybase_product import SYBASE, WRITTEN
from octonet.dialects.engine.sybase_reserved import begun, spelled
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_TEXT: Final = sa.String(sybase_ddl.LONGEST_TEXT)
_LONG: Final = sa.Text()


def _like(column: Expression, text: Expression) -> Condition:
    return column.like(text, escape=sybase_patterns.ESCAPE)


def _unmarked(column: Expression, text: Expression) -> Condition:
    for plain, marked in MARKED.items():
        column = sa.func.STR_REPLACE(column, _letters(marked), _letters(plain))
    return _like(column, text)


def _letters(text: str) -> Expression:
    """Letters that nobody could see in a statement."""
    return sa.literal_column(" + ".join(f"CHAR({ord(letter)})" for letter in text))


GRAMMAR: Final = Grammar(
    name="sybase",
    compiler=sybase_ddl.Compiler(paramstyle="qmark"),
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: sa.Double(),
        FieldType.BOOLEAN: TINYINT(),
        FieldType.DATE: _TEXT,
        FieldType.JSON: _LONG,
        FieldType.ARRAY: _LONG,
    },
    key=sa.String(sybase_ddl.LONGEST_KEY),
    kept=_LONG,
    encoders=JSON_AS_TEXT,
    decoders={FieldType.NUMBER: as_number, FieldType.BOOLEAN: bool, **JSON_FROM_TEXT},
    pattern=sybase_patterns.pattern,
    manners={sybase_patterns.LIKE: _like, sybase_patterns.UNMARKED: _unmarked},
    total=sum_or_zero,
    number=as_double,
    declares_references=False,
    takes_rows_out=True,
    most_listed=512,
    most_ids=512,
    partial_index_option=sybase_ddl.PARTIAL,
    add_column="ALTER TABLE {table} ADD {column}",
    allow_null="ALTER TABLE {table} MODIFY {column} {type} NULL",
    refuse_null="ALTER TABLE {table} MODIFY {column} {type} NOT NULL",
    drop_index="DROP INDEX {table}.{index}",
    longest_name=sybase_ddl.LONGEST_NAME,
    spelled=spelled,
)

_OURS: Final = f"o.type = 'U' AND o.uid = USER_ID() AND o.name NOT LIKE '%{TURN.replace('_', '[_]')}'"
_LISTINGS: Final = Listings(
    # A term of an index that is worked out is a hidden column.
    "SELECT o.name, c.name, CASE WHEN t.name LIKE 'var%' THEN t.name + '(' + CONVERT(VARCHAR(6), c.length) + ')'"
    " ELSE t.name END,"
    " CASE WHEN c.status & 8 = 8 THEN 0 ELSE 1 END FROM sysobjects o JOIN syscolumns c ON c.id = o.id"
    f" JOIN systypes t ON t.usertype = c.usertype WHERE {_OURS} AND ISNULL(c.status2, 0) & 16 = 0",
    # Two tables may have indexes of one name: those of what was put aside are in nobody's way.
    "SELECT i.name FROM sysindexes i JOIN sysobjects o ON o.id = i.id"
    f" WHERE {_OURS} AND i.indid BETWEEN 1 AND 254 AND o.name NOT LIKE '%octonet[_]gone[_]%'",
)


def _drop_index(table: str, index: str, made: str) -> str:
    return f"DROP INDEX IF EXISTS {table}.{index}"


_JOURNALLING: Final = Journalling(
    GRAMMAR,
    _LISTINGS,
    Spelling(_drop_index),
    failures=FAILURES,
    doubtful=lambda error: isinstance(error, Failure) and error.code in SYBASE.meanings.already_so,
)


class SybaseDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "sybase"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``sybase://user:password@host:5000/database``; ``?driver=`` may name another ODBC driver
        than FreeTDS, as it is registered."""
        server = Server(uri, options.show_sql, SYBASE, WRITTEN)
        options = msgspec.structs.replace(options, table_prefix=begun(options.table_prefix))
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await DbapiJournalledDatabase(server, _JOURNALLING, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        server = Server(uri, show_sql=False, product=SYBASE, written=WRITTEN)
        return await reflected(server, lambda: server.connect(SYBASE.reading), CATALOG)


DIALECT: Final[Dialect] = SybaseDialect()
