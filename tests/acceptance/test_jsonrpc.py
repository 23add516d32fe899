"""JSON-RPC 2.0 to the letter, judged by the specification's examples and by clients of other people."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import peers
from tests.acceptance.bodies import BODIES
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("jsonrpc") / "data", SHOP) as found:
        for id in ("c1", "c2"):
            said = post(found, call("Customer.create", {"data": {"id": id, "email": f"{id}@x.org"}}))
            assert said[1]["result"]["data"]["id"] == id
        yield found
    assert "Traceback" not in found.log()


def call(method: str, params: Any, id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params, "id": id}


def post(server: Server, body: Any, **headers: str) -> tuple[int, Any]:
    """Status and JSON of the answer; None where there is no body."""
    text = body if isinstance(body, str) else json.dumps(body)
    headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(server.url + "/rpc", text.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            content = reply.read()
    except urllib.error.HTTPError as problem:
        return problem.code, json.load(problem)
    return reply.status, json.loads(content) if content else None


def numbers(told: Any) -> Any:
    """An answer as (id, error number or found id): what the specification's examples show."""
    if isinstance(told, list):
        return [numbers(each) for each in told]
    assert told["jsonrpc"] == "2.0"
    assert set(told) == {"jsonrpc", "id", "error" if "error" in told else "result"}
    return told["id"], told["error"]["code"] if "error" in told else told["result"]["data"]["id"]


# The thirteen examples of §7, with a method that there is.
def test_params_by_position(server: Server) -> None:
    assert numbers(post(server, call("Customer.findById", ["c1"], 1))[1]) == (1, "c1")
    assert numbers(post(server, call("Customer.findById", ["c2"], 2))[1]) == (2, "c2")


def test_params_by_name(server: Server) -> None:
    wish = {"id": "c1", "options": {"select": ["email"]}}
    assert numbers(post(server, call("Customer.findById", wish, 3))[1]) == (3, "c1")
    wish = {"options": {"select": ["email"]}, "id": "c1"}
    assert numbers(post(server, call("Customer.findById", wish, 4))[1]) == (4, "c1")


def test_a_notification_is_done_and_not_answered(server: Server) -> None:
    wish = {"jsonrpc": "2.0", "method": "Customer.create", "params": {"data": {"id": "c3", "email": "c3@x.org"}}}
    assert post(server, wish) == (204, None)
    assert numbers(post(server, call("Customer.findById", ["c3"]))[1]) == (1, "c3")
    assert post(server, {"jsonrpc": "2.0", "method": "foobar"}) == (204, None)


def test_a_method_that_does_not_exist(server: Server) -> None:
    for method in ("foobar", "Customer.foobar", "Ghost.findAll", "", ".", "rpc.other"):
        assert numbers(post(server, {"jsonrpc": "2.0", "method": method, "id": "1"})[1]) == ("1", -32601)


def test_invalid_json(server: Server) -> None:
    status, told = post(server, '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')
    assert (status, *numbers(told)) == (400, None, -32700)


def test_an_invalid_request_object(server: Server) -> None:
    assert numbers(post(server, '{"jsonrpc": "2.0", "method": 1, "params": "bar"}')[1]) == (None, -32600)


def test_a_batch_of_invalid_json(server: Server) -> None:
    text = '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]'
    assert numbers(post(server, text)[1]) == (None, -32700)


def test_an_empty_array(server: Server) -> None:
    assert numbers(post(server, "[]")[1]) == (None, -32600)


def test_an_invalid_batch_that_is_not_empty(server: Server) -> None:
    assert numbers(post(server, "[1]")[1]) == [(None, -32600)]


def test_an_invalid_batch(server: Server) -> None:
    assert numbers(post(server, "[1,2,3]")[1]) == [(None, -32600)] * 3


def test_a_batch(server: Server) -> None:
    batch = [
        call("Customer.findById", ["c1"], "1"),
        {"jsonrpc": "2.0", "method": "Customer.findById", "params": ["c2"]},
        call("Customer.findById", {"id": "c2"}, "2"),
        {"foo": "boo"},
        call("foo.get", {"name": "myself"}, "5"),
        call("Customer.findById", ["c1"], "9"),
    ]
    found = numbers(post(server, batch)[1])
    assert found == [("1", "c1"), ("2", "c2"), (None, -32600), ("5", -32601), ("9", "c1")]


def test_a_batch_of_notifications_only(server: Server) -> None:
    batch = [{"jsonrpc": "2.0", "method": "Customer.findById", "params": [id]} for id in ("c1", "c2")]
    assert post(server, batch) == (204, None)


# What the examples leave open.
@pytest.mark.parametrize("id", [1, -7, 2**53, 1.5, "", "1", "ü", None])
def test_an_id_comes_back_as_it_was(server: Server, id: Any) -> None:
    told = post(server, call("Customer.findById", ["c1"], id))[1]["id"]
    assert (told, type(told)) == (id, type(id))


@pytest.mark.parametrize("id", [True, [], {}])
def test_an_id_of_another_kind_is_refused(server: Server, id: Any) -> None:
    assert numbers(post(server, call("Customer.findById", ["c1"], id))[1]) == (None, -32600)


