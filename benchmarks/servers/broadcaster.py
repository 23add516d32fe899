"""The plain way to fan out: aiohttp SSE, a queue and a task per client."""

from __future__ import annotations

import asyncio
import sys

import msgspec
import uvloop
from aiohttp import web

from benchmarks.servers.bare import Item

_decoder = msgspec.json.Decoder(Item)
_queues: set[asyncio.Queue[bytes]] = set()


async def create(request: web.Request) -> web.Response:
    """POST: every client's queue gets the event."""
    item = _decoder.decode(await request.read())
    body = msgspec.json.encode({"entity": "Item", "data": item})
    for queue in _queues:
        queue.put_nowait(b"event: entity.created\ndata: " + body + b"\n\n")
    return web.Response(body=body, status=201)


async def events(request: web.Request) -> web.StreamResponse:
    """GET: one client."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b":ok\n\n")
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    _queues.add(queue)
    try:
        while True:
            await response.write(await queue.get())
    finally:
        _queues.discard(queue)


def main(port: int) -> None:
    """Serve until killed."""
    uvloop.install()
    app = web.Application()
    app.router.add_post("/api/v1/Item", create)
    app.router.add_get("/events", events)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=lambda *_: None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
