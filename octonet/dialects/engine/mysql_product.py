"""MySQL as it differs from MariaDB: no transaction that ends for idleness, deadlines in milliseconds, of SELECT only,
one name for the isolation, a collation of its own, no statement that is run over many rows at once."""

from __future__ import annotations

import math
from typing import Final

from octonet.dialects.engine.mariadb_product import (
    IDLE_SECONDS,
    READS,
    SNAPSHOT,
    WRITES,
    Product,
    common,
)
from octonet.dialects.engine.mysql_ddl import COLLATION
from octonet.dialects.engine.sessions import LOCK_SECONDS, MIGRATION_LOCK_SECONDS

MYSQL: Final = Product(
    "MySQL",
    "mysql",
    r"^(?!.*MariaDB)(\d+)\.(\d+)\.(\d+)",
    # Columns that no `SELECT *` sees are there from here on; whole definitions, from 8.0.
    (8, 0, 23),
    common(COLLATION, "transaction_isolation = 'REPEATABLE-READ'"),
    lambda timeout: (READS, f"SET max_execution_time = {max(1, math.ceil(timeout * 1000))}"),
    (READS, "SET max_execution_time = 0", SNAPSHOT),
    # A connection that does nothing is ended, with its transaction or without: it is opened again when it is needed.
    (
        WRITES,
        f"SET max_execution_time = 0, wait_timeout = {IDLE_SECONDS}, innodb_lock_wait_timeout = {LOCK_SECONDS},"
        f" lock_wait_timeout = {MIGRATION_LOCK_SECONDS}",
    ),
    joins_rows=True,
)
