"""Reads the catalog of a SQLite file, which is left as it is."""

from __future__ import annotations

import os
import sqlite3
from typing import Final
from urllib.parse import quote

import msgspec
import sqlalchemy as sa

from octonet.dialects.engine.reflection import on_delete, tables
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.reflected import ReflectedReference, ReflectedTable

_BUSY_SECONDS: Final = 5.0


def tables_of(path: str) -> list[ReflectedTable]:
    """The tables of the file. Raises `StorageUnavailable`."""
    if not os.path.isfile(path):
        raise StorageUnavailable(f"there is no file {path}")
    place = f"file:{quote(path)}?mode=ro"
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(place, uri=True, timeout=_BUSY_SECONDS))
    try:
        with engine.connect() as connection:
            return [_with_deletions(connection, table) for table in tables(connection)]
    except sa.exc.DBAPIError as problem:
        raise StorageUnavailable(f"the catalog of {path} cannot be read: {problem.orig}") from problem
    finally:
        engine.dispose()


def _with_deletions(connection: sa.Connection, table: ReflectedTable) -> ReflectedTable:
    """SQLAlchemy reads what a deletion does to a reference out of the text of the table, and misses it where the
    reference stands beside its column."""
    told = connection.execute(
        sa.text('SELECT "from", on_delete FROM pragma_foreign_key_list(:name)'), {"name": table.name}
    )
    deletions = {column: on_delete(action) for column, action in told}

    def corrected(reference: ReflectedReference) -> ReflectedReference:
        action = deletions.get(reference.columns[0], reference.on_delete)
        return msgspec.structs.replace(reference, on_delete=action)

    return msgspec.structs.replace(table, references=tuple(map(corrected, table.references)))
