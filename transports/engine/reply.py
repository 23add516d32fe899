"""Writes a `Reply`: as bytes for a connection of ours, as a response for one of aiohttp's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from aiohttp import web

from octonet.transport import Reply

_EVERY: Final = {"Server": "octonet", "X-Content-Type-Options": "nosniff"}
_NOTHING: Final[Mapping[str, str]] = {}
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


def encode(reply: Reply, closing: bool) -> bytes:
    """The whole HTTP/1.1 message. `closing`: the connection ends behind it."""
    added = "".join([f"{name}: {value}\r\n" for name, value in reply.headers.items()]) if reply.headers else ""
    if closing:
        added += "Connection: close\r\n"
    start = _start(reply.status, reply.content_type)
    if reply.status in _BODILESS:
        return b"%b%b%b\r\n" % (start, _date(int(time.time())), added.encode())
    return b"%b%b%bContent-Length: %d\r\n\r\n%b" % (
        start,
        _date(int(time.time())),
        added.encode(),
        len(reply.body),
        reply.body,
    )


def response(reply: Reply, closing: bool, shared: Mapping[str, str] = _NOTHING) -> web.Response:
    """The same for aiohttp to write, with the headers by which it is shared with its origin."""
    headers = {**_EVERY, **reply.headers, **shared}
    if reply.status in _BODILESS:
        found = web.Response(status=reply.status, headers=headers)
    else:
        headers["Content-Type"] = reply.content_type
        found = web.Response(body=reply.body, status=reply.status, headers=headers)
    if closing or headers.get("Connection") == "close":
        found.force_close()
    return found


@lru_cache(maxsize=256)
def _start(status: int, content_type: str) -> bytes:
    every = _EVERY if status in _BODILESS else {**_EVERY, "Content-Type": content_type}
    lines = "".join(f"{name}: {value}\r\n" for name, value in every.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}".encode()


@lru_cache(maxsize=2)
def _date(now: int) -> bytes:
    return f"Date: {formatdate(now, usegmt=True)}\r\n".encode()
