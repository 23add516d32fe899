"""The log: what was decided, in order, for ever; and the ports through which it is written and read.

One log message is one `Entry`, encoded as MessagePack. Entries form a hash chain: each carries the SHA-256 of the
bytes of the one before it. Everything else (tables, inbox, checkpoint, feed) is a fold of the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec

from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Fault, Kind
from octonet.kernel.event import Event
from octonet.kernel.ids import CommandId, EntityId, Sequence
from octonet.kernel.position import Position


class Verdict(StrEnum):
    """What became of a command."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


class Rejection(msgspec.Struct, frozen=True, array_like=True):
    """Why a command was refused by its decision."""

    kind: Kind
    code: str
    message: str
    faults: tuple[Fault, ...] = ()


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """One command, decided once for ever. `data` is the row it answers with where no event carries it."""

    command_id: CommandId
    op: str
    entity: str
    at: int
    actor: Actor
    verdict: Verdict
    events: tuple[Event, ...] = ()
    count: int = 0
    data: bytes | None = None
    rejection: Rejection | None = None
    fingerprint: bytes = b""
    """Of the request's content, where its caller gave an idempotency key."""
    version: int = 0
    """Of the row in `data`."""
    target: EntityId | None = None
    """Of the row that the command named, where no event tells of one; entries of earlier builds do not say."""


class Batch(msgspec.Struct, frozen=True, tag="batch", array_like=True):
    """The decisions of one transaction. `frame` is the last command-stream sequence they cover."""

    previous: bytes
    frame: int
    decisions: tuple[Decision, ...]


class Ownership(msgspec.Struct, frozen=True, tag="owner", array_like=True):
    """A worker took the lane. Appends of earlier owners that were still under way can no longer be stored."""

    previous: bytes
    worker: str
    at: int


class SchemaChanged(msgspec.Struct, frozen=True, tag="schema", array_like=True):
    """From here on rows follow this schema (the schema file's JSON)."""

    previous: bytes
    digest: str
    schema: str
    dropped: bool = False
    """Whether what it has given up was removed for good, and does not come back when it is named again."""


class Continued(msgspec.Struct, frozen=True, tag="continued", array_like=True):
    """The last message of a stream that is closed for good: the log goes on in another one, with the next sequence."""

    previous: bytes
    worker: str
    at: int


class Part(msgspec.Struct, frozen=True, tag="part", array_like=True):
    """A piece of an entry too large for one message. The entry exists when its last part does, and stands at that
    part's sequence; any other record in between makes the pieces before it void."""

    previous: bytes
    number: int
    of: int
    body: bytes


Entry: TypeAlias = Batch | Ownership | SchemaChanged | Continued | Part


class Recorded(msgspec.Struct, frozen=True):
    """A stored message of a stream."""

    sequence: int
    body: bytes


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What the caller of a command is told, and where in the log it stands."""

    command_id: CommandId
    position: Position
    verdict: Verdict
    count: int = 0
    data: bytes | None = None
    rejection: Rejection | None = None
    fingerprint: bytes = b""
    version: int = 0
    """Of the row in `data`, 0 where there is none."""


class WrongSequence(Exception):
    """The compare-and-set failed: somebody else appended. Catch up before anything else."""


class AppendDoubtful(Exception):
    """It is not known whether the append was stored. Roll back and catch up; never retry in place."""


class LogGap(Exception):
    """A sequence is missing in a stream: history was lost. Stop and raise the alarm; never skip."""


class Stream(Protocol):
    """An append-only stream of messages, read in order without acknowledgement."""

    def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        """The messages with a sequence above `after`, in batches, contiguous, as they come; ends after `until`
        where one is given. Reconnects by itself. Raises `LogGap` when a sequence is missing."""
        ...

    async def last(self) -> int:
        """The last sequence stored, 0 when there is none. Asks the stream's leader."""
        ...


class CommandStream(Stream, Protocol):
    """The wishes of a project."""

    async def publish(self, frame: bytes) -> Sequence:
        """Store a frame durably, at least once. Raises `Unavailable` when the server refuses it, `OutcomeUnknown` when
        it does not answer, `NoRoom` when the stream or the disk is full."""
        ...

    async def forget(self, through: int) -> None:
        """Let go of the frames up to this sequence: the log holds what became of them. Never raises; what stays is
        let go of the next time."""
        ...


class Log(Stream, Protocol):
    """The truth of a project."""

    largest: int
    """Bytes one message may have."""

    async def append(self, body: bytes, after: int) -> int:
        """Store the body at sequence `after + 1` or nowhere. Raises `WrongSequence`, `AppendDoubtful`, or `NoRoom`
        when it was refused for certain because the stream or the disk is full."""
        ...


class Rotation(Protocol):
    """The streams that a log is kept in, one after the other. For whoever owns the lane, between two batches."""

    async def settle(self) -> bool:
        """Finish what an earlier owner began: a log whose last entry is `Continued` goes on in a new stream. Whether
        there was anything to do. Raises `Unavailable`."""
        ...

    async def rotate(self) -> None:
        """The same, where the last entry is known to be `Continued`. Raises `Unavailable`."""
        ...


class DeadLetter(msgspec.Struct, frozen=True):
    """A frame of a command stream that could not be decoded, whole or in one of its envelopes."""

    sequence: int
    """Its own, in the dead-letter stream: how an operator names it."""
    frame: int
    """The frame's, in the command stream."""
    reason: str
    at: int
    """When it was found, in milliseconds since 1970."""
    body: bytes
    """The frame, as it was."""


class DeadLetters(Protocol):
    """Where the frames of a project go that its lane cannot read."""

    async def put(self, frame: int, reason: str, at: int, body: bytes) -> None:
        """Store a letter durably, once: one that is there already under this frame's sequence stays as it is. Raises
        `Unavailable` while it cannot be stored."""
        ...


class Lease(Protocol):
    """Elects the worker of a project. It never protects: the log's compare-and-set does."""

    async def acquire(self) -> None:
        """Wait until this worker holds the lease; keeps renewing it from then on."""
        ...

    async def confirm(self) -> bool:
        """Whether this worker holds the lease; takes it anew when it ran out meanwhile and nobody else did."""
        ...

    def held(self) -> bool:
        """Whether it is certain, by this process's monotonic clock, that nobody else holds the lease now."""
        ...

    async def release(self) -> None:
        """Give it up, so that the next worker need not wait for it to run out."""
        ...


class FeedMessage(msgspec.Struct, frozen=True):
    """One fact as it goes to programs on NATS. `headers` are lines of ``Name: value``, each ended by CRLF."""

    subject: bytes
    headers: bytes
    body: bytes


class FeedStream(Protocol):
    """The public facts of a project: a projection of the log like any other."""

    async def position(self) -> tuple[int, Position]:
        """The stream's last sequence, and the position of the last fact on it."""
        ...

    async def publish(self, messages: list[FeedMessage], after: int) -> int:
        """Store all of them after sequence `after`, or none. Returns the new last sequence. Raises `WrongSequence`
        or `AppendDoubtful`."""
        ...


class Replies(Protocol):
    """How outcomes reach the process that waits for them."""

    subject: str
    """Where this process listens."""

    async def send(self, subject: str, outcomes: list[Outcome]) -> None:
        """Tell another process, at most once: it asks again by itself when it hears nothing."""
        ...
