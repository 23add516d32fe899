"""The lane of one project: one ordered queue of commands, one active owner, group commit everywhere.

The owner reads the command stream as a log from the position in the project's own database. A batch is one
transaction: decide, append one log entry by compare-and-set, commit rows with inbox and checkpoint, then reply. Any
doubt about an append means roll back and catch up from the log; nothing is retried in place.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence

import msgspec

from commands.engine.decider import Decider, Item
from commands.engine.frames import FrameCodec
from commands.engine.outcomes import Waiting
from commands.engine.recent_log import RecentLog
from octonet.kernel.catch_up import CatchUp
from octonet.kernel.chain import Link, digest, split
from octonet.kernel.errors import StorageUnavailable, Unavailable
from octonet.kernel.ids import CommandId, ProjectName
from octonet.kernel.log import (
    AppendDoubtful,
    Batch,
    CommandStream,
    Entry,
    Lease,
    Log,
    LogGap,
    Outcome,
    Ownership,
    Recorded,
    Replies,
    SchemaChanged,
    WrongSequence,
)
from octonet.kernel.outcome import outcomes_of
from octonet.kernel.schema import Schemas
from octonet.kernel.sealing import Sealer
from octonet.kernel.storage import Checkpoint, Database, Remembered, Transaction

log = logging.getLogger("octonet.lane")

_MOST = 1024
"""Commands in a batch at most."""
_FORGET_EVERY = 4096
"""Frames that are decided before they are let go of."""
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 10.0


class LeaseLost(Exception):
    """Another worker may own the lane by now."""


class Parts(msgspec.Struct, frozen=True):
    """What a lane is built from."""

    project: ProjectName
    schemas: Schemas
    database: Database
    commands: CommandStream
    log: Log
    lease: Lease
    replies: Replies
    waiting: Waiting
    sealer: Sealer
    catch_up: CatchUp
    codec: FrameCodec
    worker: str


class Lane:
    """Runs while its task lives: waits for the lease, owns, decides; starts over after any trouble."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._mark = Checkpoint()
        self.owned = asyncio.Event()
        """Set while this worker owns the lane and has caught up."""
        self._now = parts.codec.now
        self._forgotten = 0
        self._forgetting: asyncio.Task[None] | None = None
        self.shown = RecentLog(parts.log)
        """The log, for whoever follows it in this process."""

    async def run(self) -> None:
        """For ever; raises `LogGap` when history is missing, which no retry can mend."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._parts.lease.acquire()
                await self._own()
                pause = _FIRST_PAUSE
                self.owned.set()
                await self._serve()
            except (AppendDoubtful, WrongSequence, LeaseLost) as problem:
                log.info("lane %s starts over: %s", self._parts.project, problem or type(problem).__name__)
            except (StorageUnavailable, Unavailable) as problem:
                log.warning("lane %s waits %.2g s: %s", self._parts.project, pause, problem)
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))
                pause = min(pause * 2, _LONGEST_PAUSE)
            finally:
                self.owned.clear()
                self.shown.disown()

    async def _own(self) -> None:
        """Fold the tail of the log, then fence off every earlier owner with a record of our own."""
        parts = self._parts
        while True:
            self._mark = await parts.catch_up.catch_up(await parts.log.last(), self._tell)
            await self._check_lease()
            claim = Ownership(self._mark.digest, parts.worker, self._now())
            try:
                await self._append(claim)
            except WrongSequence:
                continue
            break
        if (last := await parts.commands.last()) < self._mark.frame:
            raise LogGap(f"frame {self._mark.frame} was decided, but the command stream ends at {last}: it was lost")
        if self._mark.schema != parts.schemas.digest:
            await self._append(SchemaChanged(self._mark.digest, parts.schemas.digest, parts.schemas.source))
            self._mark = msgspec.structs.replace(self._mark, schema=parts.schemas.digest)
        transaction = await parts.database.begin()
        try:
            await transaction.move_checkpoint(self._mark)
            await transaction.commit()
        finally:
            await transaction.rollback()
        self.shown.own(self._mark.entry)

    async def _serve(self) -> None:
        async for messages in self._parts.commands.read(self._mark.frame):
            frames: list[tuple[int, str, list[Item]]] = []
            size = 0
            for message in messages:
                frames.append(self._decode(message))
                size += len(frames[-1][2])
                if size >= _MOST:
                    await self._decide(frames)
                    frames, size = [], 0
            if frames:
                await self._decide(frames)

    def _decode(self, message: Recorded) -> tuple[int, str, list[Item]]:
        try:
            frame = self._parts.codec.decode(message.body)
        except msgspec.DecodeError as problem:
            log.error("frame %d of project %s is not one of ours: %s", message.sequence, self._parts.project, problem)
            return message.sequence, "", []
        return message.sequence, frame.reply, frame.envelopes

    async def _decide(self, frames: Sequence[tuple[int, str, list[Item]]]) -> None:
        await self._check_lease()
        items = list({item.id: item for _, _, found in frames for item in found}.values())
        transaction = await self._parts.database.begin()
        try:
            told_before = await transaction.recall([item.id for item in items])
            fresh = [item for item in items if item.id not in told_before] if told_before else items
            batch = await self._write(transaction, fresh, frames[-1][0])
        finally:
            # After a commit this does nothing; after any trouble it undoes what the database was asked to check.
            await transaction.rollback()
        outcomes = {} if batch is None else {o.command_id: o for o in outcomes_of(batch, self._mark.entry)}
        if told_before:
            outcomes |= await self._retell(told_before)
        await self._reply(frames, outcomes)

    async def _write(self, transaction: Transaction, items: Sequence[Item], frame: int) -> Batch | None:
        parts = self._parts
        batch: Batch | None = None
        if items:
            decisions = await Decider(transaction, parts.schemas, parts.sealer).decide(items)
            batch = Batch(self._mark.digest, frame, tuple(decisions))
            await self._check_lease()
            await self._append(batch)
            await transaction.remember([Remembered(item.id, self._mark.entry) for item in items])
        self._mark = msgspec.structs.replace(self._mark, frame=frame)
        await transaction.move_checkpoint(self._mark)
        await transaction.commit()
        self.shown.show()
        self._let_go()
        return batch

    async def _append(self, entry: Entry) -> None:
        """The commit point. Moves our mark along."""
        for body in split(entry, self._parts.log.largest):
            sequence = await self._parts.log.append(body, self._mark.entry)
            self.shown.append(Recorded(sequence, body))
            self._mark = msgspec.structs.replace(self._mark, entry=sequence, digest=digest(body))

    async def _retell(self, decided: Mapping[CommandId, int]) -> dict[CommandId, Outcome]:
        """The outcomes of commands that came again, out of the log entries that decided them."""
        found: dict[CommandId, Outcome] = {}
        for sequence in sorted(set(decided.values())):
            for outcome in await self._parts.catch_up.outcomes(sequence):
                if outcome.command_id in decided:
                    found[outcome.command_id] = outcome
        return found

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
        if idle and self._mark.frame - self._forgotten >= _FORGET_EVERY:
            self._forgotten = self._mark.frame
            self._forgetting = asyncio.create_task(self._parts.commands.forget(self._mark.frame))
