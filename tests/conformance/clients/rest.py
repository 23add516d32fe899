"""Speaks REST: each operation by its own address."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from tests.conformance.clients import Call, Json, Place

_LOOKS = {"findAll": "", "findOne": "/one", "count": "/count"}
_BULK = {"updateMany": "PUT", "deleteMany": "DELETE"}
_ON_ONE = ("addToSet", "pull", "increment")
_CSV = ("select", "exclude")
_PARAMETER = {"after": "cursor"}
_HEADER = {
    "idempotencyKey": "Idempotency-Key",
    "expectedVersion": "If-Match",
    "minPosition": "Octonet-Min-Position",
    "dryRun": "Octonet-Dry-Run",
}


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package."""
    async with aiohttp.ClientSession(headers={"X-API-Key": key} if key else None) as session:

        async def call(request: dict[str, Json]) -> tuple[str, Json]:
            members = dict(request)
            headers = {_HEADER[name]: _header(name, members.pop(name)) for name in _HEADER if name in members}
            method, path, body = spell(members)
            address = URL(place.url + path, encoded=True)
            async with session.request(method, address, json=body, headers=headers) as response:
                told = await response.json()
                if "Octonet-Position" in response.headers:
                    told["position"] = response.headers["Octonet-Position"]
                if "ETag" in response.headers:
                    told["version"] = json.loads(response.headers["ETag"].strip('"'))
                succeeded = response.status in (200, 201)
            assert succeeded is (told["status"] == "ok"), (response.status, told)
            assert succeeded or 400 <= response.status < 500, (response.status, told)
            return ("ok" if succeeded else told["error"]["code"]), told

        yield call


def _header(name: str, value: Json) -> str:
    quoted = name == "expectedVersion" and value != "*"
    return f'"{value}"' if quoted else json.dumps(value) if isinstance(value, bool) else str(value)


def spell(request: dict[str, Json]) -> tuple[str, str, Json]:
    """Method, path with query string, and body (None for none) of an OrmRequest."""
    members = dict(request)
    op, path = members.pop("op"), f"/api/v1/{quote(members.pop('entity'), safe='')}"
    if op in _LOOKS:
        return "GET", path + _LOOKS[op] + _query(members), None
    if op in _BULK:
        return _BULK[op], path + "/bulk", members
    id = quote(members.pop("id", ""), safe="")
    if op == "findById":
        return "GET", f"{path}/{id}{_query(members)}", None
    if op == "delete":
        return "DELETE", f"{path}/{id}", None
    if op in ("create", "update"):
        data = members.pop("data")
        path += "" if op == "create" else f"/{id}"
        return ("POST" if op == "create" else "PUT"), path + _query(members), data
    return "POST", f"{path}/{id}/{op}" if op in _ON_ONE else f"{path}/{op}", members


def _query(members: dict[str, Json]) -> str:
    found: dict[str, str] = {}
    if "filter" in members:
        found["filter"] = json.dumps(members["filter"])
    if "asOf" in members:
        found["asOf"] = members["asOf"]
    if "relations" in members:
        found["relations"] = ",".join(members["relations"])
    for name, value in members.get("options", {}).items():
        text = ",".join(value) if name in _CSV else value if isinstance(value, str) else json.dumps(value)
        found[_PARAMETER.get(name, name)] = text
    return f"?{urlencode(found)}" if found else ""
