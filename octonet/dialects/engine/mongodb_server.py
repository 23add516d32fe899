"""A MongoDB server: its address, what it can do, and how long it is waited for."""

from __future__ import annotations

import asyncio
import logging
import re
import warnings
from collections.abc import Awaitable
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.uri_parser import SCHEME, SRV_SCHEME
from pymongo.write_concern import WriteConcern

from octonet.dialects.engine.mongodb_errors import FAILURES, raise_meaning
from octonet.kernel.errors import Invalid, StorageUnavailable, Unavailable

Document: TypeAlias = dict[str, object]
Collection: TypeAlias = AsyncCollection[Document]

T = TypeVar("T")
_log = logging.getLogger("octonet.sql")

_FIND_SECONDS: Final = 3.0
"""For a server to be found, at each call while it is away."""
_WRITE_SECONDS: Final = 30.0
_OLDEST: Final = 9
"""The wire version of MongoDB 4.4."""
_WRITE: Final = "mongodb://user:password@host:27017/database"


class Abilities(msgspec.Struct, frozen=True):
    """What a server told of itself."""

    transactions: bool
    """Whether it is a replica set or a router: only those have transactions of many documents."""
    identity: str
    """The same for two addresses of one server, as far as it tells."""


class Server:
    """The client, which keeps connections and opens lost ones anew."""

    def __init__(self, uri: str, pool_size: int, query_timeout: float, *, show_sql: bool, synced: bool) -> None:
        self.address, name = _parsed(uri)
        self._query_timeout = query_timeout
        self._show_sql = show_sql
        self._abilities: Abilities | None = None
        self.client = _client(uri, self.address, pool_size)
        # Whatever the address says: what is read must be the newest, and what is acknowledged must stay.
        self.database: AsyncDatabase[Document] = self.client.get_database(
            name, read_preference=ReadPreference.PRIMARY, write_concern=WriteConcern(w="majority", j=synced or None)
        )
        self.name = name

    def collection(self, name: str) -> Collection:
        """A collection of the database."""
        return self.database[name]

    async def abilities(self) -> Abilities:
        """What the server can do; asked once. Raises `StorageUnavailable` with a sentence that says what to do."""
        if self._abilities is None:
            hello = await self.written("hello", self.client.admin.command("hello"))
            wire: object = hello.get("maxWireVersion", 0)
            if not isinstance(wire, int) or wire < _OLDEST:
                raise StorageUnavailable(f"{self.address} is too old: MongoDB 4.4 or later is needed")
            self._abilities = _abilities(hello, self.address)
        return self._abilities

    async def read(self, what: str, work: Awaitable[T]) -> T:
        """Wait for a read. Raises `Unavailable`, code QUERY_TIMEOUT, when it takes too long."""
        self._show(what)
        try:
            async with asyncio.timeout(self._query_timeout):
                return await work
        except TimeoutError:
            late = f"the query did not finish within {self._query_timeout:g} seconds"
            raise Unavailable(late, code="QUERY_TIMEOUT") from None
        except FAILURES as error:
            raise_meaning(error, self.address)

    async def written(self, what: str, work: Awaitable[T]) -> T:
        """Wait for something that must be done. Raises `StorageUnavailable` when it is not known to be."""
        self._show(what)
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                return await work
        except TimeoutError:
            raise StorageUnavailable(f"{self.address} did not answer within {_WRITE_SECONDS:g} seconds") from None
        except FAILURES as error:
            raise_meaning(error, self.address)

    async def close(self) -> None:
        """Release every connection."""
        await self.client.close()

    def _show(self, what: str) -> None:
        if self._show_sql:
            _log.info("%s", what)


def _client(uri: str, address: str, pool_size: int) -> AsyncMongoClient[Document]:
    try:
        with warnings.catch_warnings():
            # The driver only warns of a parameter that it leaves out, be it the one that asks for TLS.
            warnings.simplefilter("error", UserWarning)
            return AsyncMongoClient(
                uri,
                appname="octonet",
                document_class=dict,
                tz_aware=True,
                maxPoolSize=pool_size + 4,
                serverSelectionTimeoutMS=round(_FIND_SECONDS * 1000),
                connectTimeoutMS=round(_FIND_SECONDS * 1000),
            )
    except OSError as problem:
        raise Invalid(f"a certificate of the database's address cannot be read: {problem}") from problem
    except (PyMongoError, ValueError, TypeError, UserWarning) as problem:
        raise Invalid(f"{address!r} cannot be read: {problem}; write {_WRITE}") from problem


def _abilities(hello: Document, address: str) -> Abilities:
    if (name := hello.get("setName")) is not None:
        hosts = hello.get("hosts")
        members = ",".join(sorted(map(str, hosts))) if isinstance(hosts, list) else ""
        return Abilities(True, f"{name}/{members}")
    router = hello.get("msg") == "isdbgrid"
    version = hello.get("topologyVersion")
    process = version.get("processId") if isinstance(version, dict) else None
    return Abilities(router, str(process) if process is not None and not router else address.rpartition("@")[2])


def _parsed(uri: str) -> tuple[str, str]:
    """The address without its password, and the name of the database."""
    shown = re.sub(r"(//[^:@/]*):.*@", r"\1@", uri.partition("?")[0])
    if not uri.startswith((SCHEME, SRV_SCHEME)):
        raise Invalid(f"{shown!r} is no address of MongoDB: write {_WRITE}")
    # Several hosts may be named, which is no number of a port.
    name = urlsplit(uri).path.strip("/")
    if not name:
        raise Invalid(f"{shown!r} names no database: write {_WRITE}")
    if re.fullmatch(r"[A-Za-z0-9_-]{1,63}", name) is None:
        raise Invalid(f"{shown!r}: a database is named by letters, digits, _ and -, at most 63: write {_WRITE}")
    if not urlsplit(uri).netloc.rpartition("@")[2]:
        raise Invalid(f"{shown!r} names no server: write {_WRITE}")
    return shown, name
