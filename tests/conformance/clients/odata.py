"""Speaks OData through python-odata: what OData has words for by its own requests, the rest by bound actions."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, quote, urlsplit

import requests
from odata.context import Context
from odata.exceptions import ODataError

from tests.conformance.clients import Call, Json, Place
from tests.conformance.odata_words import RELATIONS, Native, native

_HEADER = {
    "idempotencyKey": "Idempotency-Key",
    "expectedVersion": "If-Match",
    "minPosition": "Octonet-Min-Position",
    "dryRun": "Octonet-Dry-Run",
}
_GONE = "NOT_FOUND"


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package."""
    with requests.Session() as session:
        if key:
            session.headers["X-API-Key"] = key
        client = _Client(place.url, session)

        async def call(request: dict[str, Json]) -> tuple[str, Json]:
            return await asyncio.to_thread(client.ask, request)

        yield call


class _Client:
    """The requests of one connection; the library tells no headers, so that each answer is caught as it comes."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self._root = f"{url}/odata"
        self._connection = Context(session=session).connection
        self._caught = threading.local()
        session.hooks["response"].append(self._catch)

    def _catch(self, response: requests.Response, **_: Json) -> None:
        self._caught.response = response

    def ask(self, request: dict[str, Json]) -> tuple[str, Json]:
        members = dict(request)
        headers = {_HEADER[name]: _header(name, members.pop(name)) for name in _HEADER if name in members}
        op, entity = members.pop("op"), members.pop("entity")
        found = native(op, entity, members)
        try:
            told = self._act(op, entity, members, headers) if found is None else self._ask(op, entity, found, headers)
        except ODataError as problem:
            return problem.code, {"status": "error", "error": self._refused(problem.code)}
        answer = self._caught.response.headers
        if "Octonet-Position" in answer:
            told["position"] = answer["Octonet-Position"]
        if "ETag" in answer:
            told["version"] = json.loads(answer["ETag"].strip('"'))
        return "ok", {"status": "ok", **told}

    def _refused(self, code: str) -> Json:
        response = self._caught.response
        assert 400 <= response.status_code < 500, response.text
        error = response.json()["error"]
        assert error["code"] == code
        faults = [{"path": each["target"]} for each in error.get("details", [])]
        return {"code": error["code"], "message": error["message"], "details": faults}

    def _ask(self, op: str, entity: str, wish: Native, headers: dict[str, str]) -> Json:
        url = f"{self._root}/{quote(entity, safe='')}"
        if wish.id is not None:
            url += "('{}')".format(quote(wish.id.replace("'", "''"), safe=""))
        match op:
            case "create":
                return {"data": _row(self._connection.execute_post(url, wish.data, extra_headers=headers))}
            case "update":
                return {"data": self._update(url, wish.data, headers)}
            case "delete":
                return {"data": self._delete(url, headers)}
            case "findById":
                return {"data": self._get(url, wish.options, headers)}
            case "count":
                told = self._connection.execute_get(f"{url}/$count", wish.options, True, headers)
                return {"data": int(told), "metadata": {"total": int(told)}}
        if wish.page:
            headers = {**headers, "Prefer": f"odata.maxpagesize={wish.page}"}
        told = self._connection.execute_get(url, wish.options, extra_headers=headers)
        rows = [_row(row) for row in told["value"]]
        if op == "findOne":
            return {"data": rows[0] if rows else None}
        metadata = {"count": len(rows)}
        if "@odata.nextLink" in told:
            metadata["cursor"] = parse_qs(urlsplit(told["@odata.nextLink"]).query)["$skiptoken"][0]
        return {"data": rows, "metadata": metadata}

    def _get(self, url: str, options: dict[str, str], headers: dict[str, str]) -> Json:
        try:
            return _row(self._connection.execute_get(url, options, extra_headers=headers))
        except ODataError as problem:
            if problem.code == _GONE:
                return None
            raise

    def _update(self, url: str, data: Json, headers: dict[str, str]) -> Json:
        """Without a condition of its own it is one on there being such a row, or else it would make one."""
        try:
            return _row(self._connection.execute_patch(url, data, extra_headers={"If-Match": "*", **headers}))
        except ODataError as problem:
            if problem.code == "VERSION_MISMATCH" and "If-Match" not in headers:
                return None
            raise

    def _delete(self, url: str, headers: dict[str, str]) -> bool:
        try:
            self._connection.execute_delete(url, extra_headers=headers)
        except ODataError as problem:
            if problem.code == _GONE:
                return False
            raise
        return True

    def _act(self, op: str, entity: str, members: dict[str, Json], headers: dict[str, str]) -> Json:
        url = f"{self._root}/{quote(entity, safe='')}/MostaJS.{op}"
        told = self._connection.execute_post(url, members, extra_headers=headers)
        if told is None:
            return {"data": None}
        if "value" not in told:
            return {"data": _row(told, members)}
        value = told["value"]
        if isinstance(value, bool):
            return {"data": value}
        if isinstance(value, int):
            return {
                "count": {"data": value, "metadata": {"total": value}},
                "deleteMany": {"data": value, "metadata": {"count": value}},
                "updateMany": {"metadata": {"count": value}},
            }[op]
        metadata = {"count": len(value)}
        if "@MostaJS.cursor" in told:
            metadata["cursor"] = told["@MostaJS.cursor"]
        return {"data": [_row(row, members) for row in value], "metadata": metadata}


def _header(name: str, value: Json) -> str:
    if isinstance(value, bool):
        return json.dumps(value)
    return f'"{value}"' if name == "expectedVersion" and value != "*" else str(value)


def _row(told: Json, members: dict[str, Json] | None = None) -> Json:
    """A row by the names that all other doors know: ids stand where the relation does."""
    row: dict[str, Json] = {}
    if members is not None and (members.get("options") or {}).get("versions"):
        row["_version"] = json.loads(told["@odata.etag"].strip('"'))
    for name, value in told.items():
        if name == "@odata.etag" or "@odata." in name:
            continue
        short = name.removesuffix("_ids") if name.endswith("_ids") else name.removesuffix("_id")
        if short != name and short in told:
            continue
        row[short] = _related(value) if name in RELATIONS else value
    return row


def _related(value: Json) -> Json:
    if isinstance(value, list):
        return [_related(each) for each in value]
    return _row(value) if isinstance(value, dict) else value
