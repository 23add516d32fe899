"""Servers that speak MySQL's protocol: what each calls what all of them are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from octonet.dialects.engine.mariadb_ddl import COLLATION
from octonet.dialects.engine.sessions import LOCK_SECONDS, MIGRATION_LOCK_SECONDS

IDLE_SECONDS: Final = 10
"""After which the server ends a transaction whose owner does nothing: a paused one must not hold up the others."""

READS: Final = "SET SESSION TRANSACTION READ ONLY"
WRITES: Final = "SET SESSION TRANSACTION READ WRITE"
SNAPSHOT: Final = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"


class Product(msgspec.Struct, frozen=True):
    """A kind of server."""

    name: str
    scheme: str
    version: str
    """The expression for its version as it tells it, each number a group."""
    oldest: tuple[int, ...]
    common: str
    """The statement that each connection begins with."""
    reading: Callable[[float], tuple[str, ...]]
    """Those of one that reads, no statement longer than so many seconds."""
    looking: tuple[str, ...]
    """Those of one that looks at one moment for as long as it takes."""
    writing: tuple[str, ...]
    """Those of one that writes."""
    joins_rows: bool = False
    """Whether rows are inserted by statements of many: there is no packet of many for one statement."""

    @property
    def address(self) -> str:
        """How an address is written."""
        return f"{self.scheme}://user:password@host:3306/database"


def common(collation: str, *more: str) -> str:
    """Backslashes are only text; what does not fit is refused, never cut. `more` is what only one of them is asked."""
    return (
        f"SET NAMES utf8mb4 COLLATE {collation}, time_zone = '+00:00',"
        " sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
        # Texts are ordered by so many bytes of theirs; a few such keys must find room.
        " max_sort_length = 65536, sort_buffer_size = 8388608, group_concat_max_len = 1048576,"
        f" sql_auto_is_null = 0, sql_select_limit = DEFAULT, {', '.join(more)}"
    )


MARIADB: Final = Product(
    "MariaDB",
    "mariadb",
    r"(\d+)\.(\d+)\.\d+-MariaDB",
    # A definition is carried out as a whole, or not at all, from here on.
    (10, 6),
    common(COLLATION, "big_tables = 0", "tx_isolation = 'REPEATABLE-READ'"),
    # Nought would mean for ever; an idle transaction is ended by whole seconds.
    lambda timeout: (
        READS,
        f"SET max_statement_time = {max(0.001, timeout):.6f}, idle_transaction_timeout = {int(timeout) + 1}",
    ),
    (READS, "SET max_statement_time = 0, idle_transaction_timeout = 0", SNAPSHOT),
    (
        WRITES,
        f"SET max_statement_time = 0, idle_transaction_timeout = {IDLE_SECONDS},"
        f" innodb_lock_wait_timeout = {LOCK_SECONDS}, lock_wait_timeout = {MIGRATION_LOCK_SECONDS}",
    ),
)
