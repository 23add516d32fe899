"""REST: every route and spelling, and what is refused."""

from __future__ import annotations

import json

import aiohttp
import pytest
from yarl import URL

from tests.unit.transports.memory import MemoryGateway

USERS = "/api/v1/users"


async def create(client: aiohttp.ClientSession, **data: object) -> str:
    async with client.post(USERS, json=data) as reply:
        body = await reply.json()
        assert reply.status == 201, body
        return str(body["data"]["id"])


async def call(
    client: aiohttp.ClientSession, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, object]]:
    async with client.request(method, path, json=body, headers=headers) as reply:
        return reply.status, await reply.json()


def code(body: dict[str, object]) -> object:
    error = body["error"]
    assert isinstance(error, dict)
    assert body["status"] == "error"
    return error["code"]


async def test_create_answers_201_with_the_row_without_secrets_and_its_position(client: aiohttp.ClientSession) -> None:
    async with client.post(USERS, json={"name": "Ann", "password": "x", "id": "a"}) as reply:
        assert reply.status == 201
        assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
        assert reply.headers["Octonet-Position"]
        assert await reply.json() == {
            "status": "ok",
            "data": {"id": "a", "name": "Ann", "age": 0, "tags": None},
        }


async def test_entity_name_and_collection_name_mean_the_same(client: aiohttp.ClientSession) -> None:
    await create(client, name="Ann", id="a")
    assert await call(client, "GET", "/api/v1/User/a") == await call(client, "GET", "/api/v1/users/a")


@pytest.mark.parametrize(
    ("method", "path", "body", "data"),
    [
        ("GET", "/count", None, 2),
        ("GET", "/one?filter=" + '{"name":"Ben"}', None, {"id": "b", "name": "Ben", "age": 2, "tags": ["x"]}),
        ("GET", "/a", None, {"id": "a", "name": "Ann", "age": 1, "tags": ["x"]}),
        ("GET", "/a?select=name", None, {"id": "a", "name": "Ann"}),
        ("GET", "/none", None, None),
        ("PUT", "/a", {"age": 5}, {"id": "a", "name": "Ann", "age": 5, "tags": ["x"]}),
        ("PATCH", "/a", {"age": 5}, {"id": "a", "name": "Ann", "age": 5, "tags": ["x"]}),
        ("PUT", "/none", {"age": 5}, None),
        ("DELETE", "/a", None, True),
        ("DELETE", "/none", None, False),
        ("POST", "/upsert", {"filter": {"name": "Ann"}, "data": {"age": 9}},
         {"id": "a", "name": "Ann", "age": 9, "tags": ["x"]}),
        ("POST", "/aggregate", {"stages": [{"$group": {"_by": None, "n": {"$count": True}}}]}, [{"n": 2}]),
        ("POST", "/a/addToSet", {"field": "tags", "value": "y"},
         {"id": "a", "name": "Ann", "age": 1, "tags": ["x", "y"]}),
        ("POST", "/a/pull", {"field": "tags", "value": "x"}, {"id": "a", "name": "Ann", "age": 1, "tags": []}),
        ("POST", "/a/increment", {"field": "age", "amount": 3}, {"id": "a", "name": "Ann", "age": 4, "tags": ["x"]}),
    ],
)  # fmt: skip
async def test_route(client: aiohttp.ClientSession, method: str, path: str, body: object, data: object) -> None:
    await create(client, id="a", name="Ann", age=1, tags=["x"])
    await create(client, id="b", name="Ben", age=2, tags=["x"])
    status, found = await call(client, method, USERS + path, body)
    assert (status, found["status"], found["data"]) == (200, "ok", data)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/search?q=an", None),
        ("GET", "/search?query=an&fields=name&limit=5", None),
        ("POST", "/search", {"query": "an", "fields": ["name"], "options": {"limit": 5}}),
        ("POST", "/search", {"query": "an", "searchFields": ["name"]}),
        ("GET", '?filter={"name":"Ann"}', None),
        ("GET", '?sort={"age":1}&limit=1&skip=0', None),
        ("POST", "/findAll", {"filter": {"name": "Ann"}}),
    ],
)
async def test_every_spelling_of_a_search_finds_ann(
    client: aiohttp.ClientSession, method: str, path: str, body: object
) -> None:
    await create(client, id="a", name="Ann", age=1)
    await create(client, id="b", name="Ben", age=2)
    status, found = await call(client, method, USERS + path, body)
    assert status == 200, found
    assert [row["id"] for row in found["data"]] == ["a"]  # type: ignore[attr-defined]
    assert found["metadata"]["count"] == 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/bulk", {"filter": {"age": 1}, "data": {"age": 7}}),
        ("PATCH", "/bulk", {"filter": {"age": 1}, "data": {"age": 7}}),
        ("POST", "/updateMany", {"filter": {"age": 1}, "data": {"age": 7}}),
        ("POST", "/updateMany", {"data": {"age": 7}, "confirm": True}),
    ],
)
async def test_update_many_answers_a_count_and_no_data(
    client: aiohttp.ClientSession, method: str, path: str, body: object
) -> None:
    await create(client, name="Ann", age=1)
    assert await call(client, method, USERS + path, body) == (200, {"status": "ok", "metadata": {"count": 1}})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/bulk", {"filter": {"age": 1}}),
        ("DELETE", '/bulk?filter={"age":1}', None),
        ("DELETE", "/bulk?confirm=all", None),
        ("DELETE", "/bulk", {"confirm": True}),
        ("POST", "/deleteMany", {"filter": {"age": 1}}),
    ],
)
async def test_delete_many_answers_its_count_twice(
    client: aiohttp.ClientSession, method: str, path: str, body: object
) -> None:
    await create(client, name="Ann", age=1)
    expected = {"status": "ok", "data": 1, "metadata": {"count": 1}}
    assert await call(client, method, USERS + path, body) == (200, expected)


