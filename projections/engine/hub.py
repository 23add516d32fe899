"""The hub: one tail of a project's log for every live subscriber, each fact encoded once per group of equals."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final, Protocol, TypeAlias

import msgspec

from octonet.kernel.errors import OctonetError, Unavailable, invalid
from octonet.kernel.log import LogGap, Stream
from octonet.kernel.position import Position, Positions
from octonet.kernel.schema import Schemas
from projections.engine.live import Interest, Live, Reached, facts, read

log = logging.getLogger("octonet.live")

Encode: TypeAlias = Callable[[list[Live]], bytes]
"""Turns the facts of one tick into the bytes that every subscriber of a group is handed. Subscribers share the work
only when they pass the same function object."""

_LAST_INDEX = 2**53 - 1
"""Behind every fact of an entry."""
NOW_AND_BEFORE: Final = _LAST_INDEX
"""The index of a position behind all facts of its entry."""
_LONGEST_LOOK = 20_000
"""Log entries that one look at the past may take in."""
_BROKEN = "the stream of facts was interrupted"

_CROWD = 32
"""Subscribers from which on facts that follow each other closely share one write."""
_BREATH = 0.005
"""Seconds they are gathered for. The first fact after a silence goes out at once."""


class Subscriber(Protocol):
    """Where frames go: one connected client. Nothing here raises."""

    def send(self, frames: bytes, last: Position) -> None:
        """Hand over the frames of one tick; `last` is the position of the last fact in them. Must not block."""
        ...

    async def drained(self) -> None:
        """Wait until the client has taken most of what it was handed."""
        ...

    def cut(self, reason: str) -> None:
        """There will be no more: the stream broke. The client may join again."""
        ...


class Subscription:
    """A place in the audience. `position` is where it starts: facts behind it are delivered."""

    def __init__(self, hub: Hub, interest: Interest, encode: Encode, subscriber: Subscriber, start: Position) -> None:
        self.position = start
        self.interest = interest
        self.encode = encode
        self.subscriber = subscriber
        self.active = True
        self._hub = hub

    def leave(self) -> None:
        """Stop listening; at once, and for good."""
        if self.active:
            self.active = False
            self._hub.dismiss(self)

    def deliver(self, found: list[Live]) -> None:
        """Hand over what is wanted of these facts, outside the group."""
        wanted = self.interest.pick(found)
        if wanted:
            self.subscriber.send(self.encode(wanted), wanted[-1].position)


class Past(msgspec.Struct, frozen=True):
    """A stretch of history as subscribers may see it."""

    facts: list[Live]
    reached: Position
    """Everything up to here was looked at."""
    more: bool
    """Whether there is history behind that."""


def _cut(found: list[Live], most: int, sequence: int, more: bool) -> Past:
    if len(found) > most:
        return Past(found[:most], found[most - 1].position, True)
    return Past(found, Position(sequence, _LAST_INDEX), more)


class _Group:
    """Subscribers who want the same facts in the same encoding."""

    def __init__(self, interest: Interest, encode: Encode) -> None:
        self._interest = interest
        self._encode = encode
        self.members: dict[Subscription, Subscriber] = {}

    def deliver(self, found: list[Live]) -> None:
        wanted = self._interest.pick(found)
        if not wanted:
            return
        frames = self._encode(wanted)
        last = wanted[-1].position
        for subscriber in list(self.members.values()):
            subscriber.send(frames, last)


class Hub:
    """The live facts of one project.

    The tail starts with the first subscriber and stops `linger` seconds after the last one left.
    """

    def __init__(self, positions: Positions, schemas: Schemas, stream: Stream, linger: float = 5.0) -> None:
        self._positions = positions
        self._schemas = schemas
        self._stream = stream
        self._linger = linger
        self._groups: dict[tuple[Interest, Encode], _Group] = {}
        self._audience: dict[Subscription, asyncio.Task[None] | None] = {}
        self._tail: asyncio.Task[None] | None = None
        self._sequence = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._closing: asyncio.TimerHandle | None = None

    async def join(
        self, interest: Interest, encode: Encode, subscriber: Subscriber, after: Position | None = None
    ) -> Subscription:
        """Listen from behind `after`, or from the log's current end. Facts come in order, none twice, none left out.

        Nothing is sent before the caller next awaits, so that it can greet the client first. Raises `Invalid` with
        code INVALID_POSITION when `after` lies beyond the log's end, `Unavailable` when the log cannot be asked.
        """
        end = await self._stream.last()
        if after is None:
            after = Position(end, _LAST_INDEX)
        elif after.entry > end:
            raise invalid("$.after", "is a position that this server has not reached", code="INVALID_POSITION")
        self._start(end)
        subscription = Subscription(self, interest, encode, subscriber, after)
        if after.entry == self._sequence and after.index == _LAST_INDEX:
            self._audience[subscription] = None
            self._admit(subscription)
        else:
            broken = partial(self._expel, subscription, _BROKEN)
            self._audience[subscription] = self._run(self._catch_up(subscription), broken)
        return subscription

    async def past(self, interest: Interest, after: Position, most: int) -> Past:
        """What happened behind `after`, up to the log's current end or to about `most` facts, whichever comes first.

        Raises `Invalid` with code INVALID_POSITION when `after` lies beyond the log's end, `Unavailable` when the log
        cannot be asked or read from there.
        """
        end = await self._stream.last()
        if after.entry > end:
            raise invalid("$.after", "is a position that this server has not reached", code="INVALID_POSITION")
        found: list[Live] = []
        start = after.entry if after.index == _LAST_INDEX else max(after.entry - 1, 0)
        if start < end:
            try:
                async with contextlib.aclosing(read(self._stream, start, end)) as stretches:
                    async for stretch in stretches:
                        told = facts(self._positions, self._schemas, stretch.links)
                        found += interest.pick([fact for fact in told if fact.position > after])
                        far = stretch.sequence - start >= _LONGEST_LOOK and stretch.sequence < end
                        if len(found) >= most or far:
                            return _cut(found, most, stretch.sequence, stretch.sequence < end)
            except LogGap as problem:
                log.warning("the past of project %s cannot be read: %s", self._positions.project, problem)
                raise Unavailable("the history from that position on cannot be read", code="HISTORY_GAP") from None
        return Past(found, Position(end, _LAST_INDEX), False)

    @property
    def listening(self) -> int:
        """How many do."""
        return len(self._audience)

    def dismiss(self, subscription: Subscription) -> None:
        """Forget a subscription; `Subscription.leave` calls this."""
        task = self._audience.pop(subscription, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        key = (subscription.interest, subscription.encode)
        group = self._groups.get(key)
        if group is not None and group.members.pop(subscription, None) is not None and not group.members:
            del self._groups[key]
        if not self._audience and self._tail is not None and self._closing is None:
            self._closing = asyncio.get_running_loop().call_later(self._linger, self._stop)

    async def close(self, reason: str = "Server shutting down") -> None:
        """Cut everyone and stop the tail."""
        tail = self._tail
        self._stop()
        self._cut(reason)
        if tail is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await tail

    def _start(self, end: int) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        if self._tail is None:
            self._sequence = end
            self._tail = self._run(self._follow(end), self._break)

    def _stop(self) -> None:
        self._closing = None
        if self._tail is not None:
            self._tail.cancel()
            self._tail = None

    def _run(self, work: Coroutine[object, object, None], broken: Callable[[], None]) -> asyncio.Task[None]:
        """Start work whose unforeseen failure must not leave subscribers waiting for ever."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (problem := task.exception()) is not None:
                log.error("the live facts of project %s broke off", self._positions.project, exc_info=problem)
                broken()

        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(ended)
        return task

    async def _follow(self, after: int) -> None:
        try:
            async with contextlib.aclosing(read(self._stream, after)) as stretches:
                async for stretch in stretches:
                    self._dispatch(stretch)
                    if len(self._audience) >= _CROWD:
                        # A write for each client costs more than all the rest: what comes now is told in one go.
                        await asyncio.sleep(_BREATH)
            reason = "the log ended"
        except (LogGap, OctonetError, OSError) as problem:
            reason = str(problem)
        log.warning("the live facts of project %s are interrupted: %s", self._positions.project, reason)
        self._break()

    def _dispatch(self, stretch: Reached) -> None:
        if self._groups:
            found = list(facts(self._positions, self._schemas, stretch.links))
            if found:
                for group in list(self._groups.values()):
                    group.deliver(found)
        self._sequence = stretch.sequence
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        reached, self._waiting = self._waiting, []
        for sequence, future in reached:
            if sequence > self._sequence:
                self._waiting.append((sequence, future))
            elif not future.done():
                future.set_result(None)

    async def _catch_up(self, subscription: Subscription) -> None:
        """Read the past up to where the tail is, again and again, until there is nothing left between the two."""
        try:
            await self._reach(subscription.position.entry)
            at = subscription.position.entry
            if subscription.position.index != _LAST_INDEX:
                at = max(at - 1, 0)
            while at < self._sequence and subscription.active:
                at = await self._replay(subscription, at, self._sequence)
        except (LogGap, OctonetError, OSError) as problem:
            log.warning("a subscriber of project %s could not catch up: %s", self._positions.project, problem)
            self._expel(subscription, "the history from that position on cannot be read")
            return
        if subscription.active:
            self._audience[subscription] = None
            self._admit(subscription)

    async def _replay(self, subscription: Subscription, after: int, until: int) -> int:
        start = subscription.position
        async with contextlib.aclosing(read(self._stream, after, until)) as stretches:
            async for stretch in stretches:
                found = facts(self._positions, self._schemas, stretch.links)
                subscription.deliver([fact for fact in found if fact.position > start])
                await subscription.subscriber.drained()
                if not subscription.active:
                    break
        return until

    async def _reach(self, sequence: int) -> None:
        """Wait until the tail has passed this sequence."""
        if self._sequence < sequence:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((sequence, future))
            await future

    def _admit(self, subscription: Subscription) -> None:
        key = (subscription.interest, subscription.encode)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(*key)
        group.members[subscription] = subscription.subscriber

    def _break(self) -> None:
        """The tail is over: everyone must join again."""
        self._tail = None
        self._cut(_BROKEN)

    def _cut(self, reason: str) -> None:
        self._waiting.clear()
        for subscription in list(self._audience):
            self._expel(subscription, reason)

    def _expel(self, subscription: Subscription, reason: str) -> None:
        if subscription.active:
            subscription.leave()
            subscription.subscriber.cut(reason)
