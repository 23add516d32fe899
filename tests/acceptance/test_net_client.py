"""What existing clients send, call by call (reference, section 6): against the server's root, and a project's path.

Every call carries a JSON content type, also those without a body; a body that is not JSON, or a status beyond 2xx,
makes the client throw.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
AUTHOR = {"name": "Author", "collection": "authors", "fields": {"name": {"type": "string", "required": True}}}
BOOK = {
    "name": "Book",
    "collection": "books",
    "timestamps": True,
    "fields": {
        "title": {"type": "string", "required": True, "unique": True},
        "pages": {"type": "number", "default": 0},
        "tags": {"type": "array", "arrayOf": "string"},
    },
    "relations": {"author": {"target": "Author", "type": "many-to-one", "nullable": True}},
}


class NetClient:
    """The calls of the predecessor's client, as its users make them."""

    def __init__(self, session: aiohttp.ClientSession, base: str, key: str) -> None:
        self._session = session
        self._base = base
        self._headers = {"Content-Type": "application/json", "X-API-Key": key}

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        asked = {name: value if isinstance(value, str) else json.dumps(value) for name, value in query.items()}
        url = self._base + path + (f"?{urlencode(asked)}" if asked else "")
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, url, data=data, headers=self._headers) as reply:
            told = await reply.json()
            assert 200 <= reply.status < 300, told
            return told

    async def data(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return (await self.call(method, f"/api/v1{path}", body, **query))["data"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("net-client") / "data", SHOP, OCTONET_OPEN_MODE="") as found:
        yield found


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    made = server.launch("keys", "issue", "client", "--projects", "*", "--operations", "read,write,admin")
    line = made.output.until(lambda line: line.startswith("sk_"), 60)
    assert made.reap() == 0
    assert line is not None
    return line.strip()


@pytest.fixture(params=["", "/library"])
async def client(request: pytest.FixtureRequest, server: Server, key: str) -> AsyncIterator[NetClient]:
    async with aiohttp.ClientSession() as session:
        root = NetClient(session, server.url, key)
        if request.param and "library" not in {p["name"] for p in await root.call("GET", "/api/projects")}:
            await root.call("POST", "/api/projects", {"name": "library", "schemas": [AUTHOR]})
        found = NetClient(session, server.url + request.param, key)
        await found.call("POST", "/api/upload-schemas-json", {"schemas": [AUTHOR, BOOK]})
        yield found


async def test_every_call_of_the_client_works(client: NetClient) -> None:
    async with aiohttp.ClientSession() as bare, bare.get(client._base + "/health") as reply:
        assert reply.ok

    author = await client.data("POST", "/authors", {"name": "Ursula"})
    made = await client.data("POST", "/books", {"title": "one", "pages": 3, "tags": ["a"], "author": author["id"]})
    await client.data("POST", "/books", {"title": "two"})
    at = f"/books/{made['id']}"

    found = await client.data("GET", "/books", filter={"pages": {"$gte": 0}}, sort={"title": -1}, limit="1", skip="1")
    assert [row["title"] for row in found] == ["one"]
    assert set((await client.data("GET", "/books", filter={}, select="title"))[0]) == {"id", "title"}
    assert "pages" not in (await client.data("GET", "/books", filter={}, exclude="pages"))[0]
    assert (await client.data("GET", "/books/one", filter={"title": "two"}))["title"] == "two"
    assert (await client.data("GET", at))["pages"] == 3
    assert (await client.data("PUT", at, {"pages": 4}))["pages"] == 4

    assert (await client.data("POST", "/books/upsert", {"filter": {"title": "three"}, "data": {"title": "three"}}))[
        "id"
    ]
    assert await client.data("GET", "/books/count", filter={}) == 3
    [row] = await client.data(
        "GET", "/books", filter={"title": "one"}, relations="author", sort={}, limit="5", skip="0"
    )
    assert row["author"]["name"] == "Ursula"
    assert (await client.data("GET", at, relations="author"))["author"]["name"] == "Ursula"

    assert (await client.data("POST", f"{at}/addToSet", {"field": "tags", "value": "b"}))["tags"] == ["a", "b"]
    assert (await client.data("POST", f"{at}/pull", {"field": "tags", "value": "a"}))["tags"] == ["b"]
    assert (await client.data("POST", f"{at}/increment", {"field": "pages", "amount": 2}))["pages"] == 6
    hits = await client.data("POST", "/books/search", {"query": "tw", "fields": ["title"], "options": {}})
    assert [row["title"] for row in hits] == ["two"]
    [group] = await client.data("POST", "/books/aggregate", {"stages": [{"$group": {"_by": None, "n": {"$sum": 1}}}]})
    assert group["n"] == 3

    many = await client.call("PUT", "/api/v1/books/bulk", {"filter": {"pages": 0}, "data": {"pages": 1}})
    assert many["metadata"]["count"] == 2
    gone = await client.call("DELETE", "/api/v1/books/bulk", {"filter": {"pages": 1}})
    assert gone["metadata"]["count"] == 2
    # Without a body, and with a JSON content type all the same.
    await client.call("DELETE", f"/api/v1{at}")
    await client.call("DELETE", f"/api/v1/authors/{author['id']}")
    assert await client.data("GET", "/books/count", filter={}) == 0


async def test_every_administrative_call_of_the_client_works(client: NetClient) -> None:
    assert (await client.call("POST", "/api/test-connection"))["ok"] is True
    told = await client.call("GET", "/api/schemas-config")
    assert {"Author", "Book"} <= {entity["name"] for entity in told["schemas"]}
    compared = await client.call("POST", "/api/compare-schema", {"schema": BOOK})
    assert compared["data"] == {"compatible": True, "exists": True, "diffs": []}
    described = [{"indexes": [], "relations": {}, "timestamps": False, **entity} for entity in (AUTHOR, BOOK)]
    applied = await client.call("POST", "/api/apply-schema", {"schemas": described})
    assert applied["ok"] is True
    assert {"authors", "books"} <= set(applied["tables"])
    uploaded = await client.call("POST", "/api/upload-schemas-json", {"schemas": [AUTHOR, BOOK]})
    assert (uploaded["ok"], uploaded["needsRestart"]) == (True, False)
    async with aiohttp.ClientSession() as bare, bare.get(client._base + "/health") as reply:
        assert "Book" in (await reply.json())["entities"]
