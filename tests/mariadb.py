"""A real MariaDB for tests: one server for the session, on a free port, in a temporary directory; one database for
each folder that asks."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from tests.server_process import HOST, OwnedServer, database_of, done, until_exit

_USER = "octonet"
_PASSWORD = "pässword@/:"
_KEPT = 20
"""Databases that are kept; older ones that nobody is connected to are dropped."""
_SETTINGS = {
    "bind-address": HOST,
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
    return MariadbServer.no_owner()


class MariadbServer(OwnedServer):
    """One server, which dies with this process."""

    title = "MariaDB"
    owner = "mysql"

    def __init__(self) -> None:
        super().__init__()
        self.settings = dict(_SETTINGS)
        self._databases: list[str] = []
        self._data = self._directory / "data"
        install = [*self._owned("mariadb-install-db"), f"--datadir={self._data}", "--skip-test-db"]
        done([*install, "--auth-root-authentication-method=normal"])

    def uri(self, folder: Path, port: int = 0) -> str:
        """The database that belongs to this folder, made when it is asked for first. `port`: where the server is
        reached instead of its own."""
        name = database_of(folder)
        if name not in self._databases:
            self.sql(f"CREATE DATABASE `{name}`")
            self._databases.append(name)
            self._forget()
        return f"mariadb://{_USER}:p%C3%A4ssword%40%2F%3A@{HOST}:{port or self.port}/{name}"

    def sql(self, text: str, database: str = "mysql") -> str:
        """What the client prints for a statement, without ornaments."""
        client = [*_with_our_settings("mariadb"), "--default-character-set=utf8mb4", "--protocol=socket", "-uroot"]
        try:
            return done([*client, "-N", "-B", f"--socket={self._directory}/s", database, "-e", text])
        except AssertionError as problem:
            raise AssertionError(f"{problem}\nthe server's log says:\n{self._log_end()}") from None

    def _command(self) -> list[str]:
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        places = [f"--datadir={self._data}", f"--socket={self._directory}/s", f"--pid-file={self._directory}/pid"]
        return [*self._owned("mariadbd"), *places, f"--port={self.port}", *settings]

    def _is_up(self) -> bool:
        # Its socket is nobody else's.
        try:
            self.sql("SELECT 1")
        except AssertionError:
            return False
        return True

    def _came_up(self) -> None:
        if not self._started:
            password = _PASSWORD.replace("'", "''")
            self.sql(f"CREATE USER '{_USER}'@'%' IDENTIFIED BY '{password}'")
            self.sql(f"GRANT ALL ON *.* TO '{_USER}'@'%'")

    def _forget(self) -> None:
        busy = set(self.sql("SELECT DISTINCT db FROM information_schema.processlist").split())
        for name in [name for name in self._databases[:-_KEPT] if name not in busy]:
            self.sql(f"DROP DATABASE `{name}`")
            self._databases.remove(name)

    def _owned(self, name: str) -> list[str]:
        return [*self.as_owner(), *_with_our_settings(name)]


@cache
def server() -> MariadbServer:
    """The session's server, started by whoever asks first and stopped at exit."""
    return until_exit(MariadbServer())


def _program(name: str) -> str | None:
    # The server stands where only root looks for programs.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _with_our_settings(name: str) -> list[str]:
    found = _program(name)
    assert found is not None, missing()
    return [found, "--no-defaults"]
