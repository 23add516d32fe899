"""What a replication rule has seen of both projects: for every row its newest state on either side, with its stamp.

A SQLite file that is folded from the two logs, and made anew wherever it is missing. It blocks for milliseconds,
between two turns of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgspec

from octonet.dialects.engine.sqlite_journal import share
from octonet.kernel.chain import Link
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.event import Event
from octonet.kernel.ids import EntityId, ProjectName
from octonet.kernel.log import Batch, Decision, Verdict
from octonet.kernel.merge import NEVER, Clock, Side, Stamp

Key: TypeAlias = tuple[str, EntityId]
"""Entity and id of a row."""

_FORMAT: Final = 1
_BUSY: Final = 1.0
_TABLES: Final = (
    "CREATE TABLE rows (side INTEGER, entity TEXT, id TEXT, x INTEGER NOT NULL, y INTEGER NOT NULL,"
    " at INTEGER NOT NULL, chain TEXT NOT NULL, version INTEGER NOT NULL, data BLOB, born INTEGER NOT NULL,"
    " PRIMARY KEY (side, entity, id)) WITHOUT ROWID",
    "CREATE TABLE marks (side INTEGER PRIMARY KEY, entry INTEGER NOT NULL, digest BLOB NOT NULL)",
    "CREATE TABLE about (scope TEXT NOT NULL)",
    "INSERT INTO marks VALUES (0, 0, x''), (1, 0, x'')",
)
_FIND: Final = "SELECT x, y, at, chain, version, data, born FROM rows WHERE side = ? AND entity = ? AND id = ?"
_PUT: Final = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DIFFERING: Final = (
    "CREATE TEMP TABLE todo AS SELECT a.entity, a.id, a.born FROM rows AS a LEFT JOIN rows AS b"
    " ON b.side = 1 - a.side AND b.entity = a.entity AND b.id = a.id"
    " WHERE a.x > coalesce(b.x, 0) OR (a.x = coalesce(b.x, 0) AND a.y > coalesce(b.y, 0)) ORDER BY a.born"
)
_NAMES: Final = msgspec.json.Decoder(tuple[ProjectName, ...])
_encode: Final = msgspec.json.Encoder().encode
_PLACES: Final = 1 << 20
"""Facts that an entry has at most."""


class Known(NamedTuple):
    """A row on one side. `data` is the state as its last fact has it, None where it is gone; `version` is 0 then."""

    stamp: Stamp = NEVER
    at: int = 0
    chain: tuple[ProjectName, ...] = ()
    version: int = 0
    data: bytes | None = None
    born: int = 0


class Mark(NamedTuple):
    """How far a log is folded."""

    entry: int
    digest: bytes


class Register:
    """`rule` is the rule's id; `scope` tells which entities it is about, and how it resolves: where that has changed
    the file is made anew. Every method raises `StorageUnavailable` when the disk does not serve."""

    def __init__(self, path: Path, rule: str, clock: Clock, entities: frozenset[str], scope: str) -> None:
        self._rule = rule
        self._clock = clock
        self._entities = entities
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._file = _open(path, scope)
        except sqlite3.Error:
            # It is but a copy.
            forget(path)
            with _served():
                self._file = _open(path, scope)

    def mark(self, side: Side) -> Mark:
        """How far this side's log is folded."""
        with _served():
            return Mark(*self._file.execute("SELECT entry, digest FROM marks WHERE side = ?", (side,)).fetchone())

    def restart(self) -> None:
        """Forget everything: it was made from other logs."""
        with self._changing() as file:
            file.execute("DELETE FROM rows")
            file.execute("UPDATE marks SET entry = 0, digest = x''")

    def fold(self, side: Side, after: Mark, links: Sequence[Link], to: Mark) -> list[Key]:
        """Take entries of this side's log in; the rows that they touched, in order."""
        touched: dict[Key, None] = {}
        with self._changing() as file:
            for link in links:
                if isinstance(link.entry, Batch):
                    self._batch(side, link.sequence, link.entry, touched)
            done = file.execute(
                "UPDATE marks SET entry = ?, digest = ? WHERE side = ? AND entry = ?", (*to, side, after.entry)
            )
            if done.rowcount != 1:
                raise StorageUnavailable("another process carries out this rule")
        return list(touched)

    def find(self, side: Side, key: Key) -> Known:
        """What is known of a row on this side."""
        with _served():
            found = self._file.execute(_FIND, (side, *key)).fetchone()
        if found is None:
            return Known()
        x, y, at, chain, version, data, born = found
        return Known((x, y), at, _NAMES.decode(chain), version, data, born)

    def note(self, side: Side, key: Key, known: Known) -> None:
        """What no log tells: that this side need not be told."""
        with self._changing():
            self._put(side, key, known)

    async def differing(self, size: int) -> AsyncIterator[list[Key]]:
        """All rows whose states differ now, oldest first, in lists of this size. They are looked for in a thread, and
        nothing else may be asked meanwhile."""
        looking = asyncio.ensure_future(asyncio.to_thread(self._collect))
        try:
            await asyncio.shield(looking)
        finally:
            # Whoever gives up closes the file: not under the thread.
            await asyncio.wait([looking])
        last = 0
        while True:
            with _served():
                found = self._file.execute(
                    "SELECT rowid, entity, id FROM temp.todo WHERE rowid > ? ORDER BY rowid LIMIT ?", (last, size)
                ).fetchall()
            if not found:
                return
            last = found[-1][0]
            yield [(entity, EntityId(id)) for _, entity, id in found]

    def _collect(self) -> None:
        with _served():
            self._file.execute("DROP TABLE IF EXISTS temp.todo")
            self._file.execute(_DIFFERING)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with _served():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield self._file
                self._file.execute("COMMIT")
            finally:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")

    def _batch(self, side: Side, entry: int, batch: Batch, touched: dict[Key, None]) -> None:
        place = entry * _PLACES
        for decision in batch.decisions:
            if decision.verdict is Verdict.REJECTED:
                continue
            for event in decision.events:
                place += 1
                if event.entity in self._entities:
                    key = (event.entity, event.id)
                    self._event(side, key, place, decision, event)
                    touched[key] = None
            if decision.verdict is Verdict.UNCHANGED:
                self._unchanged(side, decision)

    def _event(self, side: Side, key: Key, place: int, decision: Decision, event: Event) -> None:
        before, origin = self.find(side, key), decision.actor.origin
        chain: tuple[ProjectName, ...] = ()
        at = decision.at
        stamp: Stamp | None = None
        if origin is not None and (origin.entity, origin.id) == key:
            chain, at = tuple(map(ProjectName, origin.chain)), origin.at
            stamp = origin.stamp if origin.rule == self._rule else None
        if stamp is None or stamp == NEVER:
            stamp = self._clock.stamp(side, before.stamp, at)
        version = event.version if event.data is not None else 0
        born = before.born if before.version else place
        self._put(side, key, Known(stamp, at, chain, version, event.data, born))

    def _unchanged(self, side: Side, decision: Decision) -> None:
        """What was carried was there already."""
        origin = decision.actor.origin
        if origin is not None and origin.rule == self._rule and origin.stamp != NEVER:
            key = (origin.entity, EntityId(origin.id))
            if origin.entity in self._entities:
                self._put(side, key, self.find(side, key)._replace(stamp=origin.stamp, at=origin.at))

    def _put(self, side: Side, key: Key, known: Known) -> None:
        chain = _encode(known.chain)
        self._file.execute(_PUT, (side, *key, *known.stamp, known.at, chain, known.version, known.data, known.born))


def forget(path: Path) -> None:
    """Remove a file that nobody uses."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _open(path: Path, scope: str) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    share(file, _BUSY)
    file.execute("PRAGMA synchronous=NORMAL")
    file.execute("BEGIN IMMEDIATE")
    version = file.execute("PRAGMA user_version").fetchone()[0]
    if version == _FORMAT and file.execute("SELECT scope FROM about").fetchone() == (scope,):
        file.execute("COMMIT")
        return file
    for name in ("rows", "marks", "about"):
        file.execute(f"DROP TABLE IF EXISTS {name}")
    for statement in _TABLES:
        file.execute(statement)
    file.execute("INSERT INTO about VALUES (?)", (scope,))
    file.execute(f"PRAGMA user_version={_FORMAT}")
    file.execute("COMMIT")
    return file


@contextlib.contextmanager
def _served() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as problem:
        raise StorageUnavailable(f"what a replication rule has seen cannot be kept: {problem}") from problem