@pytest.mark.parametrize("body", [None, {}, {"filter": {}}, {"filter": None}, {"confirm": False}])
async def test_delete_many_without_a_filter_deletes_nothing(client: aiohttp.ClientSession, body: object) -> None:
    await create(client, name="Ann")
    status, found = await call(client, "DELETE", USERS + "/bulk", body)
    assert (status, code(found)) == (400, "FILTER_REQUIRED")
    assert (await call(client, "GET", USERS + "/count"))[1]["data"] == 1


async def test_a_page_tells_its_rows_and_where_it_goes_on(client: aiohttp.ClientSession) -> None:
    for name in ("a", "b", "c"):
        await create(client, id=name, name=name)
    _, found = await call(client, "GET", USERS)
    assert found["metadata"]["count"] == 2  # type: ignore[index]
    cursor = found["metadata"]["cursor"]  # type: ignore[index]
    _, found = await call(client, "GET", f"{USERS}?cursor={cursor}")
    assert [row["id"] for row in found["data"]] == ["c"]  # type: ignore[attr-defined]
    assert found["metadata"] == {"count": 1}


async def test_count_puts_the_number_also_into_the_metadata(client: aiohttp.ClientSession) -> None:
    assert await call(client, "GET", USERS + "/count") == (
        200, {"status": "ok", "data": 0, "metadata": {"total": 0}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected", "place"),
    [
        ("limit=abc", "INVALID_REQUEST", "$.options.limit"),
        ("limit=-1", "INVALID_REQUEST", "$.options.limit"),
        ("limit=", "INVALID_REQUEST", "$.options.limit"),
        ("limit=1&limit=2", "INVALID_REQUEST", "?limit"),
        ("skip=1.5", "INVALID_REQUEST", "$.options.skip"),
        ("filter={", "PARSE_ERROR", "$.filter"),
        ("sort=age", "PARSE_ERROR", "$.options.sort"),
        ("includeDeleted=yes", "INVALID_REQUEST", "$.options.includeDeleted"),
        ("colour=red", "UNKNOWN_PARAMETER", "?colour"),
        ('filter={"age":{"$foo":1}}', "UNKNOWN_OPERATOR", "$.filter.age.$foo"),
    ],
)
async def test_a_bad_parameter_is_refused_naming_it(
    client: aiohttp.ClientSession, query: str, expected: str, place: str
) -> None:
    status, found = await call(client, "GET", f"{USERS}?{query}")
    assert (status, code(found)) == (400, expected)
    assert found["error"]["details"][0]["path"] == place  # type: ignore[index]


@pytest.mark.parametrize("text", [b"{", b'{"a":1} x', b"\xff", b'"\\ud800"', b"[" * 60_000])
async def test_malformed_json_is_a_parse_error(client: aiohttp.ClientSession, text: bytes) -> None:
    async with client.post(USERS, data=text, headers={"Content-Type": "application/json"}) as reply:
        assert (reply.status, code(await reply.json())) == (400, "PARSE_ERROR")


@pytest.mark.parametrize(
    ("declared", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON;charset=UTF-8", 201),
        ("application/vnd.api+json", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json; charset=utf-16", 415),
    ],
)
async def test_only_json_is_read(client: aiohttp.ClientSession, declared: str, status: int) -> None:
    async with client.post(USERS, data=b'{"name":"Ann"}', headers={"Content-Type": declared}) as reply:
        assert reply.status == status


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/a"), ("GET", ""), ("GET", "/a")])
async def test_an_empty_body_declared_as_json_is_no_body(client: aiohttp.ClientSession, method: str, path: str) -> None:
    async with client.request(method, USERS + path, headers={"Content-Type": "application/json"}) as reply:
        assert reply.status == 200


async def test_a_create_without_a_body_misses_its_data(client: aiohttp.ClientSession) -> None:
    async with client.post(USERS, headers={"Content-Type": "application/json"}) as reply:
        assert (reply.status, code(await reply.json())) == (400, "MISSING_DATA")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "expected"),
    [
        ("POST", "/search", [1], 400, "INVALID_REQUEST"),
        ("POST", "/search", {"query": "a", "colour": 1}, 400, "UNKNOWN_MEMBER"),
        ("POST", "/upsert", {"filter": {"name": "a"}}, 400, "MISSING_DATA"),
        ("POST", "", [1], 400, "INVALID_REQUEST"),
        ("POST", "", {"name": "a", "colour": 1}, 422, "UNKNOWN_FIELD"),
        ("DELETE", "/a", {"colour": 1}, 400, "UNKNOWN_MEMBER"),
        ("POST", "/a/increment", {"id": "b", "field": "age", "amount": 1}, 400, "INVALID_REQUEST"),
        ("PUT", '/bulk?filter={"age":1}', {"filter": {}, "data": {}}, 400, "INVALID_REQUEST"),
        ("POST", "/a", {}, 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "", {}, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/a/increment", None, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/a/explode", {}, 404, "NOT_FOUND"),
        ("GET", "/a/b/c", None, 404, "NOT_FOUND"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: aiohttp.ClientSession, method: str, path: str, body: object, status: int, expected: str
) -> None:
    found = await call(client, method, USERS + path, body)
    assert (found[0], code(found[1])) == (status, expected)


async def test_an_unknown_entity_is_not_found(client: aiohttp.ClientSession) -> None:
    status, found = await call(client, "GET", "/api/v1/ghosts")
    assert (status, code(found)) == (404, "ENTITY_NOT_FOUND")


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", {"age": 1}), ("DELETE", None)])
async def test_strict_handling_makes_a_missing_row_a_404(
    client: aiohttp.ClientSession, method: str, body: object
) -> None:
    async with client.request(method, USERS + "/none", json=body, headers={"Prefer": "handling=strict"}) as reply:
        assert (reply.status, code(await reply.json())) == (404, "NOT_FOUND")
        assert reply.headers["Preference-Applied"] == "handling=strict"


async def test_strict_handling_changes_nothing_for_a_row_that_exists(client: aiohttp.ClientSession) -> None:
    await create(client, id="a", name="Ann")
    async with client.get(USERS + "/a", headers={"Prefer": "handling=strict"}) as reply:
        assert reply.status == 200
        assert reply.headers["Preference-Applied"] == "handling=strict"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v1/shop/notes/n", {}),
        ("/api/v1/Note/n", {"X-Project": "shop"}),
        ("/shop/api/v1/notes/n", {}),
        ("/api/v1/notes/n?project=shop", {}),
        ("/default/api/v1/notes/n", {"X-Project": "shop"}),
    ],
)
async def test_a_project_is_addressed_by_path_or_header(
    client: aiohttp.ClientSession, path: str, headers: dict[str, str]
) -> None:
    await call(client, "POST", "/shop/api/v1/notes", {"id": "n", "text": "hi"})
    status, found = await call(client, "GET", path, **headers)
    if path.startswith("/default"):
        assert status == 404
    else:
        assert found["data"] == {"id": "n", "text": "hi"}
        assert (await call(client, "GET", "/api/v1/notes/n"))[1]["data"] is None


