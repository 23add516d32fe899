"""Batches as multipart/mixed: HTTP messages inside an HTTP message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import Message
from http import HTTPStatus
from typing import Final

import msgspec

from octonet.kernel.errors import Invalid
from octonet.transport import Reply

_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_LINE: Final = re.compile(r"([A-Z]+) (\S+)(?: HTTP/1\.[01])?")
_SPACED_LINE: Final = re.compile(r"([A-Z]+) (.+) HTTP/1\.[01]")
_MOST_HEADERS: Final = 64
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Part(msgspec.Struct, frozen=True):
    """One request of a batch."""

    id: str
    method: str
    url: str
    headers: dict[str, str]
    """By names in lower case."""
    body: bytes


class Together(msgspec.Struct, frozen=True):
    """A change set: all of it or nothing."""

    parts: tuple[Part, ...]


def boundary(content_type: str) -> bytes:
    """What stands between the parts. Raises `Invalid`, code INVALID_BATCH."""
    message = Message()
    message["content-type"] = content_type
    found = message.get_param("boundary")
    if message.get_content_type() != "multipart/mixed" or not isinstance(found, str) or not 0 < len(found) <= 70:
        raise _broken("is not multipart/mixed with a boundary")
    return found.encode("ascii", "replace")


def read(body: bytes, content_type: str, most: int) -> list[Part | Together]:
    """The requests of a batch, in order. Raises `Invalid`, code INVALID_BATCH or BATCH_TOO_LARGE."""
    found: list[Part | Together] = []
    left = most
    for headers, content in _parts(body, boundary(content_type), most):
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            inner = _parts(content, boundary(kind), left)
            found.append(Together(tuple(_request(*part) for part in inner)))
            left -= len(inner)
        else:
            found.append(_request(headers, content))
            left -= 1
        if left < 0:
            raise too_large(most)
    return found


def too_large(most: int) -> Invalid:
    """More requests than one batch takes."""
    return Invalid(f"a batch holds at most {most} requests", code="BATCH_TOO_LARGE")


def _broken(what: str) -> Invalid:
    return Invalid(f"the batch {what}", code="INVALID_BATCH")


def _parts(body: bytes, boundary: bytes, most: int) -> list[tuple[dict[str, str], bytes]]:
    delimiter = b"--" + boundary
    pieces = body.split(delimiter, most + 3)
    if len(pieces) < 3 or not any(piece.startswith(b"--") for piece in pieces):
        if len(pieces) > most + 2:
            raise too_large(most)
        raise _broken("has no part, or does not end with its boundary")
    found: list[tuple[dict[str, str], bytes]] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return found
        if not piece.startswith((b"\r\n", b"\n")):
            raise _broken("has a boundary that its line does not end with")
        # The line break before the next boundary belongs to that boundary.
        found.append(_message(piece.partition(b"\n")[2].removesuffix(b"\n").removesuffix(b"\r")))
    return found


def _message(text: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and content of a message; without headers it begins with an empty line."""
    if text.startswith((b"\r\n", b"\n")):
        return {}, text.partition(b"\n")[2]
    parts = _HEAD_END.split(text, maxsplit=1)
    return _headers(parts[0].decode("utf-8", "replace").splitlines()), parts[1] if len(parts) > 1 else b""


def _headers(lines: Sequence[str]) -> dict[str, str]:
    if len(lines) > _MOST_HEADERS:
        raise _broken("has a part with too many headers")
    found: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip().isascii():
            raise _broken(f"has a header that is none: {line[:60]!r}")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def _request(outer: dict[str, str], content: bytes) -> Part:
    if not outer.get("content-type", "application/http").lower().startswith("application/http"):
        raise _broken("has a part that is no application/http")
    text = content.lstrip(b"\r\n")
    head, _, rest = text.partition(b"\n")
    line = head.strip().decode("utf-8", "replace")
    match = _LINE.fullmatch(line) or _SPACED_LINE.fullmatch(line)
    if match is None:
        raise _broken(f"has a request line that is none: {line[:60]!r}")
    headers, body = _message(rest)
    return Part(outer.get("content-id", headers.get("content-id", "")), match[1], match[2], headers, body)


def written(answers: Sequence[tuple[str, Reply] | list[tuple[str, Reply]]], boundary: str) -> bytes:
    """The answers, in order; those to a change set as one part, unless it failed as a whole."""
    chunks: list[bytes] = []
    for number, answer in enumerate(answers):
        chunks.append(f"--{boundary}\r\n".encode())
        if isinstance(answer, list):
            # Not the outer one with more behind it: some readers look for that alone.
            inner = f"changesetresponse_{number}_{boundary}"
            chunks.append(f"Content-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode())
            chunks += [b"--%b\r\n%b" % (inner.encode(), _answer(*each)) for each in answer]
            chunks.append(f"--{inner}--\r\n".encode())
        else:
            chunks.append(_answer(*answer))
    chunks.append(f"--{boundary}--\r\n".encode())
    return b"".join(chunks)


def _answer(id: str, reply: Reply) -> bytes:
    outer = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    if id:
        outer += f"Content-ID: {id}\r\n"
    head = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    if reply.status not in _BODILESS:
        head += f"Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n"
    body = b"" if reply.status in _BODILESS else reply.body
    return f"{outer}\r\n{head}\r\n".encode() + body + b"\r\n"
