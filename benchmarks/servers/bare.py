"""The floor: an aiohttp application that reads and checks a body, and answers from memory."""

from __future__ import annotations

import sys

import msgspec
import uvloop
from aiohttp import web


class Item(msgspec.Struct):
    """The body of a create."""

    name: str
    price: float
    category: str | None = None
    stock: float = 0
    active: bool = True
    made: str | None = None


_decoder = msgspec.json.Decoder(Item)
_ONE = b'{"status":"ok","data":{"id":"i00001","name":"bolt","price":2.5,"category":"metal","stock":1,"active":true}}'


async def write(request: web.Request) -> web.Response:
    """POST and PUT."""
    item = _decoder.decode(await request.read())
    return web.Response(body=msgspec.json.encode(item), content_type="application/json", status=201)


async def read(_: web.Request) -> web.Response:
    """GET."""
    return web.Response(body=_ONE, content_type="application/json")


def main(port: int) -> None:
    """Serve until killed."""
    uvloop.install()
    app = web.Application()
    app.router.add_post("/api/v1/Item", write)
    app.router.add_put("/api/v1/Item/{id}", write)
    app.router.add_get("/api/v1/Item", read)
    app.router.add_get("/api/v1/Item/{id}", read)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=lambda *_: None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
