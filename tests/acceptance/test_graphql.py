"""What GraphQL gives beside the operations: relations, typed filters and sorts, connections, a schema that holds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from graphql import build_client_schema, get_introspection_query, validate_schema

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_LABELS = ("alpha", "beta", "gamma", "delta", "epsilon")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("shop") / "data", SHOP, DB_SHOW_SQL="true") as found:
        yield found
        assert "Traceback" not in found.log()


@pytest.fixture
async def session(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url) as found:
        yield found


async def told(session: aiohttp.ClientSession, query: str, **variables: Any) -> Any:
    """The whole answer of a document that must succeed."""
    async with session.post("/graphql", json={"query": query, "variables": variables}) as reply:
        found = await reply.json()
    assert "errors" not in found, found
    return found


async def ask(session: aiohttp.ClientSession, query: str, **variables: Any) -> Any:
    """The data of it."""
    return (await told(session, query, **variables))["data"]


_TAG = "mutation($l: String) { createTag(input: {label: $l}) { id } }"
_CUSTOMER = "mutation($input: CustomerInput!) { createCustomer(input: $input) { id } }"
_ORDER = "mutation($input: OrderInput!) { createOrder(input: $input) { id } }"


@pytest.fixture(scope="module")
def customers(server: Server) -> list[str]:
    """Eight customers, each referred by the one before, with tags and orders."""

    async def make() -> list[str]:
        made: list[str] = []
        async with aiohttp.ClientSession(server.url) as session:
            tags = [(await ask(session, _TAG, l=label))["createTag"]["id"] for label in _LABELS]
            for n in range(8):
                values = {
                    "email": f"c{n}@x.org", "visits": n, "vip": n % 2 == 0, "hobbies": ["go"] * n,
                    "tags": tags[: n % 4], "since": f"2024-01-0{n + 1}", "referrer": made[-1] if made else None,
                }  # fmt: skip
                made.append((await ask(session, _CUSTOMER, input=values))["createCustomer"]["id"])
                for total in range(n % 3):
                    await ask(session, _ORDER, input={"total": 10 * n + total, "customer": made[-1]})
        return made

    return asyncio.run(make())


def statements(server: Server, since: int) -> list[str]:
    """The tables that were selected from, since a place in the log."""
    return re.findall(r"SELECT\b.*?\bFROM\s+\"?(\w+)", server.log()[since:], re.DOTALL)


async def test_relations_of_relations_cost_one_query_each_however_many_rows_there_are(
    server: Server, session: aiohttp.ClientSession, customers: list[str]
) -> None:
    query = """{ customers(orderBy: [{visits: ASC}]) {
      email referrer { email referrer { email } } orders { total customer { email } } tags { label }
    } }"""
    before = len(server.log())
    rows = (await ask(session, query))["customers"]
    found = statements(server, before)
    assert len(rows) == 8
    assert found.count("orders") == 1
    # The page, its referrers, theirs, and those of the orders.
    assert found.count("customers") == 4
    assert found.count("tags") == 1
    assert [row["referrer"] and row["referrer"]["email"] for row in rows] == [
        None, *(f"c{n}@x.org" for n in range(7)),
    ]  # fmt: skip
    assert [len(row["orders"]) for row in rows] == [n % 3 for n in range(8)]
    assert {order["customer"]["email"] for order in rows[5]["orders"]} == {"c5@x.org"}
    assert [len(row["tags"]) for row in rows] == [n % 4 for n in range(8)]


async def test_a_list_of_a_row_is_filtered_sorted_and_cut_for_each_row(
    session: aiohttp.ClientSession, customers: list[str]
) -> None:
    query = """query($id: ID!) { customer(id: $id) {
      all: tags(orderBy: [{label: DESC}]) { label }
      some: tags(where: {label: {regex: "a$"}}, sort: "{\\"label\\":1}", limit: 1, skip: 1) { label }
      orders(orderBy: [{total: DESC}], limit: 1) { total }
      tagsIds
    } }"""
    found = (await ask(session, query, id=customers[7]))["customer"]
    assert [tag["label"] for tag in found["all"]] == ["gamma", "beta", "alpha"]
    assert [tag["label"] for tag in found["some"]] == ["beta"]
    assert len(found["tagsIds"]) == 3
    two = (await ask(session, query, id=customers[5]))["customer"]
    assert two["orders"] == [{"total": 51}]


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({"visits": {"gte": 3, "lt": 6}}, [3, 4, 5]),
        ({"visits": {"in": [1, 7, 99]}}, [1, 7]),
        ({"visits": {"nin": [1, 7]}, "vip": {"eq": False}}, [3, 5]),
        ({"email": {"regex": "^C1@", "regexFlags": "i"}}, [1]),
        ({"email": {"notRegex": "^c1"}}, [0, *range(2, 8)]),
        ({"email": {"regex": "^C", "notRegex": "1@", "regexFlags": "i"}}, [0, *range(2, 8)]),
        ({"email": {"notRegex": "^C", "regexFlags": "i"}}, []),
        ({"referrer": {"exists": False}}, [0]),
        ({"referrer": None}, [0]),
        ({"referrer": {"eq": None}}, [0]),
        ({"since": {"lte": "2024-01-02T00:00:00Z"}}, [0, 1]),
        ({"hobbies": {"exists": True}, "visits": {"lt": 2}}, [0, 1]),
        ({"or": [{"visits": {"eq": 2}}, {"and": [{"vip": {"eq": True}}, {"visits": {"gt": 5}}]}]}, [2, 6]),
        ({"and": []}, list(range(8))),
        ({}, list(range(8))),
    ],
)
async def test_a_typed_filter_finds_what_it_says(
    session: aiohttp.ClientSession, customers: list[str], where: Any, wanted: list[int]
) -> None:
    query = """query($where: CustomerWhere) {
      customers(where: $where, orderBy: [{visits: ASC}]) { visits }
      customerCount(where: $where)
      customerOne(where: $where, orderBy: [{visits: DESC}]) { visits }
      customersConnection(where: $where, first: 1) { totalCount }
    }"""
    found = await ask(session, query, where=where)
    assert [row["visits"] for row in found["customers"]] == wanted
    assert found["customerCount"] == found["customersConnection"]["totalCount"] == len(wanted)
    assert found["customerOne"] == ({"visits": wanted[-1]} if wanted else None)


@pytest.mark.parametrize("sort", [[], [{"visits": "ASC"}], [{"vip": "DESC"}, {"email": "DESC"}], [{"referrer": "ASC"}]])
async def test_a_connection_is_walked_from_any_of_its_edges(
    session: aiohttp.ClientSession, customers: list[str], sort: Any
) -> None:
    query = """query($sort: [CustomerOrder!], $after: String, $first: Int) {
      customersConnection(orderBy: $sort, after: $after, first: $first) {
        edges { cursor node { id } } nodes { email } totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }"""

    async def page(first: int, after: str | None) -> Any:
        return (await ask(session, query, sort=sort, first=first, after=after))["customersConnection"]

    whole = await page(100, None)
    ids = [edge["node"]["id"] for edge in whole["edges"]]
    assert (whole["totalCount"], sorted(ids)) == (8, sorted(customers))
    assert (whole["pageInfo"]["hasNextPage"], whole["pageInfo"]["hasPreviousPage"]) == (False, False)
    for n, edge in enumerate(whole["edges"]):
        rest = await page(3, edge["cursor"])
        assert [each["node"]["id"] for each in rest["edges"]] == ids[n + 1 : n + 4]
        assert rest["pageInfo"]["hasNextPage"] is (n + 4 < 8)
        assert rest["pageInfo"]["hasPreviousPage"] is True
    last = await page(1, whole["pageInfo"]["endCursor"])
    assert (last["edges"], last["pageInfo"]["endCursor"]) == ([], None)


async def test_lists_tell_where_the_next_page_begins(session: aiohttp.ClientSession, customers: list[str]) -> None:
    query = "query($after: String) { customers(limit: 3, after: $after) { id } }"
    walked: list[str] = []
    after = None
    for _ in range(3):
        found = await told(session, query, after=after)
        walked += [row["id"] for row in found["data"]["customers"]]
        after = found.get("extensions", {}).get("cursors", {}).get("customers")
    assert walked == sorted(customers)
    assert after is None


async def test_every_row_tells_its_version_wherever_it_stands(session: aiohttp.ClientSession) -> None:
    query = """mutation($label: String) {
      createTag(input: {label: $label}) { id _version }
    }"""
    made = (await ask(session, query, label="versioned"))["createTag"]
    assert made["_version"] == 1
    change = 'mutation($id: ID!) { updateTag(id: $id, input: {label: "again"}) { _version label } }'
    assert (await ask(session, change, id=made["id"]))["updateTag"] == {"_version": 2, "label": "again"}
    customer = (await ask(session, _CUSTOMER, input={"email": "v@x.org", "tags": [made["id"]]}))["createCustomer"]["id"]
    try:
        query = """query($id: ID!, $customer: ID!) {
          tag(id: $id) { _version }
          tags(where: {id: {eq: $id}}) { v: _version }
          tagOne(where: {id: {eq: $id}}) { _version label }
          tagsConnection(where: {id: {eq: $id}}) { nodes { _version } edges { node { _version id } } }
          customer(id: $customer) { _version tags { _version } }
        }"""
        assert await ask(session, query, id=made["id"], customer=customer) == {
            "tag": {"_version": 2}, "tags": [{"v": 2}], "tagOne": {"_version": 2, "label": "again"},
            "tagsConnection": {"nodes": [{"_version": 2}], "edges": [{"node": {"_version": 2, "id": made["id"]}}]},
            "customer": {"_version": 1, "tags": [{"_version": 2}]},
        }  # fmt: skip
    finally:
        await ask(session, "mutation($id: ID!) { deleteCustomer(id: $id) }", id=customer)


async def test_values_come_as_they_are_on_every_door(session: aiohttp.ClientSession, customers: list[str]) -> None:
    query = "query($id: ID!) { customer(id: $id) { id visits vip hobbies since profile } }"
    (found,) = (await ask(session, query, id=customers[2])).values()
    async with session.get(f"/api/v1/customers/{customers[2]}?select={','.join(found)}") as reply:
        assert (await reply.json())["data"] == found
    assert found["visits"] == 2
    assert isinstance(found["visits"], int)


async def test_an_update_names_only_what_changes(session: aiohttp.ClientSession, customers: list[str]) -> None:
    query = "mutation($id: ID!, $input: CustomerInput!) { updateCustomer(id: $id, input: $input) { email profile } }"
    profile = {"deep": [1, {"er": None}], "text": "x"}
    (found,) = (await ask(session, query, id=customers[0], input={"profile": profile})).values()
    assert found == {"email": "c0@x.org", "profile": profile}
    values = "{profile: {a: [1, 2.5, true, null]}}"
    literal = f'mutation {{ updateCustomer(id: "{customers[0]}", input: {values}) {{ profile }} }}'
    (found,) = (await ask(session, literal)).values()
    assert found == {"profile": {"a": [1, 2.5, True, None]}}


async def test_groups_are_made_by_stages_given_either_way(session: aiohttp.ClientSession, customers: list[str]) -> None:
    stages = [{"$group": {"_by": "vip", "n": {"$count": True}}}, {"$sort": {"n": 1, "vip": 1}}]
    query = "query($stages: JSON!) { customerAggregate(stages: $stages) }"
    wanted = {"customerAggregate": [{"vip": False, "n": 4}, {"vip": True, "n": 4}]}
    for given_ in (stages, json.dumps(stages)):
        assert await ask(session, query, stages=given_) == wanted


async def test_an_element_is_given_as_text_or_as_it_is(session: aiohttp.ClientSession, customers: list[str]) -> None:
    query = """mutation($id: ID!) {
      a: addToSetCustomer(id: $id, field: "hobbies", value: "\\"chess\\"") { hobbies }
      b: addToSetCustomer(id: $id, field: "hobbies", element: "art") { hobbies }
      c: pullCustomer(id: $id, field: "hobbies", element: "chess") { hobbies }
    }"""
    found = await ask(session, query, id=customers[0])
    assert [found[key]["hobbies"] for key in "abc"] == [["chess"], ["chess", "art"], ["art"]]


async def test_the_schema_is_valid_and_tells_itself(session: aiohttp.ClientSession) -> None:
    schema = build_client_schema(await ask(session, get_introspection_query()))
    assert validate_schema(schema) == []
    query = schema.query_type
    assert query is not None
    # The reference's names.
    assert {"customers", "customer", "customerOne", "customerCount", "customerSearch"} <= query.fields.keys()
    mutation = schema.mutation_type
    assert mutation is not None
    assert {
        "createCustomer", "updateCustomer", "deleteCustomer", "upsertCustomer", "deleteManyCustomers",
        "updateManyCustomers", "addToSetCustomer", "pullCustomer", "incrementCustomer",
    } <= mutation.fields.keys()  # fmt: skip
    assert str(mutation.fields["createCustomer"].type) == "Customer!"
    assert str(mutation.fields["updateCustomer"].type) == "Customer"


async def test_a_document_of_the_reference_is_taken(session: aiohttp.ClientSession, customers: list[str]) -> None:
    query = """query($filter: String, $limit: Int) {
      customers(filter: $filter, limit: $limit, skip: 1, sort: "{\\"visits\\":-1}", relations: "tags") { email visits }
      customerSearch(query: "C3@", fields: "email", limit: 2) { email }
      customerOne(filter: "{\\"visits\\":3}") { email }
    }"""
    found = await ask(session, query, filter='{"vip":true}', limit=2)
    assert [row["visits"] for row in found["customers"]] == [4, 2]
    assert found["customerSearch"] == [found["customerOne"]] == [{"email": "c3@x.org"}]


async def test_the_schema_follows_the_project_while_everything_runs(server: Server) -> None:
    memo = {"name": "Memo", "collection": "memos", "fields": {"text": {"type": "text"}}}
    other = {"name": "Other", "collection": "others", "fields": {"word": {"type": "string"}}}
    async with aiohttp.ClientSession(server.url) as session:
        async with session.post("/api/projects", json={"name": "moving", "schemas": [memo]}) as reply:
            assert reply.status == 201
        body = {"query": "{ memos { id } others { word } }"}

        async def asked() -> Any:
            async with session.post("/moving/graphql", json=body) as reply:
                return await reply.json()

        # What was refused, and what was answered, is looked at anew when the project is another one.
        for _ in range(2):
            assert (await asked())["errors"][0]["extensions"]["code"] == "ENTITY_NOT_FOUND"
        async with session.post("/moving/api/upload-schemas-json", json={"schemas": [other]}) as reply:
            assert reply.status == 200
        for _ in range(2):
            assert await asked() == {"data": {"memos": [], "others": []}}
        query = {"query": 'mutation { createOther(input: {word: "x"}) { word } }'}
        async with session.post("/moving/graphql", json=query) as reply:
            assert (await reply.json())["data"] == {"createOther": {"word": "x"}}
        assert await asked() == {"data": {"memos": [], "others": [{"word": "x"}]}}
        # The other project has heard of none of it.
        async with session.post("/graphql", json=body) as reply:
            assert (await reply.json())["errors"][0]["extensions"]["code"] == "ENTITY_NOT_FOUND"
