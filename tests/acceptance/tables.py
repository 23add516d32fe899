"""The content of a SQLite database, to hold two against each other."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

_OF_THE_SERVER = "octonet_inbox"


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, junctions and checkpoint included, by primary key. Not the inbox: a copy decides no
    command."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        names = [name for (name,) in found if name != _OF_THE_SERVER]
        return {name: database.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2').fetchall() for name in names}


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The same without what the server keeps for itself."""
    return {name: found for name, found in content(path).items() if not name.startswith("octonet_")}
