"""A real PostgreSQL for tests: one server for the session, on a free port, in a temporary directory; one database for
each folder that asks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.server_process import HOST, OwnedServer, database_of, done, until_exit

_KEPT = 20
"""Databases that are kept; older ones that nobody is connected to are dropped."""
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "logging_collector": "off",
    # In its own directory: /dev/shm may be small, and hold what others left.
    "dynamic_shared_memory_type": "mmap",
}


def missing() -> str:
    """Why no server can be started here; empty when one can."""
    if _binaries() is None:
        return "no PostgreSQL can be started here: its binaries are not in /usr/lib/postgresql/*/bin"
    return PostgresServer.no_owner()


class PostgresServer(OwnedServer):
    """One server, which dies with this process."""

    title = "PostgreSQL"
    owner = "postgres"
    look = 0.02

    def __init__(self) -> None:
        super().__init__()
        self._databases: list[str] = []
        self._data = self._directory / "data"
        how = ("-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        done(self._owned("initdb", "-D", self._data, "-U", self.owner, *how))

    def send(self, sign: signal.Signals) -> None:
        """Signal the server and everything below it: each of its connections is a process."""
        assert self._process is not None
        _signal([self._process.pid, *self._below()], sign)

    def stop(self) -> None:
        """Stop at once, as after a power cut: what was not written is recovered at the next start."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._wait()
            self._process = None

    def uri(self, folder: Path, port: int = 0) -> str:
        """The database that belongs to this folder, made when it is asked for first. `port`: where the server is
        reached instead of its own."""
        name = database_of(folder)
        if name not in self._databases:
            # The template that nobody can be inside of: then none can be copied.
            self.sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
            self._databases.append(name)
            self._forget()
        return f"postgresql://{self.owner}@{HOST}:{port or self.port}/{name}"

    def sql(self, text: str, database: str = "postgres") -> str:
        """What psql prints for a statement, without ornaments."""
        line = self._client("psql", "-d", database, "-U", self.owner, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
        try:
            return done([*line, "-c", text])
        except AssertionError as problem:
            raise AssertionError(f"{problem}\nthe server's log says:\n{self._log_end()}") from None

    def _command(self) -> list[str]:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return self._owned("postgres", "-D", self._data, "-p", self.port, *settings)

    def _is_up(self) -> bool:
        assert self._process is not None
        try:
            told = (self._data / "postmaster.pid").read_text().split()
        except OSError:
            return False
        if told[:1] != [str(self._process.pid)] or told[-1] != "ready":
            return False
        return subprocess.run(self._client("pg_isready", "-q"), check=False).returncode == 0

    def _below(self) -> list[int]:
        assert self._process is not None
        parent = self._process.pid
        return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    def _wait(self) -> None:
        """A connection that was let in last waits for the first word of its client for a minute, and the server for
        that connection. The client may be a task of this very thread, which waits for the server."""
        assert self._process is not None
        for _ in range(60):
            try:
                self._process.wait(1.0)
            except subprocess.TimeoutExpired:
                _signal(self._below(), signal.SIGKILL)
            else:
                return
        raise AssertionError(f"PostgreSQL does not stop; its log says:\n{self._log_end()}")

    def _forget(self) -> None:
        for name in self._databases[:-_KEPT]:
            if self.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'") == "0":
                # Somebody may have come in again: then it is dropped another time.
                with suppress(AssertionError):
                    self.sql(f'DROP DATABASE "{name}"')
                    self._databases.remove(name)

    def _client(self, program: str, *arguments: str) -> list[str]:
        return [str(_found() / program), "-h", HOST, "-p", str(self.port), *arguments]

    def _owned(self, program: str, *arguments: object) -> list[str]:
        return [*self.as_owner("SIGQUIT"), str(_found() / program), *map(str, arguments)]


@cache
def server() -> PostgresServer:
    """The session's server, started by whoever asks first and stopped at exit."""
    return until_exit(PostgresServer())


def _signal(processes: list[int], sign: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, sign)


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    if found:
        return found[-1].parent
    other = shutil.which("initdb")
    return None if other is None else Path(other).resolve().parent


def _found() -> Path:
    binaries = _binaries()
    assert binaries is not None, missing()
    return binaries
