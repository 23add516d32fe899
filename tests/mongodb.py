"""A stand-in for MongoDB: one server for the session, on a free port, in a temporary directory; one database for each
folder that asks.

It is `nx-27017`, which speaks MongoDB's protocol over SQLite, and tells of no transactions. It commits every write
before acknowledging it, without waiting for the disk: a kill takes nothing, a power cut could.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path

import pymongo

from tests.server_process import HOST, ServerProcess, database_of, dying, until_exit

_PROGRAM = """
import functools
import sqlite3
import sys
import neosqlite.collection.datetime_query_processor
from neosqlite.collection.datetime_utils import is_datetime_value
from neosqlite.sql_utils import quote_table_name
from nx_27017.nx_27017 import main


@functools.cache
def quoted(name):
    try:
        sqlite3.connect(":memory:").execute(f"CREATE TABLE {name} (id)")
    except sqlite3.Error:
        return '"' + name.replace('"', '""') + '"'
    return name

mends = {
    # A collection may be called like a word of SQL: the stand-in puts the name into its statements as it stands.
    quote_table_name: quoted,
    # A text that looks like a time is a text: the stand-in compares it as a time, by whole seconds.
    is_datetime_value: lambda value: False,
}
for module in list(sys.modules.values()):
    if module is not None and module.__name__.partition(".")[0] in ("neosqlite", "nx_27017"):
        for name, value in list(vars(module).items()):
            if callable(value) and getattr(value, "__hash__", None) and value in mends:
                setattr(module, name, mends[value])
main()
"""


def missing() -> str:
    """Why no server can be started here; empty when one can."""
    for module in ("pymongo", "nx_27017"):
        if importlib.util.find_spec(module) is None:
            return f"no MongoDB can be stood in for here: {module} is not installed"
    return ""


class MongodbServer(ServerProcess):
    """One server, which dies with this process."""

    title = "the stand-in for MongoDB"
    logs = ("out", "log")

    def uri(self, folder: Path, port: int = 0) -> str:
        """The database that belongs to this folder. `port`: where the server is reached instead of its own."""
        return f"mongodb://{HOST}:{port or self.port}/{database_of(folder)}"

    def drop(self, name: str) -> None:
        """Remove every collection of a database."""
        with pymongo.MongoClient[dict[str, object]](f"mongodb://{HOST}:{self.port}") as client:
            for collection in client[name].list_collection_names():
                client[name].drop_collection(collection)

    def _command(self) -> list[str]:
        places = ["--data-dir", f"{self._directory}/data", "--pid-file", f"{self._directory}/pid"]
        places += ["--log-file", f"{self._directory}/log", "--host", HOST, "--port", str(self.port)]
        return [*dying(), sys.executable, "-c", _PROGRAM, *places]


@cache
def server() -> MongodbServer:
    """The session's server, started by whoever asks first and stopped at exit."""
    return until_exit(MongodbServer())
