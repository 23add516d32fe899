"""A real PostgreSQL for tests: one server for the session, on a free port, in a temporary directory; one database for
each folder that asks."""

from __future__ import annotations

import atexit
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from tests.ports import free_port

_HOST = "127.0.0.1"
_OWNER = "postgres"
_KEPT = 20
"""Databases that are kept; older ones that nobody is connected to are dropped."""
_READY_WITHIN = 90.0
_SETTINGS = {
    "listen_addresses": _HOST,
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
    if os.geteuid() == 0 and (shutil.which("setpriv") is None or not _known(_OWNER)):
        return f"no PostgreSQL can be started here: it refuses root, and there is no user {_OWNER!r} to be"
    return ""


class PostgresServer:
    """One server, which dies with this process."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="octonet-postgres-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases: list[str] = []
        self._data = self._directory / "data"
        if os.geteuid() == 0:
            shutil.chown(self._directory, _OWNER)
        self._started = False
        _done(self._command("initdb", "-D", self._data, "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N"))

    def given(self, file: Path) -> Path:
        """A copy of a file that the server may read, and nobody else."""
        copy = self._directory / file.name
        shutil.copy(file, copy)
        copy.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(copy, _OWNER)
        return copy

    def send(self, sign: signal.Signals) -> None:
        """Signal the server and everything below it: each of its connections is a process."""
        assert self._process is not None
        _signal([self._process.pid, *self._below()], sign)

    def _below(self) -> list[int]:
        assert self._process is not None
        parent = self._process.pid
        return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    def start(self) -> None:
        """Start, and wait until it answers. It is tried again for as long: what a server that was killed held, its
        port and its memory, may be held for a moment after its end. The first start moves to another port instead:
        somebody may have taken the one that was free before the directory was made."""
        deadline = time.monotonic() + _READY_WITHIN
        while True:
            self._launch()
            if self._answers(deadline):
                self._started = True
                return
            assert time.monotonic() < deadline, f"PostgreSQL did not start; its log says:\n{self._log_end()}"
            if not self._started:
                self.port = free_port()
            time.sleep(0.5)

    def _launch(self) -> None:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", self._data, "-p", self.port, *settings), stdout=log, stderr=log
            )

    def _answers(self, deadline: float) -> bool:
        """Whether it does in the end: this server, and not another one that has its port. False when it ended."""
        assert self._process is not None
        while not self._is_ready() or subprocess.run(self._client("pg_isready", "-q"), check=False).returncode != 0:
            if self._process.poll() is not None:
                return False
            assert time.monotonic() < deadline, f"PostgreSQL is not ready; its log says:\n{self._log_end()}"
            time.sleep(0.02)
        return True

    def _is_ready(self) -> bool:
        assert self._process is not None
        try:
            told = (self._data / "postmaster.pid").read_text().split()
        except OSError:
            return False
        return told[:1] == [str(self._process.pid)] and told[-1] == "ready"

    def _log_end(self) -> str:
        return "\n".join((self._directory / "log").read_text(errors="replace").splitlines()[-20:])

    def stop(self) -> None:
        """Stop at once, as after a power cut: what was not written is recovered at the next start."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._wait()
            self._process = None

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
        """The database that belongs to this folder, made when it is asked for first. `port`: where the server is
        reached instead of its own."""
        name = f"t{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
        if name not in self._databases:
            # The template that nobody can be inside of: then none can be copied.
            self.sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
            self._databases.append(name)
            self._forget()
        return f"postgresql://{_OWNER}@{_HOST}:{port or self.port}/{name}"

    def sql(self, text: str, database: str = "postgres") -> str:
        """What psql prints for a statement, without ornaments."""
        line = self._client("psql", "-d", database, "-U", _OWNER, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
        try:
            return _done([*line, "-c", text])
        except AssertionError as problem:
            raise AssertionError(f"{problem}\nthe server's log says:\n{self._log_end()}") from None

    def _forget(self) -> None:
        for name in self._databases[:-_KEPT]:
            if self.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'") == "0":
                # Somebody may have come in again: then it is dropped another time.
                with suppress(AssertionError):
                    self.sql(f'DROP DATABASE "{name}"')
                    self._databases.remove(name)

    def _client(self, program: str, *arguments: str) -> list[str]:
        return [str(_found() / program), "-h", _HOST, "-p", str(self.port), *arguments]

    @staticmethod
    def _command(program: str, *arguments: object) -> list[str]:
        become = []
        if os.geteuid() == 0:
            become = ["--reuid", _OWNER, "--regid", str(pwd.getpwnam(_OWNER).pw_gid), "--init-groups"]
        wrapped = ["setpriv", *become, "--pdeathsig", "SIGQUIT", "--"] if shutil.which("setpriv") else []
        return [*wrapped, str(_found() / program), *map(str, arguments)]


@cache
def server() -> PostgresServer:
    """The session's server, started by whoever asks first and stopped at exit."""
    started = PostgresServer()
    atexit.register(started.remove)
    started.start()
    return started


def _signal(processes: list[int], sign: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, sign)


def _done(command: list[str]) -> str:
    """What a command prints that must go well."""
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    assert found.returncode == 0, f"{command[-1]}: {found.stdout}{found.stderr}"
    return found.stdout.strip()


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


def _known(user: str) -> bool:
    return any(entry.pw_name == user for entry in pwd.getpwall())
