"""The hash chain over log messages, and the assembly of entries from them. Pure: shared by whoever folds the log."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator

import msgspec

from octonet.kernel.log import Continued, Entry, LogGap, Part, Recorded, Stream

_decoder: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)
_encoder = msgspec.msgpack.Encoder()
_UNREADABLE = (ValueError, RecursionError)
"""What decoding meets: bytes that are no MessagePack, no text, of another shape, or nested without end."""


_CONTINUED = b"continued"
_HEAD = 16
"""Bytes in which the tag of an entry stands."""


def digest(body: bytes) -> bytes:
    """The link: SHA-256 of a log message's bytes."""
    return hashlib.sha256(body).digest()


def encode(entry: Entry) -> bytes:
    """An entry as a log message."""
    return _encoder.encode(entry)


def is_continued(body: bytes) -> bool:
    """Whether a log message says that the log goes on in another stream. Bytes that cannot be read say nothing."""
    if _CONTINUED not in body[:_HEAD]:
        return False
    try:
        return isinstance(_decoder.decode(body), Continued)
    except _UNREADABLE:
        return False


class Link(msgspec.Struct, frozen=True):
    """A whole entry, the sequence at which it stands, and the digest that the next message must carry."""

    sequence: int
    entry: Entry
    digest: bytes


class Assembler:
    """Turns log messages, fed in order, into whole entries, checking sequence and chain on the way.

    Starts after `sequence`, whose message had `previous` as digest (empty: unknown, taken from the first message
    fed). Raises `LogGap` when a message is missing or does not continue the chain.
    """

    def __init__(self, sequence: int = 0, previous: bytes = b"") -> None:
        self.sequence = sequence
        self.digest = previous
        self._parts: list[bytes] = []

    def feed(self, messages: Iterable[Recorded]) -> Iterator[Link]:
        """Take messages; yield the entries that they complete. Parts are yielded only as the entry they make up."""
        for message in messages:
            entry = self._check(message)
            self.sequence, self.digest = message.sequence, digest(message.body)
            whole = self._assemble(entry)
            if whole is not None:
                yield Link(message.sequence, whole, self.digest)

    def _check(self, message: Recorded) -> Entry:
        if message.sequence != self.sequence + 1:
            raise LogGap(f"log message {self.sequence + 1} is missing, {message.sequence} came instead")
        try:
            entry = _decoder.decode(message.body)
        except _UNREADABLE as problem:
            raise LogGap(f"log message {message.sequence} cannot be read: {problem}") from problem
        if self.digest and entry.previous != self.digest:
            raise LogGap(f"log message {message.sequence} does not continue the chain")
        return entry

    def _assemble(self, entry: Entry) -> Entry | None:
        if not isinstance(entry, Part):
            self._parts.clear()
            return entry
        if entry.number != len(self._parts) + 1:
            self._parts.clear()
            if entry.number != 1:
                return None
        self._parts.append(entry.body)
        if entry.number < entry.of:
            return None
        try:
            return _decoder.decode(b"".join(self._parts))
        except _UNREADABLE as problem:
            raise LogGap(f"the parts that end with log message {self.sequence} cannot be read: {problem}") from problem
        finally:
            self._parts.clear()


def split(entry: Entry, largest: int) -> list[bytes]:
    """The message or messages that hold an entry, none larger than `largest` bytes. The chain runs through the
    parts; the entry inside them repeats the digest before the first."""
    body = encode(entry)
    if len(body) <= largest:
        return [body]
    room = largest - 128
    pieces = [body[start : start + room] for start in range(0, len(body), room)]
    messages: list[bytes] = []
    previous = entry.previous
    for number, piece in enumerate(pieces, 1):
        messages.append(encode(Part(previous, number, len(pieces), piece)))
        previous = digest(messages[-1])
    return messages


async def start_of(log: Stream, entry: int) -> int:
    """The sequence of the first message of the entry that stands at `entry`: itself, or its first part. 1 when there
    is no entry yet. Raises `LogGap`."""
    if entry < 1:
        return 1
    async for messages in log.read(entry - 1, entry):
        try:
            found = _decoder.decode(messages[-1].body)
        except _UNREADABLE as problem:
            raise LogGap(f"log message {entry} cannot be read: {problem}") from problem
        if isinstance(found, Part):
            return entry - found.number + 1
    return entry


async def stands(log: Stream, entry: int, expected: bytes) -> bool:
    """Whether the message at this sequence of the log, which must be there, has this digest; before the first message
    there is none. Raises `LogGap`."""
    if entry < 1:
        return not expected
    found = b""
    async for messages in log.read(entry - 1, entry):
        found = digest(messages[-1].body)
    return found == expected


async def entries(log: Stream, start: int, last: int) -> AsyncIterator[Link]:
    """The whole entries from message `start`, with which one begins, to message `last`, in order. Raises `LogGap`."""
    assembler = Assembler(start - 1)
    async for messages in log.read(start - 1, last):
        for link in assembler.feed(messages):
            yield link
