"""A MariaDB server: its address, how to connect to it, and when to try again after it was away."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Sequence
from typing import Final, NoReturn, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncmy
import msgspec

from octonet.dialects.engine.knocking import Knocking
from octonet.dialects.engine.mariadb_connection import Connection, Driver
from octonet.dialects.engine.mariadb_errors import DEADLOCK, FAILURES, code_of, raise_meaning
from octonet.dialects.engine.mariadb_product import MARIADB, Product
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Invalid, StorageUnavailable

_log = logging.getLogger("octonet.sql")

_PORT: Final = 3306
_CONNECT_SECONDS: Final = 5
_FOUND_ROWS: Final = 2
"""The protocol's flag by which an update tells of the rows it found, changed or not."""
_PARAMETERS: Final = ("ssl", "ssl_ca", "ssl_cert", "ssl_key")


class Address(msgspec.Struct, frozen=True):
    """Where a database is, and who asks for it."""

    product: Product
    host: str
    port: int
    user: str
    password: str
    database: str
    tls: dict[str, str]

    @property
    def shown(self) -> str:
        """Without the password."""
        return f"{self.product.scheme}://{self.user}@{self.host}:{self.port}/{self.database}"


class Server:
    """Connects, and while the server is away lets nobody try more often than with growing pauses, at most a second.
    Implements `octonet.dialects.engine.sessions.Host`."""

    failures: tuple[type[Exception], ...] = FAILURES

    def __init__(self, uri: str, show_sql: bool, product: Product = MARIADB) -> None:
        self.product = product
        self._at = _parsed(uri, product)
        self.address = self._at.shown
        self._tls = _context(self._at.tls)
        self._show_sql = show_sql
        self._knocking = Knocking()

    async def connect(self, settings: Sequence[str], *, autocommit: bool = True) -> Connection:
        """A new connection, for which these statements are run. Raises `StorageUnavailable` with a sentence that
        says what to do."""
        self._knocking.check()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                connection = await self._connect(settings, autocommit)
        except FAILURES as error:
            raise self._knocking.refused(_reason(error, self._at)) from error
        self._knocking.opened()
        return connection

    async def driver(self) -> Driver:
        """A new connection as the driver has it. Raises as `connect` does."""
        return (await self.connect(())).driver

    async def end(self, thread: int) -> None:
        """Have the server end a connection of ours that does not answer; it may be over already."""
        try:
            connection = await self.connect(())
        except StorageUnavailable as away:
            _log.debug("nobody is there to end connection %d: %s", thread, away)
            return
        try:
            await connection.run(f"KILL {thread}", ())
        except FAILURES as error:
            _log.debug("connection %d was not ended: %s", thread, error)
        await connection.close()

    def show(self, text: str) -> None:
        """Log a statement, if that is wanted."""
        if self._show_sql:
            _log.info("%s", text)

    def raise_meaning(
        self, error: BaseException, *, closed: bool, model: Model | None = None, statement: str = ""
    ) -> NoReturn:
        """See the protocol."""
        raise_meaning(error, self.address, closed=closed, model=model, statement=statement)

    def is_rolled_back(self, error: BaseException) -> bool:
        """See the protocol."""
        return code_of(error) == DEADLOCK

    async def _connect(self, settings: Sequence[str], autocommit: bool) -> Connection:
        connection = Connection(await self._driver(autocommit), joins_rows=self.product.joins_rows)
        try:
            self._check_version(connection.server_version)
            for setting in (self.product.common, *settings):
                await connection.run(setting, ())
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _driver(self, autocommit: bool) -> Driver:
        at = self._at
        try:
            driver = await asyncmy.connect(
                host=at.host,
                port=at.port,
                user=at.user,
                password=at.password.encode(),
                database=at.database,
                charset="utf8mb4",
                autocommit=autocommit,
                client_flag=_FOUND_ROWS,
                program_name="octonet",
                connect_timeout=_CONNECT_SECONDS,
                ssl=self._tls,
            )
        except RuntimeError as problem:
            # What it says of a connection that was ended at once, as by what stands before a server that is away.
            raise ConnectionResetError("the connection was ended at once") from problem
        return cast("Driver", driver)

    def _check_version(self, told: str) -> None:
        product = self.product
        found = re.search(product.version, told)
        if found is None or tuple(map(int, found.groups())) < product.oldest:
            oldest = ".".join(map(str, product.oldest))
            raise StorageUnavailable(f"{self.address} is {told}: {product.name} {oldest} or later is needed")


def _parsed(uri: str, product: Product) -> Address:
    shown = re.sub(r"(//[^:@/]*):.*@", r"\1@", uri.partition("?")[0])
    try:
        parts = urlsplit(uri)
        port = parts.port or _PORT
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as problem:
        raise Invalid(f"{shown!r} cannot be read: {problem}") from problem
    database = unquote(parts.path.strip("/"))
    if parts.scheme not in (product.scheme, f"{product.scheme}+asyncmy") or not parts.hostname:
        raise Invalid(f"{shown!r} is no address of {product.name}: write {product.address}")
    if not database or "/" in database:
        raise Invalid(f"{shown!r} names no database: write {product.address}")
    unknown = sorted(set(options) - {"ssl", "ssl_ca", "ssl_cert", "ssl_key"})
    if unknown:
        raise Invalid(
            f"{shown!r}: {unknown[0]!r} is no parameter of its address; there are ssl, ssl_ca, ssl_cert, ssl_key"
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(product, parts.hostname, port, user, password, database, options)


def _context(options: dict[str, str]) -> ssl.SSLContext | None:
    """``ssl=true`` asks for a certificate that the system knows, ``ssl_ca`` for one that this file vouches for."""
    if not options or (set(options) == {"ssl"} and options["ssl"].lower() in ("false", "0", "no")):
        return None
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca"))
        if "ssl_cert" in options:
            context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"))
    except OSError as problem:
        raise Invalid(f"a certificate of the database's address cannot be read: {problem}") from problem
    return context


def _reason(error: BaseException, at: Address) -> str:
    code, text = code_of(error), str(error.args[1]) if len(error.args) > 1 else str(error) or type(error).__name__
    if code in (1045, 1698):
        return f"{at.shown} refused the user or the password ({text}): check SGBD_URI and the server's grants"
    if code == 1044:
        return f"{at.shown}: {text}; GRANT the user its rights on the database"
    if code == 1049:
        return f"{at.shown}: {text}; create it with CREATE DATABASE, or name another one in SGBD_URI"
    if code in (1040, 1203, 1226):
        return f"{at.shown} takes no more connections ({text}): raise max_connections, or lower DB_POOL_SIZE"
    if code == 1053:
        return f"{at.shown} is stopping ({text}): try again in a moment"
    if isinstance(error, TimeoutError):
        return f"{at.shown} did not answer within {_CONNECT_SECONDS} seconds: check host, port and firewall"
    if code == 2003 or isinstance(error, OSError):
        return f"nobody answers at {at.shown} ({text}): is {at.product.name} running there, and does it listen?"
    return f"{at.shown} let nobody in: {text}"
