"""The content of a database, in wire form, to hold two against each other and both against their facts."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
import pymongo

from octonet.dialects.engine.spanner_names import kept, told
from tests import cockroachdb, hsqldb, mariadb, mysql, postgres, spanner

_OF_THE_SERVER = ("octonet_inbox", "octonet_schema", "octonet_turns")

Row = dict[str, Any]


class Tables(Protocol):
    """A database as another program sees it."""

    def names(self) -> list[str]:
        """The tables."""
        ...

    def rows(self, table: str) -> list[Row]:
        """Every row, by the first two columns; JSON stands as text, a truth value may be a number."""
        ...


class SqliteTables:
    """A SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def names(self) -> list[str]:
        found = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return [name for (name,) in found]

    def rows(self, table: str) -> list[Row]:
        cursor = self._connection.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2')
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, values, strict=True)) for values in cursor]


class PostgresTables:
    """A database of a PostgreSQL, or of one that stands in for CockroachDB, through psql."""

    def __init__(self, server: postgres.PostgresServer, name: str) -> None:
        self._server = server
        self._name = name

    def names(self) -> list[str]:
        return self._lines(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename COLLATE \"C\""
        )

    def rows(self, table: str) -> list[Row]:
        columns = self._lines(
            "SELECT attname || ' ' || atttypid::regtype FROM pg_attribute"
            f" WHERE attrelid = '\"{table}\"'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        kinds = dict(column.split(" ", 1) for column in columns)
        text = ", ".join(
            f'"{name}"::text AS "{name}"' if kind == "json" else f'"{name}"' for name, kind in kinds.items()
        )
        lines = self._lines(f'SELECT row_to_json(r) FROM (SELECT {text} FROM "{table}" ORDER BY 1, 2) AS r')
        return [{name: _plain(kinds[name], value) for name, value in json.loads(line).items()} for line in lines]

    def _lines(self, text: str) -> list[str]:
        return self._server.sql(text, self._name).splitlines()


class MariadbTables:
    """A database of a MariaDB, or of one that stands in for MySQL, through its client."""

    def __init__(self, server: mariadb.MariadbServer, name: str) -> None:
        self._server = server
        self._name = name

    def names(self) -> list[str]:
        return sorted(self._lines("SHOW TABLES"))

    def rows(self, table: str) -> list[Row]:
        columns = self._lines(
            "SELECT CONCAT(column_name, ' ', data_type) FROM information_schema.columns WHERE table_schema = DATABASE()"
            f" AND table_name = '{table}' AND generation_expression IS NULL ORDER BY ordinal_position"
        )
        kinds = dict(column.split(" ", 1) for column in columns)
        members = ", ".join(
            f"'{name}', HEX(`{name}`)" if kind.endswith("blob") else f"'{name}', `{name}`"
            for name, kind in kinds.items()
        )
        # The client doubles backslashes; all else that it would escape stands escaped in JSON.
        told = self._lines(f"SELECT JSON_OBJECT({members}) FROM `{table}`")
        lines = [line.replace("\\\\", "\\") for line in told]
        found = [{name: _plain(kinds[name], value) for name, value in json.loads(line).items()} for line in lines]
        return sorted(found, key=lambda row: [str(value) for value in row.values()][:2])

    def _lines(self, text: str) -> list[str]:
        return self._server.sql(text, self._name).splitlines()


class HsqldbTables:
    """An HSQLDB database, through its driver."""

    def __init__(self, name: str) -> None:
        self._name = name

    def names(self) -> list[str]:
        return [str(name) for (name,) in self._rows(_HSQLDB_TABLES)]

    def rows(self, table: str) -> list[Row]:
        names = [str(name) for (name,) in self._rows(_HSQLDB_COLUMNS.format(table=table))]
        columns = ", ".join(f'"{name}"' for name in names)
        found = self._rows(f'SELECT {columns} FROM "{table}" ORDER BY 1, 2')
        return [dict(zip(names, (_plain("double", cell) for cell in line), strict=True)) for line in found]

    def _rows(self, text: str) -> list[Any]:
        return list(hsqldb.server().rows(text, self._name))


_HSQLDB_TABLES = (
    "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'PUBLIC' AND TABLE_TYPE = 'BASE TABLE'"
    " ORDER BY TABLE_NAME"
)
_HSQLDB_COLUMNS = (
    "SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'PUBLIC' AND TABLE_NAME = '{table}'"
    " AND IS_GENERATED <> 'ALWAYS' ORDER BY ORDINAL_POSITION"
)


class SpannerTables:
    """A database of Spanner's emulator, names as they are called outside of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def names(self) -> list[str]:
        found = self._rows("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = ''")
        return sorted(told(name) for (name,) in found)

    def rows(self, table: str) -> list[Row]:
        asked = (
            "SELECT COLUMN_NAME, SPANNER_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = ''"
            f" AND TABLE_NAME = '{kept(table)}' AND IS_GENERATED = 'NEVER' ORDER BY ORDINAL_POSITION"
        )
        kinds = dict(self._rows(asked))
        columns = ", ".join(f"`{name}`" for name in kinds)
        found = self._rows(f"SELECT {columns} FROM `{kept(table)}` ORDER BY 1, 2")
        return [{told(n): _of_spanner(kinds[n], cell) for n, cell in zip(kinds, line, strict=True)} for line in found]

    def _rows(self, text: str) -> list[Any]:
        return list(spanner.server().rows(text, self._name))


def _of_spanner(kind: str, value: Any) -> Any:
    if value is not None and kind.startswith("BYTES"):
        return base64.b64decode(value)
    if value is not None and kind == "INT64":
        return int(value)
    return _plain("double", value)


class MongodbTables:
    """A MongoDB database, as the tables that its collections stand for."""

    def __init__(self, database: Any) -> None:
        self._database = database
        (note,) = database["octonet_schema"].find({})
        self._standing = json.loads(note["standing"])["tables"]

    def names(self) -> list[str]:
        return sorted([*self._standing, "octonet_checkpoint", *_OF_THE_SERVER])

    def rows(self, table: str) -> list[Row]:
        if table == "octonet_checkpoint":
            (found,) = self._database[table].find({})
            return [{"slot": 1, **{name: found[name] for name in ("entry", "frame", "digest", "schema")}}]
        if table == "octonet_inbox":
            return [{"command_id": each["_id"], "entry": each["entry"]} for each in self._database[table].find({})]
        stands = self._standing[table]
        if not stands.get("target"):
            return [_row(document) for document in self._database[table].find({}).sort("_id", 1)]
        entity = stands["owner"].partition(".")[0]
        owners = next(name for name, each in self._standing.items() if each["owner"] == entity)
        found = [
            dict(zip(stands["columns"], (document["_id"], target), strict=True))
            for document in self._database[owners].find({})
            for target in document["_links"][table]
        ]
        return sorted(found, key=lambda row: [*row.values()])


def _row(document: Row) -> Row:
    members = {name: value for name, value in document.items() if name not in ("_id", "_turn", "_links", "_unique")}
    texts = {
        name: msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
        for name, value in members.items()
    }
    return {"id": document["_id"], **texts}


def _plain(kind: str, value: Any) -> Any:
    if (kind == "bytea" or kind.endswith("blob")) and value is not None:
        return bytes.fromhex(value.removeprefix("\\x"))
    if kind.startswith("double") and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@contextmanager
def opened(place: Path | str) -> Iterator[Tables]:
    """The tables of a SQLite file, or of a database of the tests' own servers."""
    if isinstance(place, str):
        parts = urlsplit(place)
        name = parts.path.strip("/")
        if parts.scheme == "hsqldb":
            yield HsqldbTables(name)
        elif parts.scheme == "spanner":
            yield SpannerTables(name.rpartition("/")[2])
        elif parts.scheme == "mongodb":
            with pymongo.MongoClient[Row](place) as client:
                yield MongodbTables(client[name])
        elif parts.scheme in ("mariadb", "mysql"):
            yield MariadbTables((mariadb if parts.scheme == "mariadb" else mysql).server(), name)
        else:
            yield PostgresTables((cockroachdb if parts.scheme == "cockroachdb" else postgres).server(), name)
        return
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as connection:
        yield SqliteTables(connection)


def content(place: Path | str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, junctions and checkpoint included, by primary key. Not the inbox: a copy decides no
    command. Nor how the database spells its own indexes."""
    with opened(place) as tables:
        names = [name for name in tables.names() if name not in _OF_THE_SERVER]
        return {name: [tuple(row.values()) for row in tables.rows(name)] for name in names}


def rows(place: Path | str) -> dict[str, list[tuple[Any, ...]]]:
    """The same without what the server keeps for itself."""
    return {name: found for name, found in content(place).items() if not name.startswith("octonet_")}
