"""Speaks JSON-RPC with jsonrpcclient."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from jsonrpcclient import Error, Ok, parse, request_uuid

from tests.conformance.clients import Call, Json, NotLetIn, Place


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package."""
    async with aiohttp.ClientSession(headers={"X-API-Key": key} if key else None) as session:

        async def call(request: dict[str, Json]) -> tuple[str, Json]:
            params = dict(request)
            method = f"{params.pop('entity')}.{params.pop('op')}"
            message = request_uuid(method, params=params)
            async with session.post(f"{place.url}/rpc", json=message) as response:
                if response.status == 401:
                    raise NotLetIn(response.status)
                told = parse(await response.json())
            match told:
                case Ok(result, id):
                    assert id == message["id"]
                    return "ok", {"status": "ok", **result}
                case Error(_, _, data, id):
                    # What cannot be read is refused whole, and has no id.
                    unread = data["code"] == "PARSE_ERROR" and id is None
                    assert response.status == (400 if unread else 200), data
                    assert unread or id == message["id"]
                    return data["code"], {"status": "error", "error": data}
            raise AssertionError(told)

        yield call
