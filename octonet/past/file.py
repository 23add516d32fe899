"""The versions of all rows of one project, in a SQLite file that is made from the log and can be thrown away.

It costs the writes nothing: it is brought up to the log by whoever asks, and knows in the same transaction how far it
is. Everything here blocks, and is called in threads.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Final, TypeAlias, TypeVar, cast

import msgspec

from octonet.dialects.engine.sqlite_journal import share
from octonet.kernel.chain import Link
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.event import Fact
from octonet.kernel.ids import CommandId, EntityId
from octonet.kernel.log import Batch, SchemaChanged
from octonet.kernel.past import Version
from octonet.kernel.position import Position
from octonet.past import place as places
from octonet.past.names import Change, Span

T = TypeVar("T")
Line: TypeAlias = tuple[int, str, str, int, int, str, str, str, bytes, str, bytes | None, bytes]

_FORMAT: Final = 1
_BUSY_SECONDS: Final = 30.0
_CHUNK: Final = 512
_PASSING: Final = frozenset(
    (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL,
     sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_INTERRUPT)
)  # fmt: skip
"""What is wrong with the machine, and not with the file."""
_COLUMNS: Final = 'place, entity, id, version, at, fact, op, command, actor, changed, data, "check"'
_TABLES: Final = (
    "CREATE TABLE versions (place INTEGER PRIMARY KEY, entity TEXT NOT NULL, id TEXT NOT NULL,"
    " version INTEGER NOT NULL, at INTEGER NOT NULL, fact TEXT NOT NULL, op TEXT NOT NULL, command TEXT NOT NULL,"
    ' actor BLOB NOT NULL, changed TEXT NOT NULL, data BLOB, "check" BLOB NOT NULL)',
    "CREATE INDEX versions_of_rows ON versions (entity, id, place)",
    # Only entries with a command later than any before them: what a time needs, and in its order.
    "CREATE TABLE times (at INTEGER PRIMARY KEY, entry INTEGER NOT NULL)",
    "CREATE TABLE schemas (entry INTEGER PRIMARY KEY, dropped INTEGER NOT NULL, source TEXT NOT NULL)",
    "CREATE TABLE mark (slot INTEGER PRIMARY KEY, entry INTEGER NOT NULL, digest BLOB NOT NULL)",
    "INSERT INTO mark VALUES (1, 0, x'')",
    f"PRAGMA user_version={_FORMAT}",
)
_FIND: Final = (
    f"SELECT {_COLUMNS} FROM versions WHERE entity = ? AND id = ? AND place BETWEEN ? AND ? ORDER BY place DESC LIMIT ?"
)
_PLACES: Final = "SELECT id, place FROM versions WHERE entity = ? AND place BETWEEN ? AND ?"
_ROWS: Final = (
    "SELECT " + ", ".join(f"v.{name}" for name in _COLUMNS.split(", ")) + " FROM"
    " (SELECT max(place) AS newest FROM ({}) GROUP BY id)"
    " JOIN versions AS v ON v.place = newest WHERE v.data IS NOT NULL"
)

_actor = msgspec.msgpack.Decoder(Actor)
_changed = msgspec.json.Decoder(tuple[str, ...])
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class Damaged(Exception):
    """The file cannot be read, or was not made from this log: it is to be made anew."""


class Mark(msgspec.Struct, frozen=True):
    """How far the file is: the last entry in it, and its digest."""

    entry: int = 0
    digest: bytes = b""


class VersionsFile:
    """One connection to it. Every method raises `Damaged`, or `StorageUnavailable` when the disk does not serve."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._busy = Lock()
        """Held while the connection is used: it is not to be closed under whoever uses it."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self.inode = path.stat().st_ino
        """Which file it is: one that was made anew under the same name is another."""
        self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._run(self._prepare)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Release the connection."""
        with self._busy:
            self._connection.close()

    def mark(self) -> Mark:
        """How far it is."""
        entry, digest = self._run(lambda: self._one("SELECT entry, digest FROM mark"))
        return Mark(int(entry), bytes(digest))

    def add(self, before: Mark, links: Sequence[Link]) -> Mark:
        """Add entries behind a mark: all of them and the new mark, which is returned, or nothing."""
        return self._run(lambda: self._add(before, links))

    def find(self, where: Sequence[Span], id: EntityId, limit: int = 1) -> list[Version]:
        """The newest versions of a row in these spans, the newest first."""
        found: list[Version] = []
        for span in where:
            if len(found) < limit:
                found += self._find(span, id, limit - len(found))
        return found

    def rows(self, where: Sequence[Span]) -> Iterator[list[Version]]:
        """The newest version of each row in these spans, but for rows that were gone; in pieces."""
        if not where:
            return
        text = _ROWS.format(" UNION ALL ".join([_PLACES] * len(where)))
        values = [value for span in where for value in (span.name, span.first, span.last)]
        cursor = self._run(lambda: self._connection.execute(text, values))
        while lines := self._run(lambda: cursor.fetchmany(_CHUNK)):
            yield [_version(line) for line in lines]

    def last_of(self, time: int) -> int:
        """The last place all of whose commands are not later than a time, in milliseconds since 1970."""
        return self._run(lambda: self._last_of(time))

    def newest(self, at: int) -> int:
        """The last place at or before this one where anything happened to rows, 0 when nothing had: what both have in
        common is all that there was."""
        return self._run(lambda: self._newest(at))

    def changes(self) -> list[Change]:
        """The changes of the schema, the newest first."""
        text = "SELECT entry, dropped, source FROM schemas ORDER BY entry DESC"
        found = self._run(lambda: self._connection.execute(text).fetchall())
        return [Change(int(entry), bool(dropped), str(source)) for entry, dropped, source in found]

    def _find(self, span: Span, id: EntityId, limit: int) -> list[Version]:
        values = (span.name, id, span.first, span.last, limit)
        return [_version(line) for line in self._run(lambda: self._connection.execute(_FIND, values).fetchall())]

    def _prepare(self) -> None:
        run = self._connection.execute
        share(self._connection, _BUSY_SECONDS)
        for pragma in ("synchronous=NORMAL", "cache_size=-8192", "journal_size_limit=67108864"):
            run(f"PRAGMA {pragma}")
        if self._one("PRAGMA user_version")[0] == _FORMAT:
            return
        run("BEGIN IMMEDIATE")
        found = self._one("PRAGMA user_version")[0]
        if found == 0:
            for statement in _TABLES:
                run(statement)
        run("COMMIT")
        if found not in (0, _FORMAT):
            raise Damaged(f"it has format {int(found)}")

    def _add(self, before: Mark, links: Sequence[Link]) -> Mark:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            entry, digest = self._one("SELECT entry, digest FROM mark")
            if (entry, digest) != (before.entry, before.digest):
                raise Damaged("somebody else wrote to it")
            latest = int(self._one("SELECT max(at) FROM times")[0] or 0)
            lines, times = list(_lines(links)), list(_times(links, latest))
            self._connection.executemany(f"INSERT INTO versions VALUES ({', '.join('?' * 12)})", lines)
            self._connection.executemany("INSERT INTO times VALUES (?, ?)", times)
            changes = [
                (k.sequence, k.entry.dropped, k.entry.schema) for k in links if isinstance(k.entry, SchemaChanged)
            ]
            self._connection.executemany("INSERT INTO schemas VALUES (?, ?, ?)", changes)
            run("UPDATE mark SET entry = ?, digest = ?", (links[-1].sequence, links[-1].digest))
            run("COMMIT")
        finally:
            if self._connection.in_transaction:
                run("ROLLBACK")
        return Mark(links[-1].sequence, links[-1].digest)

    def _last_of(self, time: int) -> int:
        found = self._connection.execute("SELECT entry FROM times WHERE at > ? ORDER BY at LIMIT 1", (time,)).fetchone()
        if found is not None:
            return places.end_of(int(found[0]) - 1)
        return places.end_of(int(self._one("SELECT entry FROM mark")[0]))

    def _newest(self, at: int) -> int:
        fact = self._one("SELECT max(place) FROM versions WHERE place <= ?", at)[0]
        change = self._one("SELECT max(entry) FROM schemas WHERE entry <= ?", places.entry(at))[0]
        return max(int(fact or 0), places.place(Position(int(change or 0))))

    def _one(self, text: str, *arguments: object) -> tuple[int | bytes, ...]:
        return cast("tuple[int | bytes, ...]", self._connection.execute(text, arguments).fetchone())

    def _run(self, work: Callable[[], T]) -> T:
        try:
            with self._busy:
                return work()
        except (sqlite3.Error, TypeError, ValueError) as problem:
            if getattr(problem, "sqlite_errorcode", 0) & 0xFF in _PASSING:
                raise StorageUnavailable(f"the history file {self._path.name} cannot be used: {problem}") from problem
            raise Damaged(str(problem)) from problem


