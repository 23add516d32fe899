"""Speaks WebSocket: one connection, requests told apart by what the client calls them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import aiohttp

from tests.conformance.clients import Call, Json, NotLetIn, Place


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package."""
    waiting: dict[int, asyncio.Future[Json]] = {}
    numbers = count(1)

    async def listen(socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            told = message.json()
            if told["type"] == "response":
                # What could not be read is answered without its number.
                waiting.pop(told.get("requestId") or min(waiting)).set_result(told)

    async with aiohttp.ClientSession(headers={"X-API-Key": key} if key else None) as session:
        try:
            socket = await session.ws_connect(f"{place.url}/ws?events=none")
        except aiohttp.WSServerHandshakeError as refused:
            raise NotLetIn(refused.status) from None
        listening = asyncio.create_task(listen(socket))

        async def call(request: dict[str, Json]) -> tuple[str, Json]:
            number = next(numbers)
            future = waiting[number] = asyncio.get_running_loop().create_future()
            await socket.send_str(json.dumps({"requestId": number, **request}))
            told = await asyncio.wait_for(future, 90)
            return ("ok" if told["status"] == "ok" else told["error"]["code"]), told

        try:
            yield call
        finally:
            await socket.close()
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
