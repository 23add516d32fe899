"""SAP HANA, 2.0 SPS 05 or later: its driver blocks, and every connection has a thread of its own; each definition is
committed, and migrations are noted."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from octonet.dialects.engine import hana_ddl, hana_patterns
from octonet.dialects.engine.catalog_reflection import reflected
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, as_number
from octonet.dialects.engine.dbapi_database import DbapiJournalledDatabase
from octonet.dialects.engine.dbapi_driver import FAILURES, Failure
from octonet.dialects.engine.dbapi_locks import TURN
from octonet.dialects.engine.dbapi_server import Server
from octonet.dialects.engine.grammar import Grammar, as_double, sum_or_zero
from octonet.dialects.engine.hana_catalog import CATALOG
from octonet.dialects.engine.hana_product import HANA, WRITTEN
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.journal_steps import Spelling
from octonet.dialects.engine.model import build
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_TEXT: Final = sa.String(hana_ddl.LONGEST_TEXT)

GRAMMAR: Final = Grammar(
    name="hana",
    compiler=hana_ddl.Compiler(paramstyle="qmark"),
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: sa.Double(),
        FieldType.BOOLEAN: sa.SmallInteger(),
        FieldType.DATE: _TEXT,
        FieldType.JSON: sa.Text(),
        FieldType.ARRAY: sa.Text(),
    },
    key=sa.String(hana_ddl.LONGEST_KEY),
    kept=sa.Text(),
    encoders=JSON_AS_TEXT,
    decoders={FieldType.NUMBER: as_number, FieldType.BOOLEAN: bool, **JSON_FROM_TEXT},
    pattern=hana_patterns.pattern,
    manners={
        hana_patterns.LIKE: lambda column, text: column.like(text, escape=hana_patterns.ESCAPE),
        hana_patterns.REGEX: lambda column, text: column.regexp_match(text),
    },
    total=sum_or_zero,
    number=as_double,
    declares_references=False,
    takes_rows_out=True,
    most_ids=1000,
    partial_index_option=hana_ddl.PARTIAL,
    add_column="ALTER TABLE {table} ADD ({column})",
    drop_column="ALTER TABLE {table} DROP ({column})",
    allow_null="ALTER TABLE {table} ALTER ({column} {type} NULL)",
    refuse_null="ALTER TABLE {table} ALTER ({column} {type} NOT NULL)",
    rename_column="RENAME COLUMN {table}.{column} TO {to}",
    rename_table="RENAME TABLE {table} TO {to}",
    # What comes with an index is seen to where it is run.
    drop_index="ALTER TABLE {table} DROP INDEX {index}",
    longest_name=hana_ddl.LONGEST_NAME,
    no_letters='"',
)

_LISTINGS: Final = Listings(
    # A generated column belongs to its index.
    "SELECT c.TABLE_NAME, c.COLUMN_NAME, CASE c.DATA_TYPE_NAME WHEN 'NVARCHAR'"
    " THEN 'NVARCHAR(' || TO_NVARCHAR(c.LENGTH) || ')' ELSE c.DATA_TYPE_NAME END,"
    " CASE c.IS_NULLABLE WHEN 'FALSE' THEN 1 ELSE 0 END FROM SYS.TABLE_COLUMNS AS c"
    " WHERE c.SCHEMA_NAME = CURRENT_SCHEMA AND COALESCE(c.GENERATION_TYPE, '') <> 'ALWAYS AS'"
    f" AND c.TABLE_NAME NOT LIKE '%{TURN}'",
    "SELECT INDEX_NAME FROM SYS.INDEXES WHERE SCHEMA_NAME = CURRENT_SCHEMA",
)

_JOURNALLING: Final = Journalling(
    GRAMMAR,
    _LISTINGS,
    # What may not be there is dropped all the same, and found not to be.
    Spelling(
        hana_ddl.drop_index,
        hana_ddl.INDEX_APART,
        create_table=hana_ddl.CREATE_TABLE,
        rename_index="RENAME INDEX {index} TO {to}",
        drop_column=GRAMMAR.drop_column,
        drop_table="DROP TABLE {table}",
    ),
    failures=FAILURES,
    doubtful=lambda error: isinstance(error, Failure) and error.code in HANA.meanings.already_so,
)


class HanaDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "hana"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``hana://user:password@host:30013/database``; ``?encrypt=true`` may follow, with
        ``validate=false`` where no certificate of the server's is known, and ``schema=`` where it is not the user's."""
        server = Server(uri, options.show_sql, HANA, WRITTEN)
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await DbapiJournalledDatabase(server, _JOURNALLING, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        server = Server(uri, show_sql=False, product=HANA, written=WRITTEN)
        return await reflected(server, lambda: server.connect(()), CATALOG)


DIALECT: Final[Dialect] = HanaDialect()
