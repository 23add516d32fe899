"""Speaks Arrow Flight with pyarrow: each operation as the action of its name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pyarrow as pa
from pyarrow import flight

from tests.conformance.clients import Call, Json, NotLetIn, Place


def location(place: Place) -> str:
    """Where Flight is, as its clients want it."""
    return place.server.listens["arrow"].replace("arrow://", "grpc://")


def options(key: str, project: str) -> flight.FlightCallOptions:
    """The headers of every call."""
    headers = [(b"authorization", f"Bearer {key}".encode())] if key else []
    headers += [(b"x-project", project.encode())] if project else []
    return flight.FlightCallOptions(timeout=90, headers=headers)


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package."""
    with flight.connect(location(place)) as client:
        headers = options(key, place.project)

        def act(op: str, body: bytes) -> bytes:
            results = list(client.do_action(flight.Action(op, body), headers))
            assert len(results) == 1
            return bytes(results[0].body.to_pybytes())

        async def call(request: dict[str, Json]) -> tuple[str, Json]:
            members = dict(request)
            op = members.pop("op")
            try:
                told = await asyncio.to_thread(act, op, json.dumps(members).encode())
            except (flight.FlightError, pa.ArrowException) as problem:
                return _failed(problem)
            return "ok", json.loads(told)

        yield call


def _failed(problem: Exception) -> tuple[str, Json]:
    error = json.loads(problem.extra_info)  # type: ignore[attr-defined]
    assert "Traceback" not in str(problem)
    if isinstance(problem, flight.FlightUnauthenticatedError):
        raise NotLetIn(401) from None
    return error["code"], {"status": "error", "error": error}
