"""The messages of Flight SQL, which are protocol buffers: what stands in them, without a compiler for them.

A message is read as its fields, by number. Nothing here is larger than what a client sent.
"""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.kernel.errors import Invalid, invalid

PREFIX: Final = "type.googleapis.com/arrow.flight.protocol.sql."
_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_LONGEST: Final = 10
"""Bytes of a varint."""
_MOST: Final = 10_000
"""Fields of a message."""


class Message(msgspec.Struct, frozen=True):
    """A message that was read: its name without its package, and its fields."""

    name: str
    fields: dict[int, list[int | bytes]]

    def text(self, number: int) -> str | None:
        """A field of text; None where it is absent. Raises `Invalid`."""
        found = self.fields.get(number)
        if not found:
            return None
        return _text(found[-1])

    def data(self, number: int) -> bytes:
        """A field of bytes; empty where it is absent."""
        return _bytes(self.fields.get(number, [b""])[-1])

    def flag(self, number: int) -> bool:
        """A boolean field."""
        return bool(self.fields.get(number, [0])[-1])

    def texts(self, number: int) -> list[str]:
        """A repeated field of text."""
        return [_text(each) for each in self.fields.get(number, [])]

    def numbers(self, number: int) -> list[int]:
        """A repeated field of whole numbers, packed or not."""
        found: list[int] = []
        for each in self.fields.get(number, []):
            if isinstance(each, int):
                found.append(each)
                continue
            at = 0
            while at < len(each):
                value, at = _varint(each, at)
                found.append(value)
        return found


def is_message(body: bytes) -> bool:
    """Whether this is, by its beginning, a message of Flight SQL in an `Any`."""
    start = PREFIX.encode()
    return body[:1] == b"\n" and start in body[: len(start) + 4]


def read_any(body: bytes) -> Message:
    """Read a message that is packed into an `Any`. Raises `Invalid` with code INVALID_MESSAGE."""
    outer = Message("Any", read(body))
    name = outer.text(1) or ""
    if not name.startswith(PREFIX):
        raise Invalid("this is not a message of Flight SQL", code="INVALID_MESSAGE")
    return Message(name.removeprefix(PREFIX), read(outer.data(2)))


def read(body: bytes) -> dict[int, list[int | bytes]]:
    """The fields of a message. Raises `Invalid` with code INVALID_MESSAGE."""
    fields: dict[int, list[int | bytes]] = {}
    at = count = 0
    while at < len(body):
        tag, at = _varint(body, at)
        value: int | bytes
        match tag & 7:
            case 0:
                value, at = _varint(body, at)
            case 1 | 5 as kind:
                size = 8 if kind == _FIXED64 else 4
                value, at = body[at : at + size], at + size
            case 2:
                size, at = _varint(body, at)
                value, at = body[at : at + size], at + size
            case _:
                raise _malformed()
        count += 1
        if at > len(body) or count > _MOST or tag >> 3 == 0:
            raise _malformed()
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def pack(name: str, body: bytes) -> bytes:
    """A message as an `Any`."""
    return field(1, (PREFIX + name).encode()) + field(2, body)


def field(number: int, value: bytes | int) -> bytes:
    """One field of a message; an empty one is left out, as its default is."""
    if not value:
        return b""
    if isinstance(value, int):
        return _spelled(number << 3 | _VARINT) + _spelled(value)
    return _spelled(number << 3 | _BYTES) + _spelled(len(value)) + value


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for index in range(at, min(at + _LONGEST, len(body))):
        byte = body[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, index + 1
        shift += 7
    raise _malformed()


def _spelled(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _malformed() -> Invalid:
    return invalid("$", "is not a message that can be read", code="INVALID_MESSAGE")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    raise _malformed()


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError:
        raise _malformed() from None
