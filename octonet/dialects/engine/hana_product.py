"""SAP HANA as its driver reaches it: SAP's own hdbcli, which needs no other library of SAP's."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

from octonet.dialects.engine import letters
from octonet.dialects.engine.dbapi_driver import Cursor, Failure, Raw
from octonet.dialects.engine.dbapi_errors import Meanings
from octonet.dialects.engine.dbapi_locks import Turns
from octonet.dialects.engine.dbapi_product import CALLS, Address, Product, unsized
from octonet.dialects.engine.grammar import Cell
from octonet.dialects.engine.hana_patterns import ONE

WRITTEN: Final = "hana://user:password@host:30013/database"
_BEGIN: Final = "BEGIN"
"""As we say it: statements are committed one by one before, and again behind a COMMIT or a ROLLBACK."""
_SNAPSHOT: Final = "BEGIN SNAPSHOT"
_ISOLATED: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_PLACE: Final = "SELECT 'hana/' || SYSTEM_ID || '/' || DATABASE_NAME || '/' || CURRENT_SCHEMA FROM SYS.M_DATABASE"
_TEXTS: Final = (
    "SELECT CASE WHEN 'a' = 'a ' OR 'a' = 'A' OR 'a' < 'B' OR '' IS NULL THEN 'folded' ELSE 'exact' END FROM DUMMY",
    "exact",
    "texts have to be compared by their letters, with case and blanks",
)
_BEYOND: Final = "\U0001f600"
_LETTERS: Final = (
    rf"SELECT CASE WHEN '{_BEYOND}' LIKE_REGEXPR '(?s)\A{ONE}\z' AND 'ab' NOT LIKE_REGEXPR '(?s)\A{ONE}\z'"
    " THEN 'counted' ELSE 'miscounted' END FROM DUMMY",
    "counted",
    "its LIKE_REGEXPR has to take a letter beyond U+FFFF for one",
)
_MOST_VALUES: Final = 32767
_TOO_MANY: Final = -32768
"""A number of ours."""


class _Driven(Raw, Protocol):
    def setautocommit(self, on: bool, /) -> None: ...
    def getautocommit(self) -> bool: ...
    def cancel(self) -> None: ...


class _Timed(Cursor, Protocol):
    def setquerytimeout(self, seconds: int, /) -> None: ...


class HanaRaw:
    """A connection of the driver's that opens transactions when it is told to. Implements
    `octonet.dialects.engine.dbapi_driver.Raw`."""

    def __init__(self, raw: _Driven) -> None:
        self._raw = raw
        self.seconds = 0
        """That a statement may take; 0 for any."""

    def cursor(self) -> Cursor:
        """For one statement."""
        cursor = self._raw.cursor()
        if self.seconds:
            cast("_Timed", cursor).setquerytimeout(self.seconds)
        return cursor

    def begin(self) -> None:
        """Open a transaction."""
        self._raw.setautocommit(False)

    def look(self) -> None:
        """Open one that looks at one moment."""
        self.begin()
        cursor = self.cursor()
        cursor.execute(_ISOLATED, ())
        cursor.close()

    def commit(self) -> None:
        """End the transaction."""
        if not self._raw.getautocommit():
            self._raw.commit()
            self._raw.setautocommit(True)

    def rollback(self) -> None:
        """Undo it."""
        if not self._raw.getautocommit():
            self._raw.rollback()
            self._raw.setautocommit(True)

    def close(self) -> None:
        """Say goodbye."""
        self._raw.close()

    def cancel(self) -> None:
        """From any thread: give up what it does."""
        self._raw.cancel()


def _connect(driver: Any, at: Address, within: float) -> Raw:
    said = {
        "address": at.host,
        "port": at.port,
        "user": at.user,
        "password": at.password,
        "databaseName": at.database,
        "autocommit": True,
        "connectTimeout": str(max(1, math.ceil(within * 1000))),
        # A session that came back by itself would have lost its transaction, and its turn.
        "reconnect": "FALSE",
    }
    for option, name in (("encrypt", "encrypt"), ("validate", "sslValidateCertificate"), ("schema", "currentSchema")):
        if option in at.options:
            said[name] = at.options[option]
    return HanaRaw(driver.connect(**said))


def _limit(raw: Raw, seconds: float) -> None:
    assert isinstance(raw, HanaRaw)
    raw.seconds = max(1, math.ceil(seconds))


def _cancel(raw: Raw, cursor: Cursor | None) -> None:
    assert isinstance(raw, HanaRaw)
    if cursor is not None:
        raw.cancel()


def _told(error: Exception) -> Failure:
    return Failure(str(getattr(error, "errortext", "") or error), int(getattr(error, "errorcode", 0) or 0))


def _bound(arguments: Sequence[Cell]) -> Sequence[object]:
    if len(arguments) > _MOST_VALUES:
        raise Failure(f"a statement takes {_MOST_VALUES} values, not {len(arguments)}", _TOO_MANY)
    return tuple([_as_bound(cell) for cell in arguments])


def _as_bound(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return letters.kept(cell)
    return int(cell) if isinstance(cell, bool) else cell


def _read(value: object) -> Cell:
    if isinstance(value, str):
        return letters.told(value)
    return bytes(value) if isinstance(value, memoryview) else cast("Cell", value)


def _reason(failure: Failure) -> str:
    if failure.code in (10, 414, 415, 416):
        return "check the user and the password in SGBD_URI"
    if failure.code in (332, 591, 4321):
        return "name a database of the system in SGBD_URI"
    if failure.code in (1034, 142, 143):
        return "it takes no more sessions: end some, or lower DB_POOL_SIZE"
    if failure.code in (18, 148, 1888):
        return "it is starting or stopping: try again in a moment"
    if "SSL" in str(failure) or "certificate" in str(failure):
        return "have a certificate that this machine trusts, or add ?encrypt=true&validate=false to the address"
    return ""


_MEANINGS: Final = Meanings(
    taken=frozenset({301}),
    missing=frozenset({287, 433}),
    too_long=frozenset({274, 359}),
    no_index=frozenset(),
    late=frozenset({139, 613}),
    gone=frozenset({18, 597, 1025, 1030, 1031, 1033, -708, -10108, -10709, -10735, -10807}),
    away=frozenset({3, 4, 5, 13, 14, 16, 19, 129, 131, 132, 133, 138, 142, 143, 145, 146, 148, 149, 1024, 1034, 1888}),
    rights=frozenset({258}),
    not_made=frozenset({259, 260, 362, 397}),
    rolled_back=frozenset({129, 130, 131, 133, 138, 139, 145, 149}),
    already_so=frozenset({259, 260, 261, 272, 288, 289}),
    # 274 and 359: a value is longer than any column that it could be compared with.
    too_large=frozenset({274, 359, _TOO_MANY}),
    pattern=frozenset(),
    key=re.compile(r"(?:Index\(|indexname=)(.+?)(?:\)|,|$)"),
    column=re.compile(r'"([^"]+)" column'),
    table=re.compile(r'(?:INSERT INTO|UPDATE) "([^"]+)"'),
)

HANA: Final = Product(
    name="SAP HANA",
    dialect="hana",
    # Where a system tells which of its ports is the database's.
    port=30013,
    module="hdbcli.dbapi",
    options=("encrypt", "validate", "schema"),
    connect=_connect,
    limit=_limit,
    cancel=_cancel,
    told=_told,
    bound=_bound,
    sized=unsized,
    read=_read,
    counts_many=False,
    version="SELECT VERSION FROM SYS.M_DATABASE",
    oldest=(2, 0, 50),
    checks=(_TEXTS, _LETTERS),
    reading=(),
    writing=(),
    begin=_BEGIN,
    snapshot=_SNAPSHOT,
    place=_PLACE,
    # There are no locks by name, and readers have snapshots. The time is one of milliseconds.
    lock=Turns(
        make='CREATE COLUMN TABLE "{name}" ("turn" INTEGER)',
        share=(),
        own=("SET TRANSACTION LOCK WAIT TIMEOUT {seconds}000", 'LOCK TABLE "{name}" IN EXCLUSIVE MODE'),
        kept=frozenset({131, 146}),
    ),
    words=lambda text: text,
    meanings=_MEANINGS,
    reason=_reason,
    calls={
        **CALLS,
        _BEGIN: lambda raw: cast("HanaRaw", raw).begin(),
        _SNAPSHOT: lambda raw: cast("HanaRaw", raw).look(),
    },
)
