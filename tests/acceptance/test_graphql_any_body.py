"""Whatever comes in the body of a GraphQL request: never a server's error, always an answer as it should be."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_TEXTS = st.sampled_from([
    "customers", "customer", "createTag", "deleteManyTags", "tagEvents", "id", "email", "orders", "tags", "where",
    "filter", "limit", "input", "query", "mutation", "subscription", "fragment", "on", "Customer", "__typename",
    "__schema", "name", "types", "{", "}", "(", ")", ":", "$", "$x", "!", "[", "]", "...", "@include", "@skip", "if",
    "=", '"x"', '"', '"""', "1", "-1", "1e999", "99999999999999999999", "0.5", "true", "null", "ASC", ",", "#", "\x00",
    "\ud800", "é", "\n", "&",
])  # fmt: skip
_documents = st.one_of(
    st.lists(_TEXTS, max_size=30).map(" ".join),
    st.lists(_TEXTS, max_size=12).map(lambda parts: "{ customers(" + " ".join(parts) + ") { id } }"),
    st.lists(_TEXTS, max_size=12).map(lambda parts: "{ customers { " + " ".join(parts) + " } }"),
    st.text(max_size=40),
)
_KEYS = st.sampled_from(["eq", "in", "and", "or", "visits", "email", "id", "x", "$or", "profile", "tags"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_TYPED = (
    "query($x: CustomerWhere) { customers(where: $x) { id } }",
    "query($x: [CustomerOrder!]) { customers(orderBy: $x) { id } }",
    "query($x: String) { customers(filter: $x, sort: $x, after: $x) { id } }",
    "query($x: Int) { customersConnection(first: $x) { totalCount nodes { id } } }",
    "query($x: JSON!) { customerAggregate(stages: $x) }",
    "mutation($x: CustomerInput!) { createCustomer(input: $x) { id } }",
    "mutation($x: Version) { deleteCustomer(id: 1, expectedVersion: $x) }",
    'mutation($x: JSON) { addToSetCustomer(id: 1, field: "hobbies", element: $x) { id } }',
)
_bodies = st.one_of(
    _json,
    st.fixed_dictionaries({"query": _documents}, optional={"variables": _json, "extensions": _json}),
    st.fixed_dictionaries({"query": st.sampled_from(_TYPED), "variables": st.fixed_dictionaries({"x": _json})}),
    st.fixed_dictionaries({}, optional={
        "query": _json, "variables": _json, "operationName": _json, "extensions": _json, "documentId": _json,
    }),
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("any") / "data", SHOP) as found:
        yield found


def test_no_body_makes_the_server_fail(server: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=90)) as connection:

        @settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(body=_bodies, accept=st.sampled_from(["application/json", "application/graphql-response+json"]))
        def fuzz(body: object, accept: str) -> None:
            headers = {"Content-Type": "application/json", "Accept": accept}
            connection.request("POST", "/graphql", json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            assert response.status < 500, (body, text)
            found = json.loads(text)
            assert {*found} <= {"data", "errors", "extensions"}
            assert "data" in found or found["errors"]
            for error in found.get("errors", []):
                assert error["message"]
                assert error["extensions"]["code"]

        fuzz()
    assert "Traceback" not in server.log()