def test_an_error_carries_the_code_and_the_places_that_every_door_tells(server: Server) -> None:
    told = post(server, call("Customer.findAll", {"filter": {"visits": {"$foo": 1}}}))[1]["error"]
    assert told["code"] == -32602
    assert (told["data"]["code"], told["data"]["details"][0]["path"]) == ("UNKNOWN_OPERATOR", "$.filter.visits.$foo")
    assert told["message"] == told["data"]["message"]
    told = post(server, call("Customer.create", {"data": {"email": "c1@x.org"}}))[1]["error"]
    assert (told["code"], told["data"]["code"]) == (-32009, "UNIQUE_VIOLATION")
    told = post(server, call("Customer.update", {"id": "ghost", "data": {}, "expectedVersion": 1}))[1]["error"]
    assert told["code"] in (-32004, -32009)


@pytest.mark.parametrize("params", [{"op": "delete"}, {"entity": "Tag"}, {"nonsense": 1}, ["c1", {}, [], 4]])
def test_params_that_mean_nothing_are_refused(server: Server, params: Any) -> None:
    assert numbers(post(server, call("Customer.findById", params))[1]) == (1, -32602)


def test_ten_thousand_calls_at_once_are_refused_whole(server: Server) -> None:
    batch = [call("Customer.delete", ["c1"], number) for number in range(10_000)]
    status, told = post(server, batch)
    assert (status, *numbers(told)) == (200, None, -32600)
    assert told["error"]["data"]["code"] == "BATCH_TOO_LARGE"
    assert numbers(post(server, call("Customer.findById", ["c1"]))[1]) == (1, "c1")


def test_headers_put_conditions_on_a_single_call_and_on_no_batch(server: Server) -> None:
    wish = call("Customer.increment", {"id": "c2", "field": "visits", "amount": 1})
    first = post(server, wish, Idempotency_Key="once")[1]["result"]
    assert post(server, wish, Idempotency_Key="once")[1]["result"] == first
    assert post(server, wish, If_Match='"1"')[1]["error"]["data"]["code"] == "VERSION_MISMATCH"
    read = post(server, call("Customer.findById", ["c2"]), Octonet_Min_Position=first["position"])[1]["result"]
    assert (read["version"], read["data"]) == (first["version"], first["data"])
    assert numbers(post(server, [wish], Idempotency_Key="once")[1]) == (None, -32600)


def test_a_request_that_is_none_is_refused_with_the_status_too(server: Server) -> None:
    assert post(server, "{}", Content_Type="text/plain")[0] == 415
    status, told = post(server, "")
    assert (status, *numbers(told)) == (400, None, -32700)


def test_the_description_lists_every_method_and_what_it_takes(server: Server) -> None:
    document = post(server, call("rpc.discover", {}))[1]["result"]
    methods = {method["name"]: method for method in document["methods"]}
    with urllib.request.urlopen(server.url + "/rpc", timeout=60) as reply:
        assert set(json.load(reply)["methods"]) == set(methods)
    params = {param["name"]: param for param in methods["Customer.update"]["params"]}
    assert [name for name, param in params.items() if param["required"]] == ["id", "data"]
    assert params["data"]["schema"] == {"$ref": "#/components/schemas/CustomerPatch"}
    assert "CustomerPatch" in document["components"]["schemas"]
    assert "password" not in document["components"]["schemas"]["Customer"]["properties"]


@pytest.mark.parametrize("client", ["jayson", "json-rpc-2.0"])
async def test_clients_of_other_people_call_notify_and_batch(server: Server, client: str) -> None:
    email = f"{client}@x.org"
    async with peers.started("jsonrpc.mjs", server.url + "/rpc") as peer:
        made = await peer.ask({"client": client, "method": "Customer.create", "params": {"data": {"email": email}}})
        id = made["result"]["data"]["id"]
        wish = {"id": id, "field": "visits", "amount": 2}
        await peer.ask({"client": client, "notify": ["Customer.increment", wish]})
        batch = [["Customer.increment", wish], ["Customer.nothing", {}], ["Customer.findOne", [{"email": email}]]]
        told = sorted(await peer.ask({"client": client, "batch": batch}), key=lambda answer: "error" in answer)
        assert [answer.get("error", {}).get("code") for answer in told] == [None, None, -32601]
        found = await peer.ask({"client": client, "method": "Customer.findById", "params": [id]})
        expected = {**made["result"]["data"], "visits": 4}
        assert {**found["result"]["data"], "updatedAt": expected["updatedAt"]} == expected


def test_no_call_makes_the_server_fail(server: Server) -> None:
    anything = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=4), st.lists, max_leaves=4)
    calls = st.fixed_dictionaries(
        {"jsonrpc": st.sampled_from(["2.0", "2.0", "2.0", "1.0", 2])},
        optional={
            "method": st.sampled_from([f"Customer.{op}" for op in ("create", "findAll", "update", "upsert", "pull")])
            | st.text(max_size=8),
            "params": BODIES | anything,
            "id": anything,
            "more": anything,
        },
    )

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(body=calls | st.lists(calls, max_size=4) | anything)
    def fuzz(body: object) -> None:
        status, told = post(server, body)
        assert status in (200, 204) or told["error"]["code"] == -32700, (body, told)
        for each in told if isinstance(told, list) else [] if told is None else [told]:
            assert each["jsonrpc"] == "2.0"
            assert ("error" in each) != ("result" in each)
            assert "error" not in each or each["error"]["code"] != -32603, (body, each)

    fuzz()
