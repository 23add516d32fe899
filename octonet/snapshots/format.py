"""A snapshot as a file: blocks of MessagePack, compressed, and the SHA-256 of all that stands before it at the end.

A line that names the format; then blocks, each led by its length (four bytes, big-endian); then a length of zero and
the digest. The first block is the head, the last one tells what was in between. Values stand in wire form, secrets
sealed as in the log: the file says nothing about the database it came from.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, TypeAlias

import msgspec

from octonet.kernel.errors import Invalid
from octonet.kernel.ids import CommandId, EntityId, JsonValue, ProjectName
from octonet.kernel.storage import Checkpoint

_MAGIC: Final = b"octonet snapshot 1\n"
_LEVEL: Final = 1
_LENGTH: Final = 4
_LONGEST: Final = 1 << 30
_AT_ONCE: Final = 1 << 20
_DIGEST: Final = hashlib.sha256().digest_size


class Head(msgspec.Struct, frozen=True, tag="head", array_like=True):
    """What the rows are a fold of: everything up to `checkpoint`, whose schema is `source` (the schema file's JSON)."""

    project: ProjectName
    checkpoint: Checkpoint
    source: str
    at: int
    """When it was taken, in milliseconds since 1970."""


class Rows(msgspec.Struct, frozen=True, tag="rows", array_like=True):
    """Some rows of one entity: id, version, and the values of all columns but the id, then of all links."""

    entity: str
    rows: list[tuple[EntityId, int, list[JsonValue]]]


class Inbox(msgspec.Struct, frozen=True, tag="inbox", array_like=True):
    """Some commands that were decided, and the log entries that did it."""

    commands: list[tuple[CommandId, int]]


class End(msgspec.Struct, frozen=True, tag="end", array_like=True):
    """How many rows of each entity, and commands, stood before it."""

    rows: Mapping[str, int]
    commands: int


Block: TypeAlias = Head | Rows | Inbox | End

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Block] = msgspec.msgpack.Decoder(Block)


class Checked(msgspec.Struct, frozen=True):
    """A file that was read to its end and is whole."""

    head: Head
    end: End
    digest: bytes
    """The SHA-256 at its end: what tells it from every other."""


class Writer:
    """Writes one snapshot, block by block, the head first."""

    def __init__(self, out: BinaryIO, head: Head) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self._write(_MAGIC)
        self.put(head)

    def put(self, block: Block) -> int:
        """Add a block; returns the bytes that it has uncompressed."""
        raw = _encode(block)
        body = zlib.compress(raw, _LEVEL)
        self._write(len(body).to_bytes(_LENGTH, "big"))
        self._write(body)
        return len(raw)

    def finish(self, end: End) -> bytes:
        """Write the end; returns the digest. The file is the caller's to sync and close."""
        self.put(end)
        self._write(bytes(_LENGTH))
        digest = self._hash.digest()
        self._out.write(digest)
        return digest

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._out.write(data)


def head_of(file: BinaryIO) -> Head:
    """The head, without a look at the rest. Raises `Invalid`, code SNAPSHOT_DAMAGED or SNAPSHOT_UNKNOWN."""
    file.seek(0)
    return _first(_blocks(file))


def check(file: BinaryIO) -> Checked:
    """Read the whole file. Raises `Invalid`, code SNAPSHOT_DAMAGED, when any byte of it is another than was written;
    SNAPSHOT_UNKNOWN for a format of another version."""
    digest = _check_digest(file)
    head, last = head_of(file), None
    file.seek(len(_MAGIC))
    for body in _bodies(file):
        last = body
    end = None if last is None else _read(last)
    if not isinstance(end, End):
        raise _damaged("its last block is missing")
    return Checked(head, end, digest)


def blocks(file: BinaryIO) -> Iterator[Rows | Inbox]:
    """What stands between head and end, in order, of a file that was checked."""
    file.seek(0)
    found = _blocks(file)
    _first(found)
    for block in found:
        if isinstance(block, Rows | Inbox):
            yield block


def _check_digest(file: BinaryIO) -> bytes:
    size = file.seek(0, 2)
    file.seek(0)
    left, found = size - _DIGEST, hashlib.sha256()
    if left < len(_MAGIC):
        raise _damaged("it is too short")
    while left > 0:
        data = file.read(min(left, _AT_ONCE))
        if not data:
            raise _damaged("it is too short")
        found.update(data)
        left -= len(data)
    if found.digest() != file.read(_DIGEST):
        raise _damaged("its SHA-256 is another than the one at its end")
    return found.digest()


def _first(found: Iterator[Block]) -> Head:
    head = next(found, None)
    if not isinstance(head, Head):
        raise _damaged("it does not begin with a head")
    return head


def _blocks(file: BinaryIO) -> Iterator[Block]:
    magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        if magic.startswith(_MAGIC[:-2]):
            raise Invalid("the snapshot was written by another version of Octonet", code="SNAPSHOT_UNKNOWN")
        raise _damaged("it does not begin as a snapshot does")
    for body in _bodies(file):
        yield _read(body)


def _bodies(file: BinaryIO) -> Iterator[bytes]:
    while (length := int.from_bytes(_exactly(file, _LENGTH), "big")) > 0:
        if length > _LONGEST:
            raise _damaged("a block of it is too long")
        yield _exactly(file, length)


def _read(body: bytes) -> Block:
    try:
        return _decoder.decode(zlib.decompress(body))
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _damaged(f"a block of it cannot be read: {problem}") from None


def _exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) != length:
        raise _damaged("it ends too early")
    return data


def _damaged(reason: str) -> Invalid:
    return Invalid(f"the snapshot is damaged: {reason}", code="SNAPSHOT_DAMAGED")
