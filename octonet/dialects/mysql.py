"""MySQL, 8.0.23 or later: MariaDB's parts, without what only MariaDB has."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa
from asyncmy.errors import MySQLError

from octonet.dialects.engine import mariadb_ddl, mariadb_grammar, mariadb_patterns, mysql_ddl
from octonet.dialects.engine.grammar import Condition, Expression
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.journal_steps import Spelling
from octonet.dialects.engine.mariadb_database import MariadbDatabase
from octonet.dialects.engine.mariadb_errors import already_so
from octonet.dialects.engine.mariadb_server import Server
from octonet.dialects.engine.model import build
from octonet.dialects.engine.mysql_product import MYSQL
from octonet.dialects.engine.reflection import reflected
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect


def _matches(column: Expression, expression: Expression) -> Condition:
    # By itself the match would go by the collation.
    return sa.func.REGEXP_LIKE(column, expression, sa.literal_column("'c'"), type_=sa.Boolean())


GRAMMAR: Final = msgspec.structs.replace(
    mariadb_grammar.GRAMMAR,
    name="mysql",
    compiler=mysql_ddl.Compiler(paramstyle="qmark"),
    manners={**mariadb_grammar.GRAMMAR.manners, mariadb_patterns.REGEX: _matches},
)

_JOURNALLING: Final = Journalling(
    GRAMMAR,
    mariadb_grammar.LISTINGS,
    # What may not be there is dropped all the same, and found not to be.
    Spelling(mysql_ddl.drop_index, mariadb_ddl.INDEX_APART, drop_column="ALTER TABLE {table} DROP COLUMN {column}"),
    failures=(MySQLError,),
    doubtful=already_so,
)

_IDENTITY: Final = "SELECT CONCAT_WS('/', 'mysql', @@server_uuid, DATABASE())"


class MysqlDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "mysql"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``mysql://user:password@host:port/database``; ``?ssl=true`` may follow, or where the
        certificates are (``?ssl_ca=…&ssl_cert=…&ssl_key=…``)."""
        server = Server(uri, options.show_sql, MYSQL)
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await MariadbDatabase(server, _JOURNALLING, _IDENTITY, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        return await reflected("mysql+asyncmy", Server(uri, False, MYSQL).driver)


DIALECT: Final[Dialect] = MysqlDialect()
