"""A PostgreSQL server: its address, how to connect to it, and when to try again after it was away."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Final, Protocol, cast
from urllib.parse import urlsplit

import asyncpg
import msgspec

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.knocking import Knocking
from octonet.dialects.engine.postgres_errors import FAILURES, state_of
from octonet.kernel.errors import Invalid

_log = logging.getLogger("octonet.sql")

_CONNECT_SECONDS: Final = 5.0
_DRIVERS_PORT: Final = 5432
"""Which the driver takes unasked, unless its own environment says otherwise."""
_STATEMENTS: Final = 512
"""Prepared statements that one connection keeps."""


class Product(msgspec.Struct, frozen=True):
    """A kind of server that speaks PostgreSQL's protocol."""

    name: str
    schemes: tuple[str, ...]
    port: int
    """Where it listens if an address does not say."""
    settings: Mapping[str, str]
    """What every connection asks for."""
    accounts: str
    """Where it keeps who may come in."""

    @property
    def address(self) -> str:
        """How an address is written."""
        return f"{self.schemes[0]}://user:password@host:{self.port}/database"


POSTGRES: Final = Product(
    "PostgreSQL",
    ("postgresql", "postgres", "postgresql+asyncpg"),
    _DRIVERS_PORT,
    {"application_name": "octonet", "jit": "off"},
    "the server's pg_hba.conf",
)


class Connection(Protocol):
    """What is used of the driver's connection."""

    async def fetch(self, query: str, *args: Cell, timeout: float | None = None) -> list[Cells]:
        """All rows."""
        ...

    async def execute(self, query: str, *args: Cell, timeout: float | None = None) -> str:
        """The command's tag."""
        ...

    async def reload_schema_state(self) -> None:
        """Forget the statements that were prepared."""
        ...

    async def close(self, *, timeout: float | None = None) -> None:
        """Say goodbye."""
        ...

    def terminate(self) -> None:
        """Cut it."""
        ...

    def is_closed(self) -> bool:
        """Whether it has ended, by whomever."""
        ...

    def is_in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...


class Server:
    """Connects, and while the server is away lets nobody try more often than with growing pauses, at most a second."""

    def __init__(self, uri: str, show_sql: bool, product: Product = POSTGRES) -> None:
        self.product = product
        self._dsn, self.address, self._port = _parsed(uri, product)
        self._show_sql = show_sql
        self._knocking = Knocking()

    async def connect(self, settings: Mapping[str, str]) -> Connection:
        """A new connection. Raises `StorageUnavailable` with a sentence that says what to do."""
        self._knocking.check()
        try:
            connection = cast("Connection", await self._connect(settings))
        except FAILURES as error:
            raise self._knocking.refused(_reason(error, self.address, self.product)) from error
        except ValueError as error:
            raise Invalid(f"the database's address {self.address} cannot be used: {error}") from error
        self._knocking.opened()
        return connection

    def show(self, text: str) -> None:
        """Log a statement, if that is wanted."""
        if self._show_sql:
            _log.info("%s", text)

    async def _connect(self, settings: Mapping[str, str]) -> object:
        return await asyncpg.connect(
            self._dsn,
            port=self._port,
            timeout=_CONNECT_SECONDS,
            statement_cache_size=_STATEMENTS,
            max_cached_statement_lifetime=0,
            server_settings={**self.product.settings, **settings},
        )


def touched(tag: str) -> int:
    """The number of rows a command's tag tells of."""
    count = tag.rpartition(" ")[2]
    return int(count) if count.isdecimal() else 0


def _parsed(uri: str, product: Product) -> tuple[str, str, int | None]:
    """What the driver takes, the address without its password, and the port, if the address names none."""
    scheme, sign, rest = uri.partition("://")
    if scheme not in product.schemes or not sign:
        raise Invalid(f"{_veiled(uri)!r} is no address of {product.name}: write {product.address}")
    dsn = f"postgresql://{rest}"
    try:
        parts = urlsplit(dsn)
    except ValueError as problem:
        raise Invalid(f"{_veiled(uri)!r} cannot be read: {problem}") from problem
    if not parts.path.strip("/") and "dbname=" not in parts.query:
        raise Invalid(f"{_veiled(uri)!r} names no database: write {product.address}")
    unnamed = not re.search(r":\d+(,|$)", parts.netloc) and "port=" not in parts.query
    port = product.port if unnamed and product.port != _DRIVERS_PORT else None
    return dsn, _veiled(f"{product.schemes[0]}://{parts.netloc}{parts.path}"), port


def _veiled(uri: str) -> str:
    return re.sub(r"(//[^:@/]*):.*@", r"\1@", uri.partition("?")[0])


def _reason(error: BaseException, address: str, product: Product) -> str:
    state, text = state_of(error), str(error) or type(error).__name__
    if state.startswith("28"):
        return f"{address} refused the user or the password ({text}): check SGBD_URI and {product.accounts}"
    if state == "3D000":
        return f"{address}: {text}; create it with CREATE DATABASE, or name another one in SGBD_URI"
    if state == "53300":
        return f"{address} takes no more connections ({text}): raise max_connections, or lower DB_POOL_SIZE"
    if state == "57P03":
        return f"{address} is starting or stopping ({text}): try again in a moment"
    if isinstance(error, TimeoutError):
        return f"{address} did not answer within {_CONNECT_SECONDS:g} seconds: check host, port and firewall"
    if isinstance(error, OSError):
        return f"nobody answers at {address} ({text}): is {product.name} running there, and does it listen?"
    return f"{address} let nobody in: {text}"
