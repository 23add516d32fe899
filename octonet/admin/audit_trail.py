"""The records of a project, read page by page from its log, however long that is: a request looks at so many entries at
most, and the next one goes on where it ended.

A page ends at a place between two records. Places are counted from the beginning of the log, which only grows at its
end: whoever goes on from one sees each record once, whatever is written meanwhile.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
from collections import deque
from hashlib import blake2b
from typing import Final, Protocol, TypeAlias

import msgspec

from octonet.admin.audit_records import Record, decisions, record
from octonet.admin.audit_search import Asked, Search
from octonet.kernel.chain import entries, start_of
from octonet.kernel.errors import Unavailable, invalid
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import LogGap, Stream
from octonet.kernel.position import Positions

_FIRST: Final = 64
_LARGEST: Final = 512
"""Messages of the log that are read at a time: few at first, most pages need no more."""
_MOST_MESSAGES: Final = 2048
_MOST_SECONDS: Final = 2.0
"""What a request looks at, and for how long, until it answers with what was found."""
_PATIENCE: Final = 15.0
"""Seconds until the log counts as away."""
_CLOCKS: Final = 3_600_000
"""Milliseconds by which the clocks of doors and brokers may differ."""
_SIGNATURE: Final = 8
_BYTES: Final = 8
"""Of each number of a cursor."""

Place: TypeAlias = tuple[int, int]
"""Before the record with this number (from 0) of the entry at this sequence."""


class DatedLog(Stream, Protocol):
    """A log whose messages can be found by when they were stored."""

    async def stored_since(self, moment: int) -> int:
        """The first sequence that was stored at this time or later, in milliseconds since 1970; the next one when none
        was. Raises `Unavailable`."""
        ...


class Trail(msgspec.Struct, frozen=True):
    """The log of one project, and how its positions are spelled."""

    project: ProjectName
    log: DatedLog
    positions: Positions


class Page(msgspec.Struct, frozen=True):
    """`more`: whether anything may be left; `cursor`: where to go on, also from the end of the log when it is read from
    its beginning."""

    records: list[Record]
    more: bool
    cursor: str | None


class Cursors:
    """How places are spelled: signed, so that only those come back that were given out, for the same search in the same
    project. `key`: up to 64 secret bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, project: ProjectName, search: Search, place: Place) -> str:
        """The token for a place. URL-safe, without padding."""
        raw = b"".join(number.to_bytes(_BYTES, "big") for number in place)
        signed = self._signature(project, search, raw) + raw
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def decode(self, project: ProjectName, search: Search, token: str) -> Place:
        """Read a token; any that was not given out for this search is refused with INVALID_CURSOR."""
        try:
            signed = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            signed = b""
        raw = signed[_SIGNATURE:]
        genuine = hmac.compare_digest(signed[:_SIGNATURE], self._signature(project, search, raw))
        if not genuine or len(raw) != 2 * _BYTES:
            raise invalid("?cursor", "is not a cursor of this search", code="INVALID_CURSOR")
        return int.from_bytes(raw[:_BYTES], "big"), int.from_bytes(raw[_BYTES:], "big")

    def _signature(self, project: ProjectName, search: Search, raw: bytes) -> bytes:
        said = b"\0".join((project.encode(), search.mark(), raw))
        return blake2b(said, key=self._key, digest_size=_SIGNATURE).digest()


class AuditTrail:
    """Answers what is asked of the records. `key` signs cursors; `most`: messages that a request looks at."""

    def __init__(self, key: bytes, most: int = _MOST_MESSAGES) -> None:
        self._cursors = Cursors(key)
        self._most = most

    async def page(self, trail: Trail, asked: Asked) -> Page:
        """One page. Raises `Invalid` with code INVALID_CURSOR, `Unavailable` when the log is away, or damaged where it
        was read, then with code HISTORY_DAMAGED."""
        begin = self._cursors.decode(trail.project, asked.search, asked.cursor) if asked.cursor else None
        try:
            async with asyncio.timeout(_PATIENCE):
                reading = await _open(trail, asked, begin)
                await reading.run(self._most)
        except TimeoutError:
            raise Unavailable("the log does not answer") from None
        except LogGap as damage:
            raise Unavailable(f"the log cannot be read: {damage}", code="HISTORY_DAMAGED") from damage
        goes_on = reading.more or not asked.search.newest_first
        cursor = self._cursors.encode(trail.project, asked.search, reading.place) if goes_on else None
        return Page(reading.found, reading.more, cursor)


async def _open(trail: Trail, asked: Asked, begin: Place | None) -> _Reading:
    last = await trail.log.last()
    since = asked.search.since
    # What was asked for since then was stored since then.
    first = 1 if since is None or not last else await trail.log.stored_since(since - _CLOCKS)
    start, end = (first, 0), (last + 1, 0)
    place = begin or (end if asked.search.newest_first else start)
    return _Reading(trail, asked, min(max(place, start), end), first, last)


class _Reading:
    """Reads from `place` on, between two sequences of the log, until enough is found or was looked at."""

    def __init__(self, trail: Trail, asked: Asked, place: Place, first: int, last: int) -> None:
        self._trail = trail
        self._search = asked.search
        self._limit = asked.limit
        self._first = first
        self._last = last
        self.place = place
        self.found: list[Record] = []

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self.place > (self._first, 0) if self._search.newest_first else self.place[0] <= self._last

    async def run(self, most: int) -> None:
        """Read at most so many messages, and at least once."""
        step = self._back if self._search.newest_first else self._on
        size, deadline = _FIRST, time.monotonic() + _MOST_SECONDS
        while self.more and most > 0 and len(self.found) < self._limit and time.monotonic() < deadline:
            await step(min(size, most))
            most -= size
            size = min(2 * size, _LARGEST)

    async def _back(self, size: int) -> None:
        """The messages before the place, newest first: read forwards, of which the last that fit are kept."""
        end = self.place[0] if self.place[1] else self.place[0] - 1
        # From where an entry begins: what lies before it is whole, too.
        start = await start_of(self._trail.log, max(self._first, end - size + 1))
        room = self._limit - len(self.found)
        kept: deque[tuple[Place, Record]] = deque(maxlen=room)
        async for link in entries(self._trail.log, start, end):
            await asyncio.sleep(0)  # others wait no longer than an entry takes
            for number, (decision, position) in enumerate(decisions(link)):
                place = (link.sequence, number)
                if place < self.place and self._search.finds(decision):
                    kept.append((place, record(decision, position, self._trail.positions)))
        self.found += [found for _, found in reversed(kept)]
        self.place = kept[0][0] if len(kept) == room else (start, 0)

    async def _on(self, size: int) -> None:
        """The messages from the place on."""
        end = min(self._last, self.place[0] + size - 1)
        start = await start_of(self._trail.log, self.place[0])
        async for link in entries(self._trail.log, start, end):
            await asyncio.sleep(0)
            for number, (decision, position) in enumerate(decisions(link)):
                place = (link.sequence, number)
                if place >= self.place and len(self.found) < self._limit and self._search.finds(decision):
                    self.found.append(record(decision, position, self._trail.positions))
                    self.place = (link.sequence, number + 1)
        if len(self.found) < self._limit:
            self.place = (end + 1, 0)
