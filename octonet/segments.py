"""A stretch of a log in a file: the messages as they are, compressed, in order, each stretch going on where the one
before it ended.

A segment is the line ``octonet segment 1``, then one zlib stream of messages: four bytes of length, big-endian, and the
body. Which messages those are, and what the file must be like, its `Segment` says, which stands elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from octonet.kernel.chain import digest
from octonet.kernel.log import Recorded

_FIRST_LINE: Final = b"octonet segment 1\n"
_LENGTH: Final = struct.Struct(">I")
_LEVEL: Final = 3
_AT_ONCE: Final = 1 << 16


class Segment(msgspec.Struct, frozen=True):
    """The messages `first` to `last` of a log, in the file of this name. `size` and `sha256` (hexadecimal) are the
    file's; `digest` is that of the last message, `raw` the bytes of all."""

    file: str
    first: int
    last: int
    size: int
    sha256: str
    digest: str
    raw: int


class SegmentDamaged(Exception):
    """A file is not what its `Segment` says. The text says in what way."""


class SegmentWriter:
    """Writes one segment to `path`, whose name it gets in the end: until then the file is called otherwise."""

    def __init__(self, path: Path, first: int) -> None:
        self._path = path
        self._fresh = path.with_name(f"{path.name}.new")
        self._file = self._fresh.open("wb")
        self._packer = zlib.compressobj(_LEVEL)
        self._hash = hashlib.sha256()
        self._first = first
        self._last = first - 1
        self._digest = ""
        self._size = 0
        self.raw = 0
        """Bytes of the messages so far."""
        self._put(_FIRST_LINE)

    def add(self, message: Recorded) -> None:
        """The next message. Raises `ValueError` for any other one."""
        if message.sequence != self._last + 1:
            raise ValueError(f"message {message.sequence} does not follow {self._last}")
        self._put(self._packer.compress(_LENGTH.pack(len(message.body)) + message.body))
        self._last, self._digest = message.sequence, digest(message.body).hex()
        self.raw += len(message.body)

    def close(self, folder: Path) -> Segment:
        """Make it durable, and give it its name. `folder`: what the segment's file name is told from."""
        self._put(self._packer.flush())
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._fresh.replace(self._path)
        name = self._path.relative_to(folder).as_posix()
        return Segment(name, self._first, self._last, self._size, self._hash.hexdigest(), self._digest, self.raw)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._fresh.unlink(missing_ok=True)

    def _put(self, piece: bytes) -> None:
        self._file.write(piece)
        self._hash.update(piece)
        self._size += len(piece)


def read(folder: Path, segment: Segment) -> Iterator[list[Recorded]]:
    """The messages, in batches. Raises `SegmentDamaged`: for wrong bytes at the latest behind the last message."""
    hashed, sequence, last = hashlib.sha256(), segment.first, b""
    try:
        with (folder / segment.file).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != segment.size:
                raise SegmentDamaged(f"has {size} bytes instead of {segment.size}")
            begin = file.read(len(_FIRST_LINE))
            if begin != _FIRST_LINE:
                raise SegmentDamaged("does not begin as a segment does")
            hashed.update(begin)
            unpacker, rest = zlib.decompressobj(), b""
            while piece := file.read(_AT_ONCE):
                hashed.update(piece)
                bodies, rest = _cut(rest + unpacker.decompress(piece))
                if bodies:
                    yield [Recorded(number, body) for number, body in enumerate(bodies, sequence)]
                    sequence, last = sequence + len(bodies), bodies[-1]
    except OSError as problem:
        raise SegmentDamaged(f"cannot be read: {problem.strerror}") from None
    except zlib.error as problem:
        raise SegmentDamaged(f"cannot be unpacked: {problem}") from None
    if hashed.hexdigest() != segment.sha256:
        raise SegmentDamaged("has other bytes than were written")
    if not unpacker.eof or rest or sequence != segment.last + 1 or digest(last).hex() != segment.digest:
        raise SegmentDamaged(f"does not end with message {segment.last}")


def _cut(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole bodies at the beginning, and what is left."""
    bodies, place = [], 0
    while place + _LENGTH.size <= len(data):
        end = place + _LENGTH.size + _LENGTH.unpack_from(data, place)[0]
        if end > len(data):
            break
        bodies.append(data[place + _LENGTH.size : end])
        place = end
    return bodies, data[place:]
