"""Serves an ASGI application from within the host: no second port, no second server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from aiohttp import web

from octonet.transport import Incoming, Reply

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
STATE: Final = "octonet"
"""Where a scope carries what the door knows of a request."""
_LOOK: Final = 1.0
"""Seconds between two looks whether a client is still there."""
_HOP: Final = frozenset({"connection", "date", "server", "transfer-encoding"})
_EVERY: Final = {"Server": "octonet", "X-Content-Type-Options": "nosniff"}
_OURS: Final = frozenset({"content-length", "content-type", "connection", "date", "server"})


def scope(incoming: Incoming, state: object) -> MutableMapping[str, Any]:
    """The ASGI scope of a request."""
    path, _, query = incoming.target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": incoming.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (name.encode("latin-1", "replace"), value.encode("utf-8", "surrogateescape"))
            for name, value in incoming.headers.items()
        ],
        "client": (incoming.address, 0),
        "server": None,
        STATE: state,
    }


async def stream(
    application: Application, request: web.BaseRequest, incoming: Incoming, state: object
) -> web.StreamResponse:
    """The application's answer, as it comes. One that goes on is told when its client has left."""
    asked = [incoming.body]
    response: web.StreamResponse | None = None

    def gone() -> bool:
        return request.transport is None or request.transport.is_closing()

    async def receive() -> Message:
        if asked:
            return {"type": "http.request", "body": asked.pop(), "more_body": False}
        while not gone():
            await asyncio.sleep(_LOOK)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        with contextlib.suppress(ConnectionError):
            await write(message)

    async def write(message: Message) -> None:
        nonlocal response
        if gone():
            # It hears of that where it waits for more.
            return
        if message["type"] == "http.response.start":
            told = {name.decode("latin-1"): value.decode("latin-1") for name, value in message.get("headers", ())}
            kept = {name: value for name, value in told.items() if name.lower() not in _HOP}
            response = web.StreamResponse(status=int(message["status"]), headers={**_EVERY, **kept, **incoming.shared})
            await response.prepare(request)
            return
        if response is None:
            return
        if message.get("body"):
            await response.write(message["body"])
        if not message.get("more_body", False):
            await response.write_eof()

    await application(scope(incoming, state), receive, send)
    if response is None:
        raise ConnectionError("the client left before there was an answer")
    return response


async def whole(application: Application, incoming: Incoming, state: object) -> Reply:
    """The application's answer, when it is complete."""
    asked = [incoming.body]
    status, headers, kind = 500, dict[str, str](), ""
    body = bytearray()

    async def receive() -> Message:
        if asked:
            return {"type": "http.request", "body": asked.pop(), "more_body": False}
        # Whoever waits for the end of the connection is cancelled with the request.
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Message) -> None:
        nonlocal status, kind
        if message["type"] == "http.response.start":
            status = int(message["status"])
            for name, value in message.get("headers", ()):
                headers[name.decode("latin-1").lower()] = value.decode("latin-1")
            kind = headers.get("content-type", "")
        else:
            body.extend(message.get("body", b""))

    await application(scope(incoming, state), receive, send)
    told = {name.title(): value for name, value in headers.items() if name not in _OURS}
    return Reply(bytes(body), status, told, kind or "application/json")