@pytest.mark.parametrize("name", ["ghost", "_system", "Default", ""])
async def test_an_unknown_or_private_project_is_not_found(client: aiohttp.ClientSession, name: str) -> None:
    status, found = await call(client, "GET", USERS, **{"X-Project": name})
    assert (status, code(found)) == (404, "UNKNOWN_PROJECT")


async def test_the_root_lists_entities_and_a_project_its_own(client: aiohttp.ClientSession) -> None:
    assert await call(client, "GET", "/api/v1") == (200, {"status": "ok", "data": ["User", "Note"]})
    assert await call(client, "GET", "/api/v1/shop") == (
        200, {"status": "ok", "data": ["Note"], "project": "shop", "schemas": ["Note"]},
    )  # fmt: skip
    assert (await call(client, "GET", "/api/v1/health"))[1]["status"] == "ok"
    assert (await call(client, "POST", "/api/v1", {}))[0] == 405


async def test_head_is_get_without_a_body(client: aiohttp.ClientSession) -> None:
    await create(client, id="a", name="Ann")
    async with client.get(USERS + "/a") as whole, client.head(USERS + "/a") as head:
        assert head.status == 200
        assert head.headers["Content-Length"] == whole.headers["Content-Length"]
        assert await head.read() == b""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "GET, HEAD, POST, OPTIONS"),
        ("/a", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("/search", "GET, HEAD, PUT, PATCH, DELETE, POST, OPTIONS"),
        ("/a/pull", "POST, OPTIONS"),
    ],
)
async def test_options_tells_what_is_allowed(client: aiohttp.ClientSession, path: str, allowed: str) -> None:
    async with client.options(USERS + path) as reply:
        assert (reply.status, reply.headers["Allow"]) == (204, allowed)


