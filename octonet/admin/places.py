"""Where a project that is added at run time may keep its rows: whoever may add one must not thereby reach files and
servers that only this machine can see."""

from __future__ import annotations

import asyncio
import fnmatch
import ipaddress
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from octonet.kernel.errors import OctonetError, validation

_CODE: Final = "PLACE_NOT_ALLOWED"
_PATH: Final = "$.uri"
_OURS: Final = frozenset({"nats", "keys", "audit", "snapshots", "lock", "octonet.db", "_system.db"})
"""What else is in the data directory."""
_BESIDE: Final = ("-wal", "-shm", "-journal")
"""How SQLite calls the files that it keeps beside a database."""
_RESOLVED_WITHIN: Final = 5.0
_WORDS: Final = frozenset({"projects", "instances", "databases"})
_PORTS: Final = {
    "cockroachdb": 26257,
    "db2": 50000,
    "hana": 30013,
    "hsqldb": 9001,
    "mariadb": 3306,
    "mongodb": 27017,
    "mssql": 1433,
    "mysql": 3306,
    "oracle": 1521,
    "postgres": 5432,
    "sybase": 5000,
}
"""Where servers listen whose address names no port."""


class Places:
    """`directory`: where SQLite files may be; `sandboxes`: where those of sandboxes are; `hosts`: names and patterns of
    servers that may be used whatever their address is, ``*`` for any."""

    def __init__(self, directory: Path, sandboxes: Path, hosts: Collection[str]) -> None:
        self._directory = directory.absolute()
        self._sandboxes = sandboxes.absolute()
        self._hosts = hosts

    def sandbox(self, alias: str) -> str:
        """Where a sandbox is kept."""
        return f"sqlite:///{self._sandboxes / alias}.sqlite"

    async def settle(self, project: str, dialect: str, uri: str) -> str:
        """The address to use; SQLite's files are named as seen from the directory, and have a place of their own where
        none is named. Raises `ValidationError`, code PLACE_NOT_ALLOWED."""
        if dialect == "sqlite":
            return self._file(uri or f"sqlite:///{project}.db")
        await self._check_server(uri)
        return uri

    def _file(self, uri: str) -> str:
        text = uri.removeprefix("sqlite:")
        if text.startswith("//"):
            text = text.removeprefix("///")
        path = Path(text)
        if path.name.endswith(_BESIDE):
            raise _refused("is how files beside a database are called")
        if not text or "\0" in text or "?" in text or ":memory:" in text or ".." in path.parts:
            raise _refused("expected the path of a file, such as sqlite:///shop.db")
        # Resolved: a link that leads out of the directory is out of it.
        found = (self._directory / path).resolve()
        inside, sandboxes = self._directory.resolve(), self._sandboxes.resolve()
        private = sandboxes in found.parents or inside not in found.parents
        if private or found.relative_to(inside).parts[0] in _OURS:
            raise _refused("is not a place for a database: SQLite files of projects are kept in the data directory")
        return f"sqlite:///{found}"

    async def _check_server(self, uri: str) -> None:
        try:
            found = urlsplit(uri)
            host, port = found.hostname, found.port
        except ValueError:
            raise _refused("is not the address of a server") from None
        if not host:
            raise _refused("names no server")
        if found.scheme.startswith("spanner") and found.query:
            raise _refused("names a file of this machine: its own credentials open a Spanner database")
        if any(fnmatch.fnmatch(host, pattern.lower()) for pattern in self._hosts):
            return
        if found.scheme.startswith("mongodb"):
            # It is asked which other servers belong to it, and the driver goes there.
            raise _refused(f"the server {host!r} may name others to go to; OCTONET_DATABASE_HOSTS may allow it")
        if found.scheme.startswith("spanner"):
            # It is no server, and this machine's own credentials open it, whoever asks.
            raise _refused(f"the project {host!r} is opened by this machine's key; OCTONET_DATABASE_HOSTS may allow it")
        for address in await _addresses(host, port):
            if not address.is_global or address.is_multicast:
                raise _refused(f"the server {host!r} has a private address; OCTONET_DATABASE_HOSTS may allow it")


def place(dialect: str, uri: str) -> tuple[str, ...]:
    """What two addresses of one database have in common, however they are spelled: users and ports do not count, for a
    port may be left out."""
    if dialect == "sqlite":
        return dialect, str(Path(uri.removeprefix("sqlite:").removeprefix("///")).resolve())
    try:
        found = urlsplit(uri)
        if dialect == "spanner":
            # Google writes projects/…/instances/…/databases/….
            parts = [found.netloc, *found.path.split("/")]
            return dialect, *(part for part in parts if part and part not in _WORDS)
        return dialect, (found.hostname or "").lower(), found.path.rstrip("/")
    except ValueError:
        return dialect, uri


def address(dialect: str, uri: str) -> tuple[str, ...]:
    """The same, where a replica may be on a server of its own beside another one's: the port counts."""
    if dialect == "sqlite":
        try:
            # Whatever links lead there. SQLite must not even open a file by two names.
            found = Path(place(dialect, uri)[1]).stat()
        except OSError:
            return place(dialect, uri)
        return dialect, str(found.st_dev), str(found.st_ino)
    try:
        return *place(dialect, uri), str(urlsplit(uri).port or _PORTS.get(dialect, 0))
    except ValueError:
        return dialect, uri


async def _addresses(host: str, port: int | None) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        async with asyncio.timeout(_RESOLVED_WITHIN):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        raise _refused(f"the server {host[:200]!r} is not known") from None
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return [getattr(address, "ipv4_mapped", None) or address for address in addresses]


def _refused(sentence: str) -> OctonetError:
    return validation(_PATH, sentence, code=_CODE)