def _lines(links: Iterable[Link]) -> Iterator[Line]:
    """A line for each fact."""
    for link in links:
        if not isinstance(link.entry, Batch):
            continue
        at = places.place(Position(link.sequence))
        for decision in link.entry.decisions:
            actor = _pack(decision.actor) if decision.events else b""
            for event in decision.events:
                changed = _json(event.changed).decode()
                checked = (at, event.entity, event.id, event.version, decision.at, event.fact.value, decision.op,
                           decision.command_id, actor, changed, event.data)  # fmt: skip
                yield *checked, _check(checked)
                at += 1


def _times(links: Iterable[Link], latest: int) -> Iterator[tuple[int, int]]:
    for link in links:
        if isinstance(link.entry, Batch):
            found = max((decision.at for decision in link.entry.decisions), default=0)
            if found > latest:
                latest = found
                yield latest, link.sequence


def _check(line: tuple[object, ...]) -> bytes:
    """SQLite does not notice a byte that changed inside a value."""
    return blake2b(_pack(line), digest_size=8).digest()


def _version(line: tuple[object, ...]) -> Version:
    *values, check = line
    if _check(tuple(values)) != check:
        raise Damaged(f"the version at place {values[0]} is not as it was written")
    at, _, id, version, time, fact, op, command, actor, changed, data = cast("Line", line)[:11]
    return Version(
        places.position(at),
        EntityId(id),
        version,
        time,
        op,
        CommandId(command),
        _actor.decode(actor),
        Fact(fact),
        _changed.decode(changed),
        data,
    )
