"""Speaks tRPC with the client that TypeScript programs use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from commands import COMMANDS
from tests import peers
from tests.conformance.clients import Call, Json, NotLetIn, Place


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package."""
    peer = peers.standing("trpc.mjs")

    async def call(request: dict[str, Json]) -> tuple[str, Json]:
        given = dict(request)
        op, entity = given.pop("op"), given.pop("entity")
        kind = "mutation" if op in COMMANDS else "query"
        asked = {"url": f"{place.url}/trpc", "key": key, "kind": kind, "path": f"{entity}.{op}", "input": given}
        told = await peer.ask(asked)
        if "ok" in told:
            return "ok", told["ok"]
        if told["status"] == 401:
            raise NotLetIn(401)
        error = told["error"]["data"]["octonet"]
        assert 400 <= told["status"] < 500, told
        return error["code"], {"status": "error", "error": error}

    yield call
