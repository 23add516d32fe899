"""The history of a row: every version, the newest first, with who made it, when, how, and what it changed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.folded import SECRETS, Told, facts
from tests.acceptance.office import Office, chief, staffed, with_key
from tests.running import Server

ITEM = {
    "name": "Item",
    "collection": "items",
    "fields": {"name": {"type": "string"}, "n": {"type": "number"}, "password": {"type": "string"}},
    "softDelete": False,
}
Body = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with staffed(tmp_path_factory.mktemp("history") / "data") as found:
        yield found
        assert "Traceback" not in found.log()


@pytest.fixture
async def root(server: Server) -> Office:
    return await chief(server)


class Tenant:
    """A program with a key of its own for one project."""

    def __init__(self, office: Office, project: str) -> None:
        self.office = office
        self.project = project

    async def data(self, method: str, path: str, body: Any = None) -> Any:
        status, told = await self.office.ask(method, f"/{self.project}/api/v1{path}", body)
        assert status < 300, told
        return told.get("data")

    async def history(self, id: str, query: str = "", **headers: str) -> tuple[int, Body]:
        return await self.office.ask("GET", f"/{self.project}/api/v1/Item/{id}/history{query}", **headers)


@pytest.fixture
async def tenant(root: Office) -> Tenant:
    name = f"p{secrets.token_hex(4)}"
    assert await root.status("POST", "/api/projects", {"name": name, "schemas": [ITEM]}) == 201
    return Tenant(with_key(root.server, await root.key(projects=[name])), name)


async def _lived(tenant: Tenant) -> str:
    """A row that was made, changed, removed, and made again under its id."""
    await tenant.data("POST", "/Item", {"id": "row", "name": "a", "n": 1, "password": "first"})
    await tenant.data("PUT", "/Item/row", {"n": 2})
    await tenant.data("PUT", "/Item/row", {"password": "second"})
    await tenant.data("POST", "/Item/row/increment", {"field": "n", "amount": 5})
    await tenant.data("DELETE", "/Item/row")
    await tenant.data("POST", "/Item", {"id": "row", "name": "b", "n": 9})
    await tenant.data("PUT", "/Item/bulk", {"filter": {"id": "row"}, "data": {"n": 10}})
    return "row"


async def test_the_history_of_a_row_is_its_facts(tenant: Tenant) -> None:
    id = await _lived(tenant)
    told: list[Told] = []
    while len(told) < 7:
        told = await facts(tenant.office.server.directory, project=tenant.project)
    _, answer = await tenant.history(id)
    found = answer["data"]
    assert [(v["position"], v["fact"], v["version"], v["at"], v["command"], v["op"]) for v in found] == [
        (f.position, f.fact, f.version, f.at, f.command, f.op) for f in reversed(told)
    ]
    expected = [f.data and {n: v for n, v in f.data.items() if n not in SECRETS} for f in reversed(told)]
    assert [version["data"] for version in found] == expected


async def test_each_version_says_who_made_it_and_through_which_door(tenant: Tenant) -> None:
    id = await _lived(tenant)
    call = {"jsonrpc": "2.0", "id": 1, "method": "Item.update", "params": {"id": id, "data": {"n": 11}}}
    await tenant.office.raw("POST", f"/{tenant.project}/rpc", call)
    _, answer = await tenant.history(id)
    assert {version["transport"] for version in answer["data"][1:]} == {"rest"}
    assert answer["data"][0]["transport"] == "jsonrpc"
    [key] = {version["by"]["key"] for version in answer["data"]}
    # Its public part, or its id: never the key.
    assert key
    assert tenant.office.headers["X-API-Key"] != key


async def test_each_version_shows_what_it_changed_and_no_secret(tenant: Tenant) -> None:
    id = await _lived(tenant)
    reply = await tenant.office.raw("GET", f"/{tenant.project}/api/v1/Item/{id}/history")
    text = await reply.text()
    assert "first" not in text
    assert "second" not in text
    assert "$sealed" not in text
    found = (await reply.json())["data"]
    assert [version["changes"] for version in found] == [
        {"n": {"before": 9, "after": 10}},
        {"name": {"before": None, "after": "b"}, "n": {"before": None, "after": 9}},
        {"name": {"before": "a", "after": None}, "n": {"before": 7, "after": None}},
        {"n": {"before": 2, "after": 7}},
        {},
        {"n": {"before": 1, "after": 2}},
        {"name": {"before": None, "after": "a"}, "n": {"before": None, "after": 1}},
    ]
    # That a secret was changed may be known; what it was may not.
    assert found[4]["changed"] == ["password"]


async def test_a_history_comes_in_pages(tenant: Tenant) -> None:
    id = await _lived(tenant)
    _, whole = await tenant.history(id)
    pages: list[Any] = []
    cursor = ""
    while True:
        _, page = await tenant.history(id, f"?limit=3{cursor}")
        pages += page["data"]
        if "cursor" not in page["metadata"]:
            break
        assert len(page["data"]) == 3
        cursor = f"&cursor={page['metadata']['cursor']}"
    assert pages == whole["data"]


async def test_each_position_of_a_history_shows_the_row_as_it_was(tenant: Tenant) -> None:
    id = await _lived(tenant)
    _, answer = await tenant.history(id)
    asked = (tenant.data("GET", f"/Item/{id}?asOf={version['position']}") for version in answer["data"])
    for version, row in zip(answer["data"], await asyncio.gather(*asked), strict=True):
        assert row == version["data"]


async def test_what_is_asked_wrongly_is_refused(tenant: Tenant) -> None:
    id = await _lived(tenant)
    for query, code in (
        ("?limit=0", "LIMIT_TOO_LARGE"),
        ("?limit=101", "LIMIT_TOO_LARGE"),
        ("?limit=x", "INVALID_REQUEST"),
        ("?cursor=nonsense", "INVALID_POSITION"),
        ("?since=yesterday", "UNKNOWN_PARAMETER"),
    ):
        status, told = await tenant.history(id, query)
        assert (status, told["error"]["code"]) == (400, code)
    path = f"/{tenant.project}/api/v1"
    assert await tenant.office.code("GET", f"{path}/Nothing/x/history") == (404, "ENTITY_NOT_FOUND")
    assert await tenant.office.code("POST", f"{path}/Item/x/history", {}) == (405, "METHOD_NOT_ALLOWED")


async def test_a_row_that_never_was_has_no_history(tenant: Tenant) -> None:
    assert await tenant.history("never") == (200, {"status": "ok", "data": [], "metadata": {"count": 0}})
    status, told = await tenant.history("never", Prefer="handling=strict")
    assert (status, told["error"]["code"]) == (404, "NOT_FOUND")


async def test_whoever_may_not_read_sees_no_history_and_no_past(tenant: Tenant, root: Office) -> None:
    await _lived(tenant)
    position = (await tenant.history("row"))[1]["data"][0]["position"]
    writer = with_key(root.server, await root.key(projects=[tenant.project], operations=["write"]))
    for path in ("Item/row/history", f"Item/row?asOf={position}", f"Item/count?asOf={position}"):
        assert await writer.status("GET", f"/{tenant.project}/api/v1/{path}") == 403
        assert await Office(root.server).status("GET", f"/{tenant.project}/api/v1/{path}") == 401
