"""`/api/live-log`: every HTTP request of the installation as it is answered, without anything secret."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from aiohttp import web

from octonet.admin.authority import Authority, LetIn
from octonet.admin.http import nowhere, only, steps
from octonet.admin.rights import BYPASS
from octonet.transport import HttpDoor, Incoming, Stream

STREAM_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
}

Watch = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens a look at the requests: JSON texts, empty ones now and then while nothing happens."""


class LiveLogDoor:
    """`let_in` is the gate's."""

    def __init__(self, watch: Watch, let_in: LetIn, authority: Authority) -> None:
        self._watch = watch
        self._let_in = let_in
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/live-log": Stream(self.serve)}

    async def serve(self, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        """Until the client leaves."""
        by = await self._let_in(incoming)
        if steps(incoming) != [""]:
            raise nowhere(incoming)
        only(incoming, "GET")
        await self._authority.check(by, BYPASS)
        response = web.StreamResponse(headers={**STREAM_HEADERS, **incoming.shared})
        async with self._watch() as lines:
            await response.prepare(request)
            await response.write(b'data: {"type":"connected"}\n\n')
            async for line in lines:
                # A client that is slow to read holds up nobody: what it misses meanwhile is left out.
                await response.write(b"data: " + line + b"\n\n" if line else b":\n\n")
        return response
