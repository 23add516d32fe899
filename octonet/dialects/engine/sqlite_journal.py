"""A SQLite file's write-ahead log, for which several processes may ask at once."""

from __future__ import annotations

import sqlite3
from time import monotonic, sleep
from typing import Final

_PAUSE: Final = 0.01


def share(connection: sqlite3.Connection, seconds: float) -> bool:
    """Have a write-ahead log, so that whoever reads waits for nobody who writes; False where the file system shares no
    memory, which it needs. Blocks for up to `seconds`: of several processes that ask at once SQLite refuses all but
    one, whatever its busy timeout is. Raises `sqlite3.Error`."""
    deadline = monotonic() + seconds
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
                return True
            return bool(connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",))
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
        sleep(_PAUSE)
