"""IBM Db2, 11.5 or later, for Linux, UNIX and Windows: its driver blocks, and every connection has a thread of its own;
readers and the writer take turns, and definitions are part of their transaction.

A column that changes its shape in place would leave its table to be reorganized, outside of any transaction: a table is
made anew instead."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from octonet.dialects.engine import db2_ddl, db2_patterns
from octonet.dialects.engine.catalog_reflection import reflected
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, as_number
from octonet.dialects.engine.db2_catalog import CATALOG
from octonet.dialects.engine.db2_product import DB2, WRITTEN
from octonet.dialects.engine.dbapi_database import DbapiDatabase
from octonet.dialects.engine.dbapi_locks import TURN
from octonet.dialects.engine.dbapi_server import Server
from octonet.dialects.engine.grammar import Condition, Expression, Grammar, as_double, sum_or_zero
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.model import build
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_TEXT: Final = sa.String(db2_ddl.LONGEST_TEXT)


def _matches(column: Expression, text: Expression) -> Condition:
    return sa.func.REGEXP_LIKE(column, sa.cast(text, sa.String(db2_patterns.LONGEST)), type_=sa.Boolean())


GRAMMAR: Final = Grammar(
    name="db2",
    compiler=db2_ddl.Compiler(paramstyle="qmark"),
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: sa.Double(),
        FieldType.BOOLEAN: sa.SmallInteger(),
        FieldType.DATE: _TEXT,
        FieldType.JSON: sa.Text(),
        FieldType.ARRAY: sa.Text(),
    },
    key=sa.String(1024),
    kept=sa.Text(),
    encoders=JSON_AS_TEXT,
    decoders={FieldType.NUMBER: as_number, FieldType.BOOLEAN: bool, **JSON_FROM_TEXT},
    pattern=db2_patterns.pattern,
    manners={
        db2_patterns.LIKE: lambda column, text: column.like(text, escape=db2_patterns.ESCAPE),
        db2_patterns.REGEX: _matches,
    },
    total=sum_or_zero,
    number=as_double,
    declares_references=False,
    takes_rows_out=True,
    most_ids=1000,
    partial_index_option=db2_ddl.PARTIAL,
    rename_table="RENAME TABLE {table} TO {to}",
    rebuilds=True,
    nulls_first=False,
    longest_name=db2_ddl.LONGEST_NAME,
    no_letters='"',
)

_LISTINGS: Final = Listings(
    "SELECT c.TABNAME, c.COLNAME, CASE WHEN c.TYPENAME IN ('VARCHAR', 'CLOB') THEN c.TYPENAME || '('"
    " || VARCHAR(c.LENGTH) || ' OCTETS)' ELSE c.TYPENAME END, CASE c.NULLS WHEN 'N' THEN 1 ELSE 0 END"
    " FROM SYSCAT.COLUMNS AS c JOIN SYSCAT.TABLES AS t ON t.TABSCHEMA = c.TABSCHEMA AND t.TABNAME = c.TABNAME"
    f" WHERE t.TABSCHEMA = CURRENT SCHEMA AND t.TYPE = 'T' AND t.TABNAME NOT LIKE '%{TURN}'",
    "SELECT INDNAME FROM SYSCAT.INDEXES WHERE INDSCHEMA = CURRENT SCHEMA",
)


class Db2Dialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "db2"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``db2://user:password@host:50000/database``; ``?ssl=true`` may follow, and ``ssl_ca``,
        the file of a certificate."""
        server = Server(uri, options.show_sql, DB2, WRITTEN)
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await DbapiDatabase(GRAMMAR, _LISTINGS, server, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        server = Server(uri, show_sql=False, product=DB2, written=WRITTEN)
        return await reflected(server, lambda: server.connect(DB2.reading), CATALOG)


DIALECT: Final[Dialect] = Db2Dialect()
