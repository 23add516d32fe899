"""A real MariaDB for tests: one server for the session, on a free port, in a temporary directory; one database for
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
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.ports import free_port

_HOST = "127.0.0.1"
_OWNER = "mysql"
_USER = "octonet"
_PASSWORD = "pässword@/:"
_KEPT = 20
"""Databases that are kept; older ones that nobody is connected to are dropped."""
_READY_WITHIN = 90.0
_SETTINGS = {
    "bind-address": _HOST,
    "max-connections": "300",
    "innodb-buffer-pool-size": "64M",
    "innodb-log-file-size": "32M",
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-doublewrite": "0",
    "skip-log-bin": "1",
    "debug-no-sync": "1",
    "skip-name-resolve": "1",
}


def missing() -> str:
    """Why no server can be started here; empty when one can."""
    for program in ("mariadbd", "mariadb-install-db", "mariadb"):
        if _program(program) is None:
            return f"no MariaDB can be started here: there is no {program}"
    known = any(entry.pw_name == _OWNER for entry in pwd.getpwall())
    if os.geteuid() == 0 and (shutil.which("setpriv") is None or not known):
        return f"no MariaDB can be started here: it refuses root, and there is no user {_OWNER!r} to be"
    return ""


class MariadbServer:
    """One server, which dies with this process."""

    def __init__(self) -> None:
        self.settings = dict(_SETTINGS)
        # The socket's path must be short.
        self._directory = Path(tempfile.mkdtemp(prefix="octonet-mariadb-", dir="/tmp"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases: list[str] = []
        self._data = self._directory / "data"
        self._started = False
        if os.geteuid() == 0:
            shutil.chown(self._directory, _OWNER)
        install = [*_owned("mariadb-install-db"), f"--datadir={self._data}", "--skip-test-db"]
        _done([*install, "--auth-root-authentication-method=normal"])

    def given(self, file: Path) -> Path:
        """A copy of a file that the server may read, and nobody else."""
        copy = self._directory / file.name
        shutil.copy(file, copy)
        copy.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(copy, _OWNER)
        return copy

    def start(self) -> None:
        """Start, and wait until it answers. It is tried again for as long: what a server that was killed held, its
        port and its files, may be held for a moment after its end. The first start moves to another port instead:
        somebody may have taken the one that was free before the directory was made."""
        deadline = time.monotonic() + _READY_WITHIN
        while True:
            self._launch()
            if self._answers(deadline):
                if not self._started:
                    self._started = True
                    password = _PASSWORD.replace("'", "''")
                    self.sql(f"CREATE USER '{_USER}'@'%' IDENTIFIED BY '{password}'")
                    self.sql(f"GRANT ALL ON *.* TO '{_USER}'@'%'")
                return
            assert time.monotonic() < deadline, f"MariaDB did not start; its log says:\n{self._log_end()}"
            if not self._started:
                self.port = free_port()
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop at once, as after a power cut: what was not written is recovered at the next start."""
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
        """The database that belongs to this folder, made when it is asked for first. `port`: where the server is
        reached instead of its own."""
        name = f"t{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
        if name not in self._databases:
            self.sql(f"CREATE DATABASE `{name}`")
            self._databases.append(name)
            self._forget()
        return f"mariadb://{_USER}:p%C3%A4ssword%40%2F%3A@{_HOST}:{port or self.port}/{name}"

    def sql(self, text: str, database: str = "mysql") -> str:
        """What the client prints for a statement, without ornaments."""
        client = [*_command("mariadb"), "--default-character-set=utf8mb4", "--protocol=socket", "-uroot", "-N", "-B"]
        try:
            return _done([*client, f"--socket={self._directory}/s", database, "-e", text])
        except AssertionError as problem:
            raise AssertionError(f"{problem}\nthe server's log says:\n{self._log_end()}") from None

    def _launch(self) -> None:
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        places = [f"--datadir={self._data}", f"--socket={self._directory}/s", f"--pid-file={self._directory}/pid"]
        command = [*_owned("mariadbd"), *places, f"--port={self.port}", *settings]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def _answers(self, deadline: float) -> bool:
        """Whether it does in the end: its socket is nobody else's. False when it ended."""
        assert self._process is not None
        while True:
            if self._process.poll() is not None:
                return False
            try:
                self.sql("SELECT 1")
            except AssertionError:
                assert time.monotonic() < deadline, f"MariaDB is not ready; its log says:\n{self._log_end()}"
                time.sleep(0.1)
            else:
                return True

    def _log_end(self) -> str:
        log = self._directory / "log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""

    def _forget(self) -> None:
        busy = set(self.sql("SELECT DISTINCT db FROM information_schema.processlist").split())
        for name in [name for name in self._databases[:-_KEPT] if name not in busy]:
            self.sql(f"DROP DATABASE `{name}`")
            self._databases.remove(name)


@cache
def server() -> MariadbServer:
    """The session's server, started by whoever asks first and stopped at exit."""
    started = MariadbServer()
    atexit.register(started.remove)
    started.start()
    return started


def _program(name: str) -> str | None:
    # The server stands where only root looks for programs.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _command(name: str) -> list[str]:
    found = _program(name)
    assert found is not None, missing()
    return [found, "--no-defaults"]


def _owned(name: str) -> list[str]:
    """The same as the user that the server is to be: one that took that name itself would outlive this process."""
    become = []
    if os.geteuid() == 0:
        become = ["--reuid", _OWNER, "--regid", str(pwd.getpwnam(_OWNER).pw_gid), "--init-groups"]
    wrapped = ["setpriv", *become, "--pdeathsig", "SIGKILL", "--"] if shutil.which("setpriv") else []
    return [*wrapped, *_command(name)]


def _done(command: list[str]) -> str:
    """What a command prints that must go well."""
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    assert found.returncode == 0, f"{command[-1]}: {found.stdout}{found.stderr}"
    return found.stdout.strip()
