"""Speaks NATS with nats-py."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import nats
from nats.errors import NoRespondersError

from jetstream.server import find_running
from tests.conformance.clients import Call, Json, NotLetIn, Place


def subject(project: str, entity: str, op: str) -> str:
    """Where an operation is asked for. What no token of a subject can hold is percent-encoded."""
    return ".".join(["mostajs", *([project] if project else []), quote(entity, safe="$"), op])


def read(message: Json) -> tuple[str, Json]:
    """What an answer says; its headers say the same."""
    told = json.loads(message.data)
    headers = message.headers or {}
    if told["status"] == "ok":
        assert "Nats-Service-Error" not in headers
        if "position" in told:
            assert headers["Octonet-Position"] == told["position"]
        return "ok", told
    code = told["error"]["code"]
    assert headers["Nats-Service-Error"].startswith(f"{code}: ")
    assert 400 <= int(headers["Nats-Service-Error-Code"]) < 500, told
    return code, told


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package. Without a key as anybody; with one as a program of the house that passes on whose request it
    is: what a tenant can do who connects by the key itself is tested elsewhere."""
    if place.server.is_open:
        client = await nats.connect(place.server.listens["nats"])
    else:
        endpoint = find_running(place.server.directory / "nats")
        assert endpoint is not None
        client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)

    async def call(request: dict[str, Json]) -> tuple[str, Json]:
        given = dict(request)
        op, entity = given.pop("op"), given.pop("entity")
        headers = {"X-API-Key": key} if key else None
        body = json.dumps(given).encode()
        try:
            message = await client.request(subject(place.project, entity, op), body, timeout=60, headers=headers)
        except NoRespondersError:
            # NATS itself says so of an operation that nobody listens for.
            message_ = f"nobody answers {op!r}"
            return "UNKNOWN_OP", {"status": "error", "error": {"code": "UNKNOWN_OP", "message": message_}}
        code, told = read(message)
        if code == "UNAUTHORIZED":
            raise NotLetIn(401)
        return code, told

    try:
        yield call
    finally:
        await client.close()
