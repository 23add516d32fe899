"""An answer of server-sent events: open as long as client and server want it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import HttpVersion11, web

from octonet.kernel.position import Position
from transports.engine import frames
from transports.engine.outlet import Outlet

HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
    "Server": "octonet",
}
_LAST_CHUNK: Final = b"0\r\n\r\n"


class EventStream:
    """One open answer. Everything is written through `outlet`, wrapped. When more than `bound` bytes wait for the
    client it is cut, with the text that `farewell` makes of the reason and of the position it can resume from."""

    def __init__(
        self,
        request: web.BaseRequest,
        headers: Mapping[str, str],
        bound: int,
        farewell: Callable[[str, Position], bytes],
    ) -> None:
        self.chunked = request.version >= HttpVersion11
        """Whether what is written stands in chunks: clients of HTTP/1.0 do not know them."""
        self._request = request
        self._response = web.StreamResponse(headers={**HEADERS, **headers})
        if self.chunked:
            self._response.enable_chunked_encoding()
        else:
            self._response.force_close()
        end = _LAST_CHUNK if self.chunked else b""
        self.outlet = Outlet(request, bound, lambda reason, at: self.wrap(farewell(reason, at)) + end)

    def wrap(self, text: bytes) -> bytes:
        """A piece of the stream as it stands on the wire."""
        return frames.chunk(text) if self.chunked and text else text

    async def open(self, greeting: bytes) -> None:
        """Send the headers, the greeting, and what was held back so far."""
        await self._response.prepare(self._request)
        self.outlet.open(self.wrap(greeting))

    async def stay(self, beat: bytes, every: float) -> None:
        """Give a sign of life every so many seconds until it is over."""
        beat = self.wrap(beat)
        while not self.outlet.over.is_set():
            try:
                async with asyncio.timeout(every):
                    await self.outlet.over.wait()
            except TimeoutError:
                self.outlet.write(beat)

    async def close(self, last: bytes = b"") -> web.StreamResponse:
        """End it in good order, if the client is still there."""
        if not self.outlet.gone:
            if last:
                await self._response.write(last)
            await self._response.write_eof()
        return self._response
