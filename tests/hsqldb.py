"""A real HSQLDB for tests: one server for the session, on a free port, in a temporary directory; one of its databases
for each folder that asks."""

from __future__ import annotations

import shutil
from contextlib import closing
from functools import cache
from pathlib import Path

from octonet.dialects.engine import hsqldb_jvm
from octonet.dialects.engine.grammar import Cells
from octonet.dialects.engine.hsqldb_errors import JavaFailure
from octonet.dialects.engine.hsqldb_link import Link
from tests.server_process import HOST, ServerProcess, dying, until_exit

_USER = "octonet"
_PASSWORD = "pässword@/:"
_ENCODED = "p%C3%A4ssword%40%2F%3A"
_JAR = "/usr/share/java/hsqldb.jar"
_DATABASES = 16
"""They are made when the server is; one that nobody is connected to is emptied for the next folder."""


def missing() -> str:
    """Why no server can be started here; empty when one can."""
    if shutil.which("java") is None:
        return "no HSQLDB can be started here: there is no java"
    return "" if Path(_JAR).exists() else f"no HSQLDB can be started here: there is no {_JAR}"


class HsqldbServer(ServerProcess):
    """One server, which dies with this process."""

    title = "HSQLDB"

    def __init__(self) -> None:
        super().__init__()
        self._folders: dict[Path, str] = {}
        """Those that were given a database, the one that asked last at the end."""

    def uri(self, folder: Path, port: int = 0) -> str:
        """The database that belongs to this folder, empty when it is asked for first. `port`: where the server is
        reached instead of its own."""
        if folder not in self._folders:
            self._folders[folder] = self._unused()
        return f"hsqldb://{_USER}:{_ENCODED}@{HOST}:{port or self.port}/{self._folders[folder]}"

    def sql(self, text: str, database: str) -> str:
        """What a statement answers: a line for each row, its columns parted by tabs."""
        found = self.rows(text, database)
        return "\n".join("\t".join("NULL" if cell is None else str(cell) for cell in row) for row in found)

    def rows(self, text: str, database: str) -> list[Cells]:
        """The same as it stands. There may be several statements, with a semicolon and a blank between them."""
        *before, last = text.split("; ")
        for each in before:
            self._rows(each, database, _USER, _PASSWORD)
        return self._rows(last, database, _USER, _PASSWORD)

    def _rows(self, text: str, database: str, user: str, password: str) -> list[Cells]:
        hsqldb_jvm.start()
        url = f"jdbc:hsqldb:hsql://{HOST}:{self.port}/{database}"
        with closing(Link(url, user, password, autocommit=True)) as link:
            if text.startswith(("SELECT", "CALL", "VALUES")):
                return link.rows(text, ())
            link.run(text, ())
            return []

    def _names(self) -> list[str]:
        return [f"t{number}" for number in range(_DATABASES)]

    def _unused(self) -> str:
        """A database that no folder has; else the one whose folder asked first and that nobody is connected to."""
        given = set(self._folders.values())
        for name in self._names():
            if name not in given:
                return name
        for folder, name in self._folders.items():
            if self.sql("SELECT COUNT(*) FROM INFORMATION_SCHEMA.SYSTEM_SESSIONS", name) == "1":
                del self._folders[folder]
                self.sql("DROP SCHEMA PUBLIC CASCADE; DROP SCHEMA IF EXISTS OCTONET CASCADE", name)
                return name
        raise AssertionError("every database is in use")

    def _command(self) -> list[str]:
        lines = [f"server.address={HOST}", f"server.port={self.port}", f"server.maxdatabases={_DATABASES}"]
        lines += ["server.silent=true", "server.no_system_exit=false"]
        for number, name in enumerate(self._names()):
            # A commit is on the disk before it is told. The lock of one that was stopped would hold for ten seconds.
            place = f"file:{self._directory}/{name}/db"
            lines.append(f"server.database.{number}={place};hsqldb.write_delay=false;hsqldb.lock_file=false")
            lines.append(f"server.dbname.{number}={name}")
        (self._directory / "server.properties").write_text("\n".join(lines))
        java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", _JAR]
        return [
            *dying(), *java, "org.hsqldb.server.Server", "--props", str(self._directory / "server.properties")
        ]  # fmt: skip

    def _is_up(self) -> bool:
        user, password = (_USER, _PASSWORD) if self._started else ("SA", "")
        try:
            for name in self._names():
                self._rows("VALUES(1)", name, user, password)
        except JavaFailure:
            return False
        return True

    def _came_up(self) -> None:
        if not self._started:
            for name in self._names():
                self._rows(f"CREATE USER \"{_USER}\" PASSWORD '{_PASSWORD}' ADMIN", name, "SA", "")


@cache
def server() -> HsqldbServer:
    """The session's server, started by whoever asks first and stopped at exit."""
    return until_exit(HsqldbServer())
