"""GraphQL over HTTP, judged by the audit of graphql-http, and the answers of every refusal."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests import peers
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_NEW = "application/graphql-response+json"
_OLD = "application/json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("http") / "data", SHOP) as found:
        yield found
        assert "Traceback" not in found.log()


@pytest.fixture
async def session(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url) as found:
        yield found


async def post(session: aiohttp.ClientSession, body: Any, accept: str = _NEW, **headers: str) -> tuple[int, Any]:
    """Status and answer."""
    text = body if isinstance(body, str) else json.dumps(body)
    told = {"Content-Type": _OLD, "Accept": accept, **headers}
    async with session.post("/graphql", data=text.encode(), headers=told) as reply:
        return reply.status, json.loads(await reply.read())


def code(told: Any) -> str:
    """The code of the first error."""
    return str(told["errors"][0]["extensions"]["code"])


def test_the_audit_of_graphql_http_finds_nothing(server: Server) -> None:
    done = peers.run("graphql_audit.mjs", f"{server.url}/graphql")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) > 50
    assert [audit for audit in found if audit["status"] != "ok"] == []


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", _OLD),
        ("*/*", _OLD),
        ("application/*", _OLD),
        (_NEW, _NEW),
        (f"{_OLD}, {_NEW};q=0.5", _OLD),
        (f"{_OLD};q=0.5, {_NEW}", _NEW),
        (f"{_NEW}, {_OLD}", _NEW),
        (f"{_NEW}; charset=utf-8", _NEW),
        ("text/html, */*;q=0.1", _OLD),
    ],
)
async def test_the_form_of_an_answer_is_the_one_that_is_liked_most(
    session: aiohttp.ClientSession, accept: str, answered: str
) -> None:
    headers = {"Accept": accept} if accept else {}
    body = {"query": "{ __typename }"}
    async with session.post("/graphql", json=body, headers=headers, skip_auto_headers=["Accept"]) as reply:
        assert (reply.status, reply.content_type) == (200, answered)


@pytest.mark.parametrize("accept", ["image/png", f"{_NEW};q=0, {_OLD};q=0", f"{_NEW}; charset=latin-1"])
async def test_a_client_that_likes_no_form_is_told_the_forms(session: aiohttp.ClientSession, accept: str) -> None:
    status, told = await post(session, {"query": "{ __typename }"}, accept)
    assert (status, code(told)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    ("method", "content_type", "status"),
    [
        ("POST", "text/plain", 415),
        ("POST", "application/x-www-form-urlencoded", 415),
        ("POST", "multipart/form-data; boundary=x", 415),
        ("POST", "application/graphql", 415),
        ("POST", "application/json; charset=latin-1", 415),
        ("POST", "", 415),
        ("PUT", _OLD, 405),
        ("DELETE", _OLD, 405),
        ("PATCH", _OLD, 405),
    ],
)
async def test_what_a_form_of_another_site_could_send_is_refused(
    session: aiohttp.ClientSession, method: str, content_type: str, status: int
) -> None:
    body = b'{"query":"mutation { deleteTag(id: \\"x\\") }"}'
    headers = {"Content-Type": content_type} if content_type else {}
    skipped = ["Content-Type"] if not content_type else []
    async with session.request(method, "/graphql", data=body, headers=headers, skip_auto_headers=skipped) as reply:
        assert reply.status == status
        assert code(await reply.json(content_type=None)) in ("UNSUPPORTED_MEDIA_TYPE", "METHOD_NOT_ALLOWED")
        assert status == 415 or "POST" in reply.headers["Allow"]


async def test_a_mutation_needs_post_and_a_query_does_not(session: aiohttp.ClientSession) -> None:
    async def get(**pairs: str) -> tuple[int, Any, str]:
        async with session.get(f"/graphql?{urlencode(pairs)}", headers={"Accept": _NEW}) as reply:
            return reply.status, json.loads(await reply.read()), reply.headers.get("Allow", "")

    variables = json.dumps({"id": "nobody"})
    query = "query A($id: ID!) { tag(id: $id) { id } } query B { tagCount }"
    assert (await get(query=query, variables=variables, operationName="A"))[:2] == (200, {"data": {"tag": None}})
    status, told, allow = await get(query='mutation { deleteTag(id: "x") }')
    assert (status, code(told), allow) == (405, "METHOD_NOT_ALLOWED", "POST")
    status, told, _ = await get(query=query)
    assert (status, code(told)) == (400, "UNKNOWN_OPERATION_NAME")
    status, told, _ = await get(query=query, variables="{")
    assert (status, code(told)) == (400, "PARSE_ERROR")
    assert (await get(operationName="A"))[0] == 400


_DEEP = "{ customers { " + "referrer { " * 12 + "id" + " }" * 14
_WIDE = "{ " + " ".join(f"a{n}: tagCount" for n in range(60)) + " }"
_BOMB = "".join(f"fragment F{n} on Customer {{ a{n}: referrer {{ ...F{n + 1} }} b{n}: referrer {{ ...F{n + 1} }} }} "
                for n in range(9)) + "fragment F9 on Customer { id } { customers { ...F0 } }"  # fmt: skip
_BAD: dict[str, tuple[Any, str, str]] = {
    "no JSON": ("{", "PARSE_ERROR", "$"),
    "no object": ('"x"', "INVALID_REQUEST", "$"),
    "a batch": ([{"query": "{ tagCount }"}] * 3, "BATCH_NOT_SUPPORTED", "$"),
    "an empty batch": ([], "BATCH_NOT_SUPPORTED", "$"),
    "a huge batch": ([{"query": "{ tagCount }"}] * 10_000, "BATCH_NOT_SUPPORTED", "$"),
    "no document": ({}, "MISSING_DOCUMENT", "$.query"),
    "an empty document": ({"query": ""}, "MISSING_DOCUMENT", "$.query"),
    "a document of comments": ({"query": "# nothing"}, "PARSE_ERROR", ""),
    "an unknown member": ({"query": "{ tagCount }", "id": 1}, "UNKNOWN_MEMBER", "$.id"),
    "variables that are a list": ({"query": "{ tagCount }", "variables": []}, "INVALID_REQUEST", "$.variables"),
    "a document that is a number": ({"query": 1}, "INVALID_REQUEST", "$.query"),
    "a syntax error": ({"query": "{ tagCount"}, "PARSE_ERROR", ""),
    "only fragments": ({"query": "fragment F on Tag { id }"}, "INVALID_DOCUMENT", ""),
    "an unknown field": ({"query": "{ tags { nope } }"}, "UNKNOWN_FIELD", ""),
    "an unknown entity": ({"query": "{ nobodys { id } }"}, "ENTITY_NOT_FOUND", ""),
    "an unknown argument": ({"query": "{ tags(first: 1) { id } }"}, "UNKNOWN_MEMBER", ""),
    "a literal of another type": ({"query": '{ tags(limit: "1") { id } }'}, "VALIDATION_ERROR", ""),
    "a variable of another type": (
        {"query": "query($n: Int) { tags(limit: $n) { id } }", "variables": {"n": "1"}},
        "VALIDATION_ERROR", "$.variables.n",
    ),
    "a variable that is missing": ({"query": "query($i: ID!) { tag(id: $i) { id } }"}, "VALIDATION_ERROR",
                                   "$.variables.i"),
    "a subscription": ({"query": "subscription { tagEvents { id } }"}, "SUBSCRIPTION_NEEDS_STREAM", "$.query"),
    "too deep": ({"query": _DEEP}, "DOCUMENT_TOO_LARGE", "$.query"),
    "too many at the root": ({"query": _WIDE}, "DOCUMENT_TOO_LARGE", "$.query"),
    "fragments that multiply": ({"query": _BOMB}, "DOCUMENT_TOO_LARGE", "$.query"),
    "fragments that turn in a circle": (
        {"query": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"}, "DOCUMENT_TOO_LARGE", "$.query"
    ),
    "too many tokens": ({"query": "{ " + "tagCount " * 5000 + "}"}, "PARSE_ERROR", ""),
    "too long": ({"query": "{ tagCount } #" + "x" * 70_000}, "DOCUMENT_TOO_LARGE", "$.query"),
    "nested without end": ({"query": "{" * 3000}, "PARSE_ERROR", ""),
    "a value nested without end": ({"query": "{ tags(where: " + "[" * 3000}, "PARSE_ERROR", ""),
    "too expensive": (
        {"query": "{ customers(limit: 1000) { orders { customer { orders { customer { id } } } } } }"},
        "DOCUMENT_TOO_EXPENSIVE", "$.query",
    ),
    "a filter twice": (
        {"query": '{ tags(filter: "{}", where: {id: {eq: "1"}}) { id } }'}, "INVALID_REQUEST", "$.where"
    ),
    "a filter that is no JSON": ({"query": '{ tags(filter: "{") { id } }'}, "PARSE_ERROR", "$.filter"),
    "a sort by two at once": ({"query": "{ tags(orderBy: [{id: ASC, label: DESC}]) { id } }"}, "INVALID_SORT",
                              "$.orderBy[0]"),
    "an unknown relation": ({"query": '{ tags(relations: "x") { id } }'}, "UNKNOWN_RELATION", "$.relations[0]"),
}  # fmt: skip


@pytest.mark.parametrize("case", _BAD)
async def test_what_cannot_be_executed_is_refused_whole(session: aiohttp.ClientSession, case: str) -> None:
    body, wanted, place = _BAD[case]
    status, told = await post(session, body)
    assert (status, code(told)) == (400, wanted), told
    assert "data" not in told
    places = [fault["path"] for fault in told["errors"][0]["extensions"].get("details", [])]
    assert not place or place in places, told
    assert place or told["errors"][0]["locations"] or wanted == "INVALID_DOCUMENT"


@pytest.mark.parametrize(
    ("query", "wanted", "place"),
    [
        ('{ tags(after: "nonsense") { id } }', "INVALID_CURSOR", "$.options.after"),
        ('{ tags(filter: "{\\"nope\\":1}") { id } }', "UNKNOWN_FIELD", "$.filter.nope"),
        ("{ tags(limit: 5000) { id } }", "LIMIT_TOO_LARGE", "$.options.limit"),
        ('{ tag(id: "") { id } }', "MISSING_ID", "$.id"),
        ("{ customers(where: {visits: {}}) { id } }", "INVALID_FILTER", "$.filter.visits"),
        ("mutation { createTag(input: {}) { id } }", "VALIDATION_ERROR", "$.data.label"),
        ("mutation { deleteManyTags }", "FILTER_REQUIRED", "$.filter"),
        ('mutation { incrementCustomer(id: "x", field: "visits", amount: 1) { id } }', "NOT_FOUND", ""),
        ('{ customerAggregate(stages: "[]") }', "MISSING_STAGES", "$.stages"),
    ],
)
async def test_what_an_operation_refuses_stands_where_its_field_is(
    session: aiohttp.ClientSession, query: str, wanted: str, place: str
) -> None:
    status, told = await post(session, {"query": query})
    assert (status, code(told)) == (200, wanted), told
    assert "data" in told
    (error,) = told["errors"]
    assert error["path"] == [re.split(r"\W", query.split("{")[1].strip())[0]]
    assert error["locations"]
    assert not place or place in [fault["path"] for fault in error["extensions"]["details"]]


async def test_a_field_that_fails_leaves_its_nullable_neighbours_their_data(session: aiohttp.ClientSession) -> None:
    status, told = await post(session, {"query": '{ a: tag(id: "/") { id } b: tagCount c: tag(id: "") { id } }'})
    assert status == 200
    assert told["data"] == {"a": None, "b": 0, "c": None}
    assert sorted(error["path"] for error in told["errors"]) == [["a"], ["c"]]


async def test_old_clients_are_answered_with_200_what_new_ones_get_400_for(session: aiohttp.ClientSession) -> None:
    body = {"query": "{ tags { nope } }"}
    assert [(await post(session, body, accept))[0] for accept in (_NEW, _OLD)] == [400, 200]
    assert [(await post(session, {}, accept))[0] for accept in (_NEW, _OLD)] == [400, 400]


async def test_nothing_is_suggested_and_nothing_is_leaked(session: aiohttp.ClientSession) -> None:
    for query in ("{ tagss { id } }", "{ tags { labl } }", "{ tags(limt: 1) { id } }", "{ customers { password } }"):
        _, told = await post(session, {"query": query})
        assert "Did you mean" not in json.dumps(told)
    _, told = await post(session, {"query": '{ __type(name: "Customer") { fields { name } } }'})
    assert "password" not in json.dumps(told)


async def test_the_position_of_a_write_is_told_and_may_be_demanded(session: aiohttp.ClientSession) -> None:
    query = "mutation($l: String) { createTag(input: {label: $l}) { id } }"
    body = {"query": query, "variables": {"l": "placed"}}
    async with session.post("/graphql", json=body) as reply:
        told = await reply.json()
        assert reply.headers["Octonet-Position"] == told["extensions"]["position"]
    assert told["extensions"]["versions"] == {"createTag": 1}
    position = told["extensions"]["position"]
    count = {"query": "{ tagCount }"}
    assert (await post(session, {**count, "extensions": {"minPosition": position}}))[1] == {"data": {"tagCount": 1}}
    assert (await post(session, count, **{"Octonet-Min-Position": position}))[1] == {"data": {"tagCount": 1}}
    both = {**count, "extensions": {"minPosition": position}}
    assert code((await post(session, both, **{"Octonet-Min-Position": position}))[1]) == "INVALID_REQUEST"
    assert code((await post(session, count, **{"Octonet-Min-Position": "x"}))[1]) == "INVALID_POSITION"


async def test_a_key_makes_a_whole_document_happen_once(session: aiohttp.ClientSession) -> None:
    fields = " ".join(f'{name}: createTag(input: {{label: "once-{name}"}}) {{ id }}' for name in "ab")
    query = f"mutation {{ {fields} }}"
    first = (await post(session, {"query": query, "extensions": {"idempotencyKey": "whole"}}))[1]
    again = (await post(session, {"query": query}, **{"Idempotency-Key": "whole"}))[1]
    assert "errors" not in first
    assert again == first


async def test_mutations_happen_in_turn_and_stop_where_there_is_no_answer_left(session: aiohttp.ClientSession) -> None:
    made = 'createTag(input: {label: "%s"}) { id }'
    query = f"mutation {{ a: {made % 'turn-1'} b: {made % 'turn-1'} c: {made % 'turn-2'} }}"
    _, told = await post(session, {"query": query})
    assert (told["data"], code(told), told["errors"][0]["path"]) == (None, "UNIQUE_VIOLATION", ["b"])
    _, told = await post(session, {"query": '{ tags(where: {label: {regex: "^turn"}}) { label } }'})
    assert told["data"]["tags"] == [{"label": "turn-1"}]


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        ('orders(filter: "{") { id }', "PARSE_ERROR"),
        ('orders(filter: "{\\"nope\\":1}") { id }', "UNKNOWN_FIELD"),
        ('orders { customer { tags(sort: "{\\"nope\\":1}") { id } } }', "UNKNOWN_FIELD"),
        ("tags(skip: -1) { id }", "INVALID_OPTIONS"),
        ("tags(orderBy: [{}]) { id }", "INVALID_SORT"),
    ],
)
async def test_what_cannot_be_shown_beside_a_write_is_refused_before_it(
    session: aiohttp.ClientSession, shown: str, wanted: str
) -> None:
    query = f'mutation {{ createCustomer(input: {{email: "shown@x.org"}}) {{ {shown} }} }}'
    status, told = await post(session, {"query": query})
    assert (status, code(told)) == (400, wanted), told
    count = '{ customerCount(where: {email: {eq: "shown@x.org"}}) }'
    assert (await post(session, {"query": count}))[1] == {"data": {"customerCount": 0}}


async def test_a_version_may_be_expected(session: aiohttp.ClientSession) -> None:
    made = (await post(session, {"query": 'mutation { createTag(input: {label: "v"}) { id } }'}))[1]
    id = made["data"]["createTag"]["id"]
    query = 'mutation($id: ID!, $v: Version) { updateTag(id: $id, input: {label: "w"}, expectedVersion: $v) { label } }'
    assert code((await post(session, {"query": query, "variables": {"id": id, "v": 7}}))[1]) == "VERSION_MISMATCH"
    told = (await post(session, {"query": query, "variables": {"id": id, "v": 1}}))[1]
    assert told["data"] == {"updateTag": {"label": "w"}}
    assert told["extensions"]["versions"] == {"updateTag": 2}
    assert (await post(session, {"query": f'{{ tag(id: "{id}") {{ id }} }}'}))[1]["extensions"]["versions"] == {
        "tag": 2
    }
    plain = f'mutation {{ deleteTag(id: "{id}") }}'
    assert code((await post(session, {"query": plain}, **{"If-Match": '"1"'}))[1]) == "VERSION_MISMATCH"
    assert (await post(session, {"query": plain}, **{"If-Match": '"2"'}))[1]["data"] == {"deleteTag": True}
