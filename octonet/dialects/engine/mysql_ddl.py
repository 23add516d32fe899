"""How MySQL's tables and indexes are written down: as MariaDB's, but collated by its own rules, and without a word for
what may not be there."""

from __future__ import annotations

from typing import Final

from sqlalchemy.dialects.mysql.base import MySQLDialect

from octonet.dialects.engine.mariadb_ddl import Definitions, beginning_of

COLLATION: Final = "utf8mb4_0900_bin"


def drop_index(table: str, index: str, made: str) -> str:
    """Removes an index, given by its quoted name and by what made it, with all that came with it."""
    if made.startswith("CREATE "):
        return f"ALTER TABLE {table} DROP INDEX {index}"
    return f"ALTER TABLE {table} DROP INDEX {index}, DROP INDEX {beginning_of(index)}, DROP COLUMN {index}"


class Compiler(MySQLDialect):
    """SQLAlchemy's MySQL with indexes of our own."""

    ddl_compiler = Definitions
    collation = COLLATION
