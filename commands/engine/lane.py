"""The lane of one project: one ordered queue of commands, one active owner, group commit everywhere.

The owner reads the command stream as a log from the position in the project's own database. A batch is one
transaction: decide, append one log entry by compare-and-set, commit rows with inbox and checkpoint, then reply. Any
doubt about an append means roll back and catch up from the log; nothing is retried in place.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from time import perf_counter, time_ns

import msgspec

from commands.engine.ahead import FEW, Arrivals, Offer
from commands.engine.decider import Decider, Item, foreseen
from commands.engine.outcomes import told_again
from commands.engine.parts import Parts
from commands.engine.place import check_place, watch_place
from commands.engine.recent_log import RecentLog
from commands.engine.tally import LaneTally
from octonet.kernel.chain import Link, digest, split
from octonet.kernel.errors import Conflict, NoRoom, OctonetError, Unavailable
from octonet.kernel.ids import BEHIND_UUIDS, CommandId
from octonet.kernel.log import (
    AppendDoubtful,
    Batch,
    Continued,
    Decision,
    Entry,
    LogGap,
    Outcome,
    Ownership,
    Recorded,
    SchemaChanged,
    WrongSequence,
)
from octonet.kernel.outcome import outcomes_of
from octonet.kernel.storage import Checkpoint, Remembered, Transaction
from octonet.kernel.trace import record_decisions

log = logging.getLogger("octonet.lane")

_MOST = 1024
"""Commands in a batch at most."""
_FORGET_EVERY = 4096
"""Frames that are decided before they are let go of."""
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 10.0


class LeaseLost(Exception):
    """Another worker may own the lane by now."""


class _FramesGone(Exception):
    """Frames behind the last one that was decided are not in the command stream."""

    def __init__(self, gap: LogGap) -> None:
        super().__init__(str(gap))
        self.gap = gap


class _Missed(Exception):
    """A frame was decided early, and is not the next one."""


class Lane:
    """Runs while its task lives: waits for the lease, owns, decides; starts over after any trouble."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.mark = Checkpoint()
        """How far the log was decided, by this worker or before it."""
        self.owned = asyncio.Event()
        """Set while this worker owns the lane and has caught up."""
        self._newest = CommandId("")
        """No UUID behind this one was ever decided. Ids begin with the time, so hardly any command has to be looked up;
        where clocks differ, more of them are."""
        self._due = 0
        """The last frame there was when the lane was taken."""
        self._now = parts.codec.now
        self._forgotten = 0
        self._forgetting: asyncio.Task[None] | None = None
        self._deciding, self._trying = asyncio.Lock(), asyncio.Lock()
        self._tenure: asyncio.Timeout | None = None
        self.tally = LaneTally()
        self.shown = RecentLog(parts.log)
        """The log, for whoever follows it in this process."""

    async def run(self) -> None:
        """For ever; raises `LogGap` when history is missing, which no retry can mend."""
        pause, reached, gone = _FIRST_PAUSE, 0, -1
        while True:
            try:
                await self._parts.lease.acquire()
                async with asyncio.timeout(None) as self._tenure:
                    async with self._trying:
                        await self._own()
                    self.owned.set()
                    await self._serve()
            except TimeoutError:
                if self._tenure is None or not self._tenure.expired():
                    raise
                log.info("lane %s is given up", self._parts.project)
            except (AppendDoubtful, WrongSequence, LeaseLost) as problem:
                log.info("lane %s starts over: %s", self._parts.project, problem or type(problem).__name__)
            except _FramesGone as problem:
                # Another owner may have decided and forgotten them while this one was cut off: the log tells.
                if gone == self.mark.frame:
                    raise problem.gap from problem
                gone = self.mark.frame
                log.info("lane %s starts over: %s", self._parts.project, problem)
            except Unavailable as problem:
                if isinstance(problem, NoRoom):
                    self._parts.waiting.stand_still(problem)
                # Only a decided frame is progress: each attempt to own the lane takes room in the log, too.
                pause = _FIRST_PAUSE if self.mark.frame > reached else min(pause * 2, _LONGEST_PAUSE)
                reached = self.mark.frame
                await self._wait(pause, problem)
            finally:
                self._tenure = None
                self.owned.clear()
                self.shown.disown()

    async def pause(self) -> None:
        """Finish the batch under way, and decide nothing more until `give_up`."""
        await self._deciding.acquire()

    async def try_out(self, items: Sequence[Item]) -> list[Decision]:
        """Decide commands between two batches and keep nothing of it. Raises `Unavailable`, as when not the owner."""
        async with self._deciding:
            if not self.owned.is_set() or not self._parts.lease.held():
                raise Unavailable("this worker does not decide for the project any more", code="NO_OWNER")
            async with self._trying:
                return await foreseen(self._parts.database, self._parts.schemas, self._parts.sealer, items)

    async def rotate(self) -> None:
        """Close the log's stream between two batches: the log goes on in another one. Raises `Unavailable`, as when not
        the owner; what was begun is finished all the same."""
        async with self._deciding:
            if not self.owned.is_set() or not self._parts.lease.held():
                raise Unavailable("this worker does not decide for the project any more", code="NO_OWNER")
            try:
                await self._record(Continued(self.mark.digest, self._parts.worker, self._now()))
                await self._keep_mark()
                await self._parts.rotation.rotate()
            except (AppendDoubtful, WrongSequence, OctonetError) as problem:
                # Whoever takes the lane looks how far it came.
                self._start_over()
                sentence = f"the log does not go on in a new stream yet: {problem or type(problem).__name__}"
                raise Unavailable(sentence, code="NOT_ROTATED") from problem
            self.shown.show()

    def give_up(self) -> None:
        """After `pause` and the release of the lease: be owner no longer, stand by again."""
        self._start_over()
        self._deciding.release()

    def _start_over(self) -> None:
        if self._tenure is not None:
            self._tenure.reschedule(asyncio.get_running_loop().time())

    async def _own(self) -> None:
        """Fold the tail of the log, then fence off every earlier owner with a record of our own."""
        parts = self._parts
        while True:
            await parts.rotation.settle()
            self.mark = await self._catch_up()
            await self._check_lease()
            # What is appended next must not follow the entry that says that the log goes on elsewhere.
            if await parts.rotation.settle():
                continue
            claim = Ownership(self.mark.digest, parts.worker, self._now())
            try:
                await self._record(claim)
            except WrongSequence:
                continue
            break
        if (last := await parts.commands.last()) < self.mark.frame:
            raise LogGap(f"frame {self.mark.frame} was decided, but the command stream ends at {last}: it was lost")
        if self.mark.schema != parts.schemas.digest:
            await self._record(SchemaChanged(self.mark.digest, parts.schemas.digest, parts.schemas.source))
            self.mark = msgspec.structs.replace(self.mark, schema=parts.schemas.digest)
        self._newest = await self._keep_mark()
        self.shown.own(self.mark.entry)
        self._due = last
        self._recovered()

    async def _keep_mark(self) -> CommandId:
        """Write down how far the log is folded, past records that change no row. Returns the newest command there."""
        transaction = await self._parts.database.begin()
        try:
            await transaction.move_checkpoint(self.mark)
            newest = await transaction.newest()
            await transaction.commit()
        finally:
            await transaction.rollback()
        return newest

    async def _catch_up(self) -> Checkpoint:
        """Raises `Unavailable` when the tables do not allow it; that may change."""
        parts = self._parts
        try:
            await parts.prepare()
            return await parts.catch_up.catch_up(await parts.log.last(), self._tell)
        except Conflict as problem:
            parts.unfit(problem)
            raise Unavailable(f"the tables cannot be made to fit: {problem.message}") from problem

    async def _serve(self) -> None:
        arrivals = Arrivals(self._parts.commands, self._parts.ahead, self.mark.frame)
        place = watch_place(self._parts.database, self._deciding, lambda: self.mark, self._start_over)
        watching = asyncio.create_task(place)
        try:
            while True:
                try:
                    found = await arrivals.next(self.mark.frame)
                except LogGap as gap:
                    raise _FramesGone(gap) from gap
                if isinstance(found, Offer):
                    await self._foresee(found, arrivals)
                else:
                    arrivals.few = await self._take(found) <= FEW
        finally:
            watching.cancel()
            await arrivals.close()

    async def _take(self, messages: Sequence[Recorded]) -> int:
        """Decide what arrived; returns how many commands the last batch had."""
        frames: list[tuple[int, str, list[Item]]] = []
        size = 0
        for message in messages:
            frames.append(await self._decode(message))
            size += len(frames[-1][2])
            if size >= _MOST:
                async with self._deciding:
                    await self._decide(frames)
                frames, size = [], 0
        if frames:
            async with self._deciding:
                await self._decide(frames)
        return size

    async def _foresee(self, offer: Offer, arrivals: Arrivals) -> None:
        """Decide a frame of this process while it is being stored."""
        frame = self._parts.codec.decode(offer.body)
        if frame.problem:
            return
        async with self._deciding:
            try:
                await self._decide([(self.mark.frame + 1, frame.reply, frame.envelopes)], offer)
            except _Missed:
                arrivals.missed()

    async def _decode(self, message: Recorded) -> tuple[int, str, list[Item]]:
        frame = self._parts.codec.decode(message.body)
        if frame.problem:
            log.error("frame %d of project %s is put aside: %s", message.sequence, self._parts.project, frame.problem)
            await self._put_aside(message, frame.problem)
        return message.sequence, frame.reply, frame.envelopes

    async def _put_aside(self, message: Recorded, reason: str) -> None:
        """Into the dead letters, before the checkpoint passes the frame. Waits for as long as that cannot be done."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._parts.dead_letters.put(message.sequence, reason, self._now(), message.body)
            except Unavailable as problem:
                await self._wait(pause, problem)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return

    async def _wait(self, pause: float, problem: Unavailable) -> None:
        log.warning("lane %s waits %.2g s: %s", self._parts.project, pause, problem)
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))

    def _recovered(self) -> None:
        """What was recorded when the lane was taken is decided: new commands are welcome again."""
        if self.mark.frame >= self._due:
            self._parts.waiting.trouble = None

    async def _decide(self, frames: Sequence[tuple[int, str, list[Item]]], offer: Offer | None = None) -> None:
        await self._check_lease()
        first: dict[CommandId, Item] = {}
        for _, _, found in frames:
            for item in found:
                first.setdefault(item.id, item)
        items = list(first.values())
        transaction = await self._parts.database.begin()
        try:
            await check_place(transaction, self.mark)
            known = [item.id for item in items if item.id <= self._newest or item.id > BEHIND_UUIDS]
            told_before = await transaction.recall(known) if known else {}
            fresh = [item for item in items if item.id not in told_before] if told_before else items
            batch = await self._write(transaction, fresh, frames[-1][0], offer)
        finally:
            # After a commit this does nothing; after any trouble it undoes what the database was asked to check.
            await transaction.rollback()
        try:
            outcomes = {} if batch is None else {o.command_id: o for o in outcomes_of(batch, self.mark.entry)}
            if told_before:
                # They came again.
                outcomes |= {o.command_id: o for o in await told_again(self._parts.catch_up, told_before)}
            await self._reply(frames, outcomes)
        finally:
            # Behind the replies: while callers make up their minds there is time for those who follow.
            self.shown.show()

    async def _write(
        self, transaction: Transaction, items: Sequence[Item], frame: int, offer: Offer | None
    ) -> Batch | None:
        parts = self._parts
        batch: Batch | None = None
        began = perf_counter()
        decisions = await Decider(transaction, parts.schemas, parts.sealer).decide(items) if items else []
        mark = msgspec.structs.replace(self.mark, frame=frame)
        bodies: Sequence[bytes] = ()
        if items:
            batch = Batch(self.mark.digest, frame, tuple(decisions))
            bodies = split(batch, parts.log.largest)
            mark = _after(mark, bodies)
        if offer is not None and await offer.sequence() != frame:
            raise _Missed
        if items:
            await self._check_lease()
            decided = perf_counter()
            append = asyncio.create_task(self._append(bodies, self.mark.entry))
            try:
                # The append is on its way while the database writes what it will commit: the sequence is known, for
                # the log takes it there or nowhere.
                await asyncio.sleep(0)
                await transaction.remember([Remembered(item.id, mark.entry) for item in items])
                await transaction.move_checkpoint(mark)
            finally:
                await append
            self.tally.add(decisions, decided - began, perf_counter() - decided)
            self._newest = max([self._newest, *(item.id for item in items if item.id < BEHIND_UUIDS)])
        else:
            await transaction.move_checkpoint(mark)
        self.mark = mark
        await transaction.commit()
        if parts.trace is not None:
            ended = time_ns()
            began_at = ended - int((perf_counter() - began) * 1e9)
            record_decisions(parts.trace, "octonet.lane", parts.project, mark.entry, decisions, began_at, ended)
        self._recovered()
        self._let_go()
        return batch

    async def _record(self, entry: Entry) -> None:
        """Append a record that is no decision, and move our mark along."""
        bodies = split(entry, self._parts.log.largest)
        await self._append(bodies, self.mark.entry)
        self.mark = _after(self.mark, bodies)

    async def _append(self, bodies: Sequence[bytes], after: int) -> None:
        """The commit point."""
        for sequence, body in enumerate(bodies, after):
            self.shown.append(Recorded(await self._parts.log.append(body, sequence), body))

    async def _reply(self, frames: Sequence[tuple[int, str, list[Item]]], outcomes: dict[CommandId, Outcome]) -> None:
        parts = self._parts
        parts.waiting.tell(outcomes.values())
        elsewhere: dict[str, list[Outcome]] = {}
        for _, subject, items in frames:
            if subject and subject != parts.replies.subject:
                told = [outcomes[item.id] for item in items if item.id in outcomes]
                elsewhere.setdefault(subject, []).extend(told)
        for subject, told in elsewhere.items():
            await parts.replies.send(subject, told)

    def _tell(self, link: Link) -> None:
        """An entry that was folded while catching up: its callers may still wait."""
        if isinstance(link.entry, Batch):
            self._parts.waiting.tell(outcomes_of(link.entry, link.sequence))

    async def _check_lease(self) -> None:
        """Ask before deciding and before appending whether another worker is at it: saves both of them work. What
        protects is the log's compare-and-set."""
        if not self._parts.lease.held() and not await self._parts.lease.confirm():
            raise LeaseLost("another worker holds the lease")

    def _let_go(self) -> None:
        """Decided frames are not kept: a full command stream refuses new ones."""
        idle = self._forgetting is None or self._forgetting.done()
        if idle and self.mark.frame - self._forgotten >= _FORGET_EVERY:
            self._forgotten = self.mark.frame
            self._forgetting = asyncio.create_task(self._parts.commands.forget(self.mark.frame))


def _after(mark: Checkpoint, bodies: Sequence[bytes]) -> Checkpoint:
    """The mark behind these messages of the log."""
    return msgspec.structs.replace(mark, entry=mark.entry + len(bodies), digest=digest(bodies[-1]))
