"""A copy of rows in a file of this machine, for a database that shows no moment for as long as somebody looks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


class Copy:
    """Things with an id, in groups."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for text in (
            "PRAGMA journal_mode=OFF",
            "PRAGMA synchronous=OFF",
            "CREATE TABLE copied (group_name TEXT, id TEXT, body BLOB, PRIMARY KEY (group_name, id)) WITHOUT ROWID",
        ):
            self._connection.execute(text)

    def put(self, group: str, things: Iterable[tuple[str, bytes]]) -> None:
        """Add or replace."""
        self._connection.execute("BEGIN")
        lines = [(group, id, body) for id, body in things]
        self._connection.executemany("INSERT OR REPLACE INTO copied VALUES (?, ?, ?)", lines)
        self._connection.execute("COMMIT")

    def keep(self, group: str, ids: set[str]) -> None:
        """Remove all others."""
        there = self._connection.execute("SELECT id FROM copied WHERE group_name = ?", (group,)).fetchall()
        gone = [(group, id) for (id,) in there if id not in ids]
        self._connection.executemany("DELETE FROM copied WHERE group_name = ? AND id = ?", gone)

    def behind(self, group: str, after: str, limit: int) -> Iterator[tuple[str, bytes]]:
        """In ascending order of id."""
        text = "SELECT id, body FROM copied WHERE group_name = ? AND id > ? ORDER BY id LIMIT ?"
        yield from self._connection.execute(text, (group, after, limit)).fetchall()

    def close(self) -> None:
        """End it."""
        self._connection.close()


@contextmanager
def place() -> Iterator[Copy]:
    """A file for one copy."""
    with TemporaryDirectory(prefix="octonet-") as folder:
        copy = Copy(Path(folder) / "copy.db")
        try:
            yield copy
        finally:
            copy.close()
