"""MariaDB: one connection that writes, a few that read, statements prepared once on each of them."""

from __future__ import annotations

from typing import Final

from asyncmy.errors import MySQLError

from octonet.dialects.engine import mariadb_ddl
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.journal_steps import Spelling
from octonet.dialects.engine.mariadb_database import MariadbDatabase
from octonet.dialects.engine.mariadb_errors import already_so
from octonet.dialects.engine.mariadb_grammar import GRAMMAR, LISTINGS
from octonet.dialects.engine.mariadb_server import Server
from octonet.dialects.engine.model import build
from octonet.dialects.engine.reflection import reflected
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_JOURNALLING: Final = Journalling(
    GRAMMAR,
    LISTINGS,
    Spelling(mariadb_ddl.drop_index, mariadb_ddl.INDEX_APART),
    failures=(MySQLError,),
    doubtful=already_so,
)

# Servers of one host that share port and directory are the same.
_IDENTITY: Final = "SELECT CONCAT_WS('/', 'mariadb', @@hostname, @@port, @@datadir, @@server_id, DATABASE())"


class MariadbDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "mariadb"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``mariadb://user:password@host:port/database``; ``?ssl=true`` may follow, or where the
        certificates are (``?ssl_ca=…&ssl_cert=…&ssl_key=…``)."""
        server = Server(uri, options.show_sql)
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await MariadbDatabase(server, _JOURNALLING, _IDENTITY, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        return await reflected("mariadb+asyncmy", Server(uri, show_sql=False).driver)


DIALECT: Final[Dialect] = MariadbDialect()
