"""The JSON response of the hot path: head and body joined once and written once."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion11
from multidict import CIMultiDict

JSON_HEADERS: Final[CIMultiDict[str]] = CIMultiDict(
    {"Content-Type": "application/json; charset=utf-8", "Server": "octonet", "X-Content-Type-Options": "nosniff"}
)
"""What every JSON reply starts from. Copied by each response; never changed."""

_FIXED: Final = "".join(f"{name}: {value}\r\n" for name, value in JSON_HEADERS.items()).encode()


class JsonReply(web.Response):
    """A JSON response. `extra` headers are ASCII text without line breaks.

    To a plain HTTP/1.1 request it is written in one piece, past aiohttp's general way of making a head, which costs
    as much as many an operation. Anything unusual (HEAD, HTTP/1.0, a connection that is to be closed, headers that
    somebody added) takes the general way.
    """

    def __init__(self, body: bytes, status: int = 200, extra: dict[str, str] | None = None) -> None:
        super().__init__(body=body, status=status, headers=JSON_HEADERS)
        if extra:
            self.headers.update(extra)
        self._expected = len(JSON_HEADERS) + len(extra or ())
        self._extra = extra
        self._text = body
        self._written = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write everything at once where nothing forbids it."""
        if (
            request.method == "HEAD"
            or request.version != HttpVersion11
            or self.keep_alive is False
            or not request.keep_alive
            or len(self.headers) != self._expected
        ):
            return await super().prepare(request)
        self._written = True
        await request.writer.write(_head(self.status, len(self._text), self._extra) + self._text)
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write after `prepare` wrote it all."""
        if not self._written:
            await super().write_eof(data)

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays open."""
        return True if self._written else super().keep_alive


def _head(status: int, length: int, extra: dict[str, str] | None) -> bytes:
    added = b"".join(f"{name}: {value}\r\n".encode() for name, value in extra.items()) if extra else b""
    return b"%b%b%bContent-Length: %d\r\n\r\n" % (_start(status), _date(int(time.time())), added, length)


@lru_cache(maxsize=64)
def _start(status: int) -> bytes:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode() + _FIXED


@lru_cache(maxsize=2)
def _date(now: int) -> bytes:
    return f"Date: {formatdate(now, usegmt=True)}\r\n".encode()
