"""Entities come, change and go while the server runs; what would lose data is named, and done only when it is meant."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
MEMO = {
    "name": "Memo",
    "collection": "memos",
    "fields": {"text": {"type": "text"}, "rank": {"type": "number", "unique": True}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("schemas") / "data", SHOP) as found:
        yield found


@pytest.fixture
async def session(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url) as found:
        yield found


async def ask(session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with session.request(method, path, json=body) as reply:
        return reply.status, await reply.json()


async def project(session: aiohttp.ClientSession, name: str) -> str:
    """A project of its own for a test."""
    status, told = await ask(session, "POST", "/api/projects", {"name": name, "schemas": [MEMO]})
    assert status == 201, told
    return f"/{name}"


async def test_an_uploaded_entity_is_served_at_once_beside_the_others(session: aiohttp.ClientSession) -> None:
    at = await project(session, "up")
    other = {"name": "Other", "collection": "others", "fields": {"word": {"type": "string", "required": True}}}
    status, told = await ask(session, "POST", f"{at}/api/upload-schemas-json", {"schemas": [other]})
    assert (status, told) == (200, {"ok": True, "count": 2, "needsRestart": False, "schemas": ["Memo", "Other"]})
    assert (await ask(session, "POST", f"{at}/api/v1/others", {"word": "yes"}))[0] == 201
    assert (await ask(session, "POST", f"{at}/api/v1/memos", {"text": "still"}))[0] == 201
    told = (await ask(session, "GET", f"{at}/api/schemas-config"))[1]
    assert (told["schemaCount"], [s["name"] for s in told["schemas"]]) == (2, ["Memo", "Other"])
    assert "others" in (await ask(session, "POST", f"{at}/api/apply-schema"))[1]["tables"]


async def test_an_archive_is_read_and_only_its_json(session: aiohttp.ClientSession) -> None:
    at = await project(session, "zipped")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("other.json", json.dumps({"name": "Other", "collection": "others", "fields": {}}))
        archive.writestr("evil.schema.ts", "process.exit(1)")
    told = await ask(session, "POST", f"{at}/api/upload-schemas", {"zip": base64.b64encode(packed.getvalue()).decode()})
    assert told == (200, {"ok": True, "count": 2, "needsRestart": False, "schemas": ["Memo", "Other"]})


@pytest.mark.parametrize("zip", ["not base64!", base64.b64encode(b"PK nothing").decode(), ""])
async def test_what_is_no_archive_is_refused(session: aiohttp.ClientSession, zip: str) -> None:
    status, told = await ask(session, "POST", "/api/upload-schemas", {"zip": zip})
    assert (status, told["error"]["details"][0]["path"]) == (422, "$.zip")


async def test_what_an_entity_would_change_is_told_and_not_done(session: aiohttp.ClientSession) -> None:
    at = await project(session, "compared")
    same = (await ask(session, "POST", f"{at}/api/compare-schema", {"schema": MEMO}))[1]["data"]
    assert same == {"compatible": True, "exists": True, "diffs": []}
    changed = {**MEMO, "fields": {"text": {"type": "string"}}}
    told = (await ask(session, "POST", f"{at}/api/compare-schema", {"schema": changed}))[1]["data"]
    assert not told["compatible"]
    assert {(d["type"], d["field"]) for d in told["diffs"]} == {("type-changed", "text"), ("field-removed", "rank")}
    assert (await ask(session, "POST", f"{at}/api/compare-schema", {"schema": MEMO}))[1]["data"] == same


async def test_what_loses_data_is_named_and_needs_to_be_meant(session: aiohttp.ClientSession) -> None:
    at = await project(session, "losing")
    assert (await ask(session, "POST", f"{at}/api/v1/memos", {"text": "kept", "rank": 1}))[0] == 201
    narrow = {**MEMO, "fields": {"text": {"type": "text"}}}
    status, told = await ask(session, "POST", f"{at}/api/upload-schemas-json", {"schemas": [narrow]})
    assert (status, told["error"]["code"]) == (409, "CONFIRM_NEEDED")
    assert [fault["path"] for fault in told["error"]["details"]] == ["$.Memo.fields.rank"]
    assert (await ask(session, "GET", f"{at}/api/v1/memos"))[1]["data"][0]["rank"] == 1
    wish = {"schemas": [narrow], "confirm": True}
    assert (await ask(session, "POST", f"{at}/api/upload-schemas-json", wish))[0] == 200
    assert "rank" not in (await ask(session, "GET", f"{at}/api/v1/memos"))[1]["data"][0]


async def test_what_rows_stand_against_is_refused_and_all_stays_as_it_was(session: aiohttp.ClientSession) -> None:
    at = await project(session, "standing")
    for _ in range(2):
        assert (await ask(session, "POST", f"{at}/api/v1/memos", {"text": "twice"}))[0] == 201
    fields = {"text": {"type": "text", "unique": True}, "rank": {"type": "number", "unique": True}}
    status, told = await ask(session, "POST", f"{at}/api/apply-schema", {"schemas": [{**MEMO, "fields": fields}]})
    assert (status, told["error"]["code"]) == (409, "SCHEMA_CONFLICT"), told
    assert "text" in told["error"]["message"]
    async with asyncio.timeout(60):
        while (await ask(session, "POST", f"{at}/api/v1/memos", {"text": "twice"}))[0] != 201:
            await asyncio.sleep(0.05)
    assert (await ask(session, "GET", f"{at}/api/v1/memos/count"))[1]["data"] == 3


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/upload-schemas-json", {"schemas": []}, 422),
        ("/api/upload-schemas-json", {}, 422),
        ("/api/upload-schemas-json", {"schemas": "all"}, 400),
        ("/api/upload-schemas-json", {"schemas": [{"collection": "x"}]}, 422),
        ("/api/upload-schemas-json", {"schemas": [{**MEMO, "fields": {"a": {"type": "texd"}}}]}, 422),
        ("/api/compare-schema", {}, 400),
        ("/api/compare-schema", {"schema": {"name": "X"}}, 422),
        ("/nowhere/api/apply-schema", {}, 404),
    ],
)
async def test_a_faulty_schema_is_refused(session: aiohttp.ClientSession, path: str, body: Any, status: int) -> None:
    found, told = await ask(session, "POST", path, body)
    assert (found, told["status"]) == (status, "error"), told


async def test_a_database_is_tried_without_a_trace(session: aiohttp.ClientSession, server: Server) -> None:
    status, told = await ask(session, "POST", "/api/test-connection")
    assert (status, told["ok"], told["dialect"]) == (200, True, "sqlite")
    wish = {"dialect": "sqlite", "uri": "sqlite:///new/tried.db"}
    assert (await ask(session, "POST", "/api/test-connection", wish))[1]["ok"] is True
    assert not (server.directory / "new").exists()
    status, told = await ask(session, "POST", "/api/test-connection", {"dialect": "sqlite", "uri": "sqlite:////etc/x"})
    assert (status, told["error"]["code"]) == (422, "PLACE_NOT_ALLOWED")


async def test_the_settings_are_told_without_secrets(session: aiohttp.ClientSession) -> None:
    status, told = await ask(session, "GET", "/api/config-tree")
    assert status == 200
    assert set(told["tree"]) == {"database", "server", "transports", "projects"}
    assert "raw" not in told
