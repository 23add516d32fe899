"""A stand-in for MongoDB: one server for the session, on a free port, in a temporary directory; one database for each
folder that asks.

It is `nx-27017`, which speaks MongoDB's protocol over SQLite, and tells of no transactions. It commits every write
before acknowledging it, without waiting for the disk: a kill takes nothing, a power cut could.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pymongo

from tests.ports import free_port

_HOST = "127.0.0.1"
_ATTEMPTS = 3
_READY_WITHIN = 60.0
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


class MongodbServer:
    """One server, which dies with this process."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="octonet-mongodb-", dir="/tmp"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = False

    def start(self) -> None:
        """Start, and wait until it answers. Its first start is tried on other ports, too; later ones must be where
        clients look for it."""
        for _ in range(_ATTEMPTS):
            self._launch()
            if self._answers():
                self._started = True
                return
            if not self._started:
                self.port = free_port()
        raise AssertionError(f"the stand-in for MongoDB did not start; its log says:\n{self._log_end()}")

    def stop(self) -> None:
        """Stop at once, as when it is killed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(60)
            self._process = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stopped at once for a while, and started again whatever happens."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def uri(self, folder: Path, port: int = 0) -> str:
        """The database that belongs to this folder. `port`: where the server is reached instead of its own."""
        name = f"t{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
        return f"mongodb://{_HOST}:{port or self.port}/{name}"

    def drop(self, name: str) -> None:
        """Remove every collection of a database."""
        with pymongo.MongoClient[dict[str, object]](f"mongodb://{_HOST}:{self.port}") as client:
            for collection in client[name].list_collection_names():
                client[name].drop_collection(collection)

    def _launch(self) -> None:
        places = ["--data-dir", f"{self._directory}/data", "--pid-file", f"{self._directory}/pid"]
        places += ["--log-file", f"{self._directory}/log", "--host", _HOST, "--port", str(self.port)]
        with (self._directory / "out").open("ab") as out:
            dying = ["setpriv", "--pdeathsig", "SIGKILL", "--"] if shutil.which("setpriv") else []
            command = [*dying, sys.executable, "-c", _PROGRAM, *places]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)

    def _answers(self) -> bool:
        """Whether it does in the end. False when it ended."""
        assert self._process is not None
        deadline = time.monotonic() + _READY_WITHIN
        while self._process.poll() is None:
            try:
                socket.create_connection((_HOST, self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, f"the stand-in is not ready; its log says:\n{self._log_end()}"
                time.sleep(0.1)
            else:
                return True
        return False

    def _log_end(self) -> str:
        logs = [self._directory / "out", self._directory / "log"]
        lines = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()[-20:]]
        return "\n".join(lines)


@cache
def server() -> MongodbServer:
    """The session's server, started by whoever asks first and stopped at exit."""
    started = MongodbServer()
    atexit.register(started.remove)
    started.start()
    return started
