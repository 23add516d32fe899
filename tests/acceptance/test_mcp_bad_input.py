"""Whatever comes to the MCP door: an error in the protocol's words with our code in it, never the server's own."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.mcp_wire import BOTH, ENVELOPE, LEGACY, MODERN, RESERVED, Wire, headers, message
from tests.running import Server
from tests.unit.arbitrary import documents

SHOP = Path(__file__).parent / "shop.json"
METHODS = (
    "tools/call", "tools/list", "resources/list", "resources/read", "resources/templates/list", "prompts/list",
    "prompts/get", "completion/complete", "server/discover", "initialize", "ping", "notifications/initialized",
    "logging/setLevel", "resources/subscribe", "nothing", "",
)  # fmt: skip
OPS = (
    "findAll", "findOne", "findById", "count", "search", "aggregate", "create", "update", "upsert", "delete",
    "updateMany", "deleteMany", "increment", "addToSet", "pull", "nothing",
)  # fmt: skip
ARGUMENTS = (
    "id", "filter", "data", "options", "relations", "query", "fields", "searchFields", "stages", "field", "value",
    "amount", "sort", "limit", "skip", "idempotencyKey", "expectedVersion", "minPosition", "email", "visits", "$gt",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("bad") / "data", SHOP, OCTONET_MAX_BODY="200000") as found:
        yield found
    assert "Traceback" not in found.log()
    assert "incident" not in found.log()


@pytest.fixture
def wire(server: Server) -> Wire:
    return Wire(server.url)


BATCH = json.dumps([{"id": n} for n in range(10_000)])
DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", -32700), ("{", -32700), ("nonsense", -32700), (DEEP, -32700), ('{"a":1,"a":2}', -32600), ("\xff", -32700),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}', -32700),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"\\ud800"}}', -32700),
        ("[]", None), ("[1]", None), ("1", None), ("null", None), (BATCH, None), ("{}", None),
        ('{"jsonrpc":"1.0","id":1,"method":"ping"}', None), ('{"jsonrpc":"2.0","id":1}', None),
        ('{"jsonrpc":"2.0","id":{},"method":"ping"}', None), ('{"jsonrpc":"2.0","id":1.5,"method":"ping"}', None),
        ('{"jsonrpc":"2.0","id":1,"method":3}', None), ('{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', None),
    ],
)  # fmt: skip
async def test_what_is_no_request_is_refused(wire: Wire, revision: str, body: str, code: int | None) -> None:
    told = headers("ping", {}, revision)
    status, _, answer = await wire.raw(body.encode("latin-1"), told)
    assert 400 <= status < 500, answer
    error = json.loads(answer)["error"]
    assert error["code"] == code or (code is None and error["code"] in (-32600, -32602))
    if code == -32700:
        assert error["data"]["code"] == "PARSE_ERROR"


async def test_http_says_no_by_its_own_words(wire: Wire) -> None:
    body = json.dumps(message("tools/list", {}, MODERN)).encode()
    told = headers("tools/list", {}, MODERN)
    cases: list[tuple[str, str, bytes, dict[str, str], int]] = [
        *((method, "/mcp", b"", {}, 405) for method in ("GET", "DELETE", "PUT", "PATCH")),
        ("GET", "/mcp", b"", {"Accept": "text/event-stream", "Mcp-Session-Id": "x", "Last-Event-ID": "1"}, 405),
        ("POST", "/mcp/more", body, told, 404),
        ("POST", "/mcp", body, {**told, "Accept": "text/html"}, 406),
        ("POST", "/mcp", body, {**told, "Content-Type": "text/plain"}, 400),
        ("POST", "/mcp", body, {**told, "Mcp-Method": "tools/call"}, 400),
        ("POST", "/mcp", body, {**told, "MCP-Protocol-Version": "2031-01-01"}, 400),
        ("POST", "/mcp", b" " * 200_001, told, 413),
        ("POST", "/nothing/mcp", body, told, 404),
        ("POST", "/mcp", body, {**told, "X-Project": "nothing"}, 404),
        ("POST", "/mcp", body, {**told, "X-Project": "_system"}, 404),
    ]
    for method, path, sent, more, status in cases:
        found = await wire.raw(sent, more, path, method)
        assert found[0] == status, (method, path, more, found)
    # A session that nobody has, or a stream to resume, is passed over.
    assert (await wire.raw(body, {**told, "Mcp-Session-Id": "x", "Last-Event-ID": "1"}))[0] == 200


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
async def test_what_is_wrong_with_a_request_is_named(wire: Wire, revision: str) -> None:
    cases: list[tuple[str, dict[str, Any], int, str]] = [
        ("tools/call", {"name": "Nothing_count"}, -32602, "ENTITY_NOT_FOUND"),
        ("tools/call", {"name": "Customer_nothing"}, -32602, "UNKNOWN_OP"),
        ("tools/call", {"name": ""}, -32602, "UNKNOWN_OP"),
        ("tools/call", {"name": "Customer_count", "arguments": []}, -32602, ""),
        ("tools/list", {"cursor": "tampered"}, -32602, "INVALID_CURSOR"),
        ("resources/list", {"cursor": "é"}, -32602, "INVALID_CURSOR"),
        ("prompts/list", {"cursor": "AAAAAAAAAAAAMTAw"}, -32602, "INVALID_CURSOR"),
        ("tools/list", {"cursor": 7}, -32602, ""),
        ("prompts/get", {"name": "nothing"}, -32602, "UNKNOWN_PROMPT"),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "e", "value": ""}},
         -32602, "UNKNOWN_PROMPT"),
        ("completion/complete", {"ref": {"type": "ref/other"}}, -32602, ""),
        ("nothing/at-all", {}, -32601, ""),
    ]  # fmt: skip
    if revision == MODERN:
        state = {"name": "Customer_count", "arguments": {}, "requestState": "tampered"}
        cases.append(("tools/call", state, -32602, "INVALID_STATE"))
    for method, params, code, ours in cases:
        status, found, said = await wire.error(method, params, revision)
        assert (found, said) == (code, ours), (method, params)
        assert status in (200, 400, 404)
    calls: list[tuple[str, dict[str, Any], str, str]] = [
        ("findAll", {"nope": 1}, "UNKNOWN_MEMBER", "$.nope"),
        ("findAll", {"limit": "5"}, "INVALID_OPTIONS", "$.options.limit"),
        ("findAll", {"limit": 1, "options": {"limit": 2}}, "INVALID_REQUEST", "$.limit"),
        ("findAll", {"filter": "{"}, "PARSE_ERROR", "$.filter"),
        ("findAll", {"filter": {"visits": {"$foo": 1}}}, "UNKNOWN_OPERATOR", "$.filter.visits.$foo"),
        ("findAll", {"options": {"after": "tampered"}}, "INVALID_CURSOR", "$.options.after"),
        ("create", {"data": {"email": 7}}, "VALIDATION_ERROR", "$.data.email"),
        ("create", {"data": "7"}, "INVALID_REQUEST", "$.data"),
        ("create", {}, "MISSING_DATA", "$.data"),
        ("update", {"id": "x", "data": {}, "expectedVersion": "new"}, "INVALID_VERSION", "$.expectedVersion"),
        ("count", {"minPosition": "tampered"}, "INVALID_POSITION", "$.minPosition"),
        ("deleteMany", {"filter": {}}, "FILTER_REQUIRED", "$.filter"),
        ("aggregate", {"stages": [{"$nope": 1}]}, "", ""),
    ]
    for op, arguments, ours, path in calls:
        told = await wire.call(f"Customer_{op}", arguments, revision)
        error = told["structuredContent"]["error"]
        assert told["isError"] is True
        assert error["code"] == (ours or error["code"])
        assert not path or [fault["path"] for fault in error["details"]] == [path]
        assert told["content"][0]["text"] == f"Error: {error['message']} [{error['code']}]"
    both = {"name": "Customer_count", "arguments": {}, "_meta": {"octonet/nope": 1}}
    assert (await wire.result("tools/call", both, MODERN))["structuredContent"]["error"]["code"] == "UNKNOWN_MEMBER"


_tools = st.builds(
    "{}_{}".format, st.sampled_from(["Customer", "customers", "Order", "nope", ""]), st.sampled_from(OPS)
)
_arguments = st.one_of(documents(*ARGUMENTS), st.dictionaries(st.sampled_from(ARGUMENTS), documents(*ARGUMENTS)))
_metas = st.one_of(
    st.just(ENVELOPE),
    st.dictionaries(
        st.sampled_from([*ENVELOPE, "progressToken", "traceparent", f"{RESERVED}logLevel", "octonet/minPosition"]),
        st.one_of(st.sampled_from([MODERN, LEGACY, {}, {"name": "x", "version": "1"}]), documents("name")),
    ),
)
_params = st.one_of(
    documents("name", "arguments", "cursor", "uri", "_meta"),
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.one_of(_tools, documents("x")),
            "arguments": _arguments,
            "cursor": documents("x"),
            "uri": st.one_of(st.just("entity://Customer/c1"), documents("x")),
            "ref": documents("type", "name", "uri"),
            "argument": documents("name", "value"),
            "requestState": documents("x"),
            "_meta": _metas,
        },
    ),
)
_ids = st.one_of(st.integers(-5, 5), st.text(max_size=5), documents("x"))
_calls = st.builds(
    lambda name, arguments, meta: ("tools/call", {"name": name, "arguments": arguments, "_meta": meta}),
    _tools, _arguments, st.one_of(st.just(ENVELOPE), _metas),
)  # fmt: skip
_asked = st.one_of(_calls, st.tuples(st.sampled_from(METHODS), _params))


def test_no_message_makes_the_server_fail(server: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=90)) as connection:

        @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(asked=_asked, id=_ids, revision=st.sampled_from([MODERN, LEGACY, "", "x"]), honest=st.booleans())
        def fuzz(asked: tuple[str, Any], id: object, revision: str, honest: bool) -> None:
            method, params = asked
            told = {"Content-Type": "application/json", "Accept": BOTH}
            if revision:
                told["MCP-Protocol-Version"] = revision
            if honest:
                told["Mcp-Method"] = method
                name = params.get("name") if isinstance(params, dict) else None
                if isinstance(name, str) and name.isascii() and name.isprintable():
                    told["Mcp-Name"] = name
            body = json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
            connection.request("POST", "/mcp", body, told)
            response = connection.getresponse()
            answer = response.read()
            assert response.status < 500, (asked, answer)
            if answer:
                found = json.loads(answer)
                assert found["jsonrpc"] == "2.0"
                assert found.get("error", {}).get("code") != -32603, (asked, found)

        fuzz()
