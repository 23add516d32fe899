"""Live facts to one client: held back while it does not read, and cut when too much waits for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Final

from octonet.access.principal import REVOKED
from octonet.kernel.errors import Exhausted, OctonetError, Unauthenticated, Unavailable
from octonet.kernel.event import Fact
from octonet.kernel.position import START, Position
from projections.engine.hub import Encode
from projections.engine.live import Live
from transports.engine import coerce, wish
from transports.engine.grpc.calls import POSITION
from transports.engine.grpc.descriptions import Described
from transports.engine.grpc.entity_file import WATCH
from transports.engine.grpc.entrance import Call, Entrance, Refused, entity, parsed
from transports.engine.grpc.rows import Fields

TOO_SLOW: Final = "too slow: go on from the last position that was received"
ENDING: Final = "the server is shutting down: go on from the last position that was received"
_LENGTH: Final = 4


class Watchers:
    """The open streams of one door. `bound`: bytes that may wait for a client."""

    def __init__(self, entrance: Entrance, bound: int) -> None:
        self._entrance = entrance
        self._bound = bound
        self._open: set[Channel] = set()
        self._encoders: dict[tuple[int, str], tuple[Described, Encode]] = {}

    def close(self) -> None:
        """End every stream; their clients come again."""
        for channel in list(self._open):
            channel.end(Unavailable(ENDING))

    async def watch(self, name: str, content: bytes, call: Call) -> None:
        """Tell facts about the rows of an entity until either side ends it."""
        visit = await self._entrance.visit(call)
        takes, _ = visit.described.sent(entity(visit.described, name), WATCH)
        asked = parsed(takes, content)
        members = {field.name: value for field, value in asked.ListFields()}
        # Facts are read: by who may read, and as a use of the key.
        home = await self._entrance.gateway.enter(visit.project, visit.who)
        where = coerce.json_text(members["filter"], "$.filter") if "filter" in members else None
        interest = wish.interest(home.schemas, [name], where)
        channel = Channel(self._bound)
        encode = self._encoder(visit.described, name)
        subscription = await home.hub.join(interest, encode, channel, wish.after(home.positions, members.get("after")))
        channel.last = subscription.position
        self._open.add(channel)
        unwatch = visit.who.principal.watch(lambda: channel.end(Unauthenticated(REVOKED)))
        try:
            await call.send_initial_metadata(((POSITION, home.positions.encode(subscription.position)),))
            while (frames := await channel.next()) is not None:
                for message in _split(frames):
                    await call.write(message)
        finally:
            self._open.discard(channel)
            unwatch()
            subscription.leave()
        assert channel.problem is not None
        raise Refused(channel.problem, position=home.positions.encode(channel.last))

    def _encoder(self, described: Described, name: str) -> Encode:
        """Always the same function for the same messages, so that clients share its work."""
        found = self._encoders.get((id(described), name))
        if found is None:
            if len(self._encoders) > 256:
                self._encoders.clear()
            found = self._encoders[id(described), name] = described, _encoder(described, name)
        return found[1]


class Channel:
    """What waits for one client. Implements `projections.engine.hub.Subscriber`."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: deque[tuple[bytes, Position]] = deque()
        self._size = 0
        self._came = asyncio.Event()
        self._taken = asyncio.Event()
        self.last = START
        """The position of the last fact that was handed to the client."""
        self.problem: OctonetError | None = None
        """Why it ended."""

    def send(self, frames: bytes, last: Position) -> None:
        """See `Subscriber`."""
        if self.problem is not None:
            return
        if self._size > self._bound:
            self.end(Exhausted(TOO_SLOW, code="TOO_SLOW"))
            return
        self._waiting.append((frames, last))
        self._size += len(frames)
        self._came.set()

    async def drained(self) -> None:
        """See `Subscriber`."""
        while self._size > self._bound // 2 and self.problem is None:
            self._taken.clear()
            await self._taken.wait()

    def cut(self, reason: str) -> None:
        """See `Subscriber`."""
        self.end(Unavailable(f"{reason}: go on from the last position that was received"))

    def end(self, problem: OctonetError) -> None:
        """There will be no more, and what waits is dropped: the client goes on from what it has."""
        if self.problem is None:
            self.problem = problem
            self._waiting.clear()
            self._came.set()
            self._taken.set()

    async def next(self) -> bytes | None:
        """What is to be told next; None when it is over."""
        while not self._waiting:
            if self.problem is not None:
                return None
            self._came.clear()
            await self._came.wait()
        frames, self.last = self._waiting.popleft()
        self._size -= len(frames)
        self._taken.set()
        return frames


def _encoder(described: Described, name: str) -> Encode:
    rows = described.rows[name]
    _, kind = described.sent(name, WATCH)

    def fields(fact: Live) -> Fields:
        seconds, rest = divmod(fact.at, 1000)
        found: Fields = {
            "event": fact.name,
            "id": fact.id,
            "version": fact.version,
            "position": fact.token,
            "at": {"seconds": seconds, "nanos": rest * 1_000_000},
        }
        if fact.row is not None and fact.fact is not Fact.DELETED:
            found["row"] = rows.told(fact.row)
        return found

    def encode(facts: list[Live]) -> bytes:
        parts: list[bytes] = []
        for fact in facts:
            message = kind(**fields(fact)).SerializeToString()
            parts += (len(message).to_bytes(_LENGTH, "big"), message)
        return b"".join(parts)

    return encode


def _split(frames: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(frames):
        end = at + _LENGTH + int.from_bytes(frames[at : at + _LENGTH], "big")
        yield frames[at + _LENGTH : end]
        at = end