async def test_an_id_is_taken_from_the_path_decoded_once(client: aiohttp.ClientSession) -> None:
    await create(client, id="a b%ü?", name="Ann")
    async with client.get(URL("/api/v1/users/a%20b%25%C3%BC%3F", encoded=True)) as reply:
        assert (await reply.json())["data"]["id"] == "a b%ü?"


async def test_an_encoded_slash_does_not_make_another_route(client: aiohttp.ClientSession) -> None:
    await create(client, id="a", name="Ann", age=1)
    address = URL("/api/v1/users/a%2Fincrement", encoded=True)
    async with client.post(address, json={"field": "age", "amount": 1}) as reply:
        assert (reply.status, code(await reply.json())) == (405, "METHOD_NOT_ALLOWED")


async def test_the_caller_is_described_without_what_cannot_be_logged(
    client: aiohttp.ClientSession, gateway: MemoryGateway
) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    await call(client, "GET", USERS, traceparent=trace, **{"X-Request-Id": "r-1"})
    await call(client, "GET", USERS, traceparent="nonsense", **{"X-Correlation-Id": "x" * 500})
    first, second = gateway.actors
    assert (first.transport, first.address, first.correlation, first.traceparent) == ("rest", "127.0.0.1", "r-1", trace)
    assert (second.correlation, second.traceparent) == ("", "")


async def test_numbers_and_text_come_back_as_they_went(client: aiohttp.ClientSession) -> None:
    await create(client, id="a", name="ünï \U0001f600 \u2028", age=30)
    async with client.get(USERS + "/a") as reply:
        assert json.loads(await reply.text())["data"]["name"] == "ünï \U0001f600 \u2028"
