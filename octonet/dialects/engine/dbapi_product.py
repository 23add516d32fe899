"""What differs between databases that are reached through a driver of Python's DB-API, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from octonet.dialects.engine.dbapi_driver import Cursor, Failure, Raw
from octonet.dialects.engine.dbapi_errors import Meanings
from octonet.dialects.engine.dbapi_locks import NamedLock, Turns
from octonet.dialects.engine.grammar import Cell
from octonet.kernel.errors import Invalid


class Address(msgspec.Struct, frozen=True):
    """Where a database is, and who asks for it."""

    scheme: str
    host: str
    port: int
    user: str
    password: str
    database: str
    options: dict[str, str]

    @property
    def shown(self) -> str:
        """Without the password."""
        return f"{self.scheme}://{self.user}@{self.host}:{self.port}/{self.database}"


CALLS: Final[Mapping[str, Callable[[Raw], None]]] = MappingProxyType(
    {"COMMIT": lambda raw: raw.commit(), "ROLLBACK": lambda raw: raw.rollback()}
)


def _nothing(cursor: Cursor) -> None:
    """A statement is all that there is."""


class Product(msgspec.Struct, frozen=True):
    """One database. The driver's module stands as `Any`: none of them has types."""

    name: str
    dialect: str
    """Also its extra, and the scheme of its addresses."""
    port: int
    module: str
    """The driver, as it is imported."""
    options: tuple[str, ...]
    """What may follow in an address."""
    connect: Callable[[Any, Address, float], Raw]
    """Opens a connection, through the driver; within so many seconds, if the driver can be told."""
    limit: Callable[[Raw, float], None]
    """Has a connection work for so many seconds on each statement."""
    cancel: Callable[[Raw, Cursor | None], None]
    """From another thread, ends what a connection does, by the cursor of the statement under way."""
    told: Callable[[Exception], Failure]
    """An error of the driver."""
    bound: Callable[[Sequence[Cell]], Sequence[object]]
    """The arguments as the driver takes them."""
    sized: Callable[[Any, Cursor, Sequence[Sequence[Cell]]], None]
    """Tells a cursor of what kind the arguments of a statement will be, given by lines."""
    read: Callable[[object], Cell]
    """A value as the driver gives it."""
    counts_many: bool
    """Whether the driver tells of all rows that a statement touched which was run over many lines."""
    version: str
    """The query whose only value is the version."""
    oldest: tuple[int, ...]
    checks: Sequence[tuple[str, str, str]]
    """Queries for one value, the expression it must match, and what to do about it if not."""
    reading: Sequence[str]
    """Statements for sessions that read."""
    writing: Sequence[str]
    """Statements for the session that writes."""
    begin: str
    """Opens a transaction that writes, if it does not open itself."""
    snapshot: str
    """Opens a transaction that looks at one moment; where turns are taken, one that reads."""
    place: str
    """The query whose only value tells the database and the schema apart from others on the server."""
    lock: NamedLock | Turns
    """How writers, and where there are no snapshots readers, too, keep out of each other's way."""
    words: Callable[[str], str]
    """How a savepoint, or a definition, is spelled; empty where there is nothing to say."""
    meanings: Meanings
    reason: Callable[[Failure], str]
    """What to do about a refused connection; empty where the number says nothing."""
    calls: Mapping[str, Callable[[Raw], None]] = CALLS
    """What is not said to the server, but told to the driver, by the statement in whose place it stands."""
    said: Callable[[str, Sequence[Cell]], tuple[str, Sequence[Cell]]] | None = None
    """A statement and its arguments, with those in it that cannot be bound; None where all can."""
    rest: Callable[[Cursor], None] = _nothing
    """Hears out what a text of several statements did behind the first of them."""
    explained: Callable[[Raw, Failure, str, Sequence[Sequence[Cell]]], str] | None = None
    """What is to be added to an error of a statement that was run over lines, asked on its connection, for the meanings
    to find names in."""

    @property
    def at_once(self) -> bool:
        """Whether readers need no turn: each statement sees all rows as they were at one moment."""
        return not (isinstance(self.lock, Turns) and self.lock.share)


def parsed(uri: str, product: Product, written: str) -> Address:
    """An address, which is to be `written` so. Raises `Invalid`."""
    shown = re.sub(r"(//[^:@/]*):.*@", r"\1@", uri.partition("?")[0])
    try:
        parts = urlsplit(uri)
        port = parts.port or product.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as problem:
        raise Invalid(f"{shown!r} cannot be read: {problem}") from problem
    database = unquote(parts.path.strip("/"))
    if parts.scheme.partition("+")[0] != product.dialect or not parts.hostname:
        raise Invalid(f"{shown!r} is no address of {product.name}: write {written}")
    # A connection string is told to a library of its own: what ends a value there is no part of a name.
    if not re.fullmatch(r"[\w.$# -]+", database) or not re.fullmatch(r"[\w.:%-]+", parts.hostname):
        raise Invalid(f"{shown!r} names no database: write {written}")
    if unknown := sorted(set(options) - set(product.options)):
        known = f"; there are {', '.join(product.options)}" if product.options else ""
        raise Invalid(f"{shown!r}: {unknown[0]!r} is no parameter of its address{known}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(product.dialect, parts.hostname, port, user, password, database, options)


def unsized(driver: Any, cursor: Cursor, lines: Sequence[Sequence[Cell]]) -> None:
    """See `Product.sized`: the server is asked of what kind arguments are."""


def says_yes(option: str) -> bool:
    """Whether an option of an address is switched on."""
    return option.lower() in ("true", "1", "yes")
