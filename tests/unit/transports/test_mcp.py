"""The pure parts of the MCP door: names, arguments, cursors, origins, and what is answered without the SDK."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp.shared.inbound import classify_inbound_request
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from commands import COMMANDS
from octonet.kernel.errors import Invalid, OctonetError
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.operation import Operation, Request
from octonet.kernel.schema_parse import parse
from octonet.transport import Incoming
from projections import QUERIES
from tests.acceptance.mcp_shop import CALLS
from tests.acceptance.mcp_wire import LEGACY, MODERN, headers, message
from tests.unit.arbitrary import documents, read_or_refused
from transports.engine.mcp import arguments, cursors, identity, origins, quick, tool_names, tools
from transports.engine.render import Refused

SHOP = parse((Path(__file__).parents[2] / "acceptance" / "shop.json").read_bytes())
CUSTOMER = SHOP.entities["Customer"]
OPERATIONS: dict[str, type[Operation]] = {**QUERIES, **COMMANDS}
untimed = settings(deadline=None, suppress_health_check=list(HealthCheck))
_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)
_slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True).map(ProjectName)
_operations = st.sampled_from(list(OPERATIONS.values()))


@untimed
@given(entity=_names, operation=_operations, project=_slugs)
def test_a_tools_name_is_read_as_it_was_spelled(entity: str, operation: type[Operation], project: ProjectName) -> None:
    def only_there(where: ProjectName, name: str) -> Any:
        return CUSTOMER if (where, name) == (project, entity) else None

    own = tool_names.read(tool_names.spell(entity, operation.op()), project, OPERATIONS, only_there)
    assert own == tool_names.Named(project, CUSTOMER, operation)
    other = tool_names.spell(entity, operation.op(), project)
    found = tool_names.read(other, DEFAULT_PROJECT, OPERATIONS, only_there)
    assert found == tool_names.Named(project, CUSTOMER, operation)
    if project != DEFAULT_PROJECT:
        assert tool_names.read(other, ProjectName("elsewhere-else"), OPERATIONS, only_there) is None


@untimed
@given(name=st.text(max_size=40))
def test_a_name_that_is_no_tools_is_none(name: str) -> None:
    assert tool_names.read(name, DEFAULT_PROJECT, OPERATIONS, lambda _, __: None) is None


def test_a_tool_that_could_not_be_called_by_its_name_is_left_out() -> None:
    long = msgspec.structs.replace(CUSTOMER, name="E" * 63)
    for project, count in ((None, 15), (ProjectName("p" * 63), 0)):
        found = list(tools.named(long, OPERATIONS, project))
        assert len(found) == count
        assert all(len(name) <= 128 for name, _, _ in found)


@untimed
@given(operation=_operations, given=st.dictionaries(st.sampled_from([
    "id", "filter", "data", "options", "relations", "query", "fields", "searchFields", "stages", "field", "value",
    "amount", "sort", "limit", "skip", "idempotencyKey", "expectedVersion", "minPosition", "all", "x",
]), documents("limit", "sort", "all")))  # fmt: skip
def test_arguments_are_read_or_refused_naming_the_place(operation: type[Operation], given: dict[str, Any]) -> None:
    read_or_refused(lambda: arguments.read(operation, CUSTOMER, given))


@pytest.mark.parametrize(("op", "given", "_"), CALLS)
def test_json_as_text_is_read_as_what_it_holds(op: str, given: dict[str, Any], _: str) -> None:
    as_text = {
        name: msgspec.json.encode(value).decode() if isinstance(value, dict | list) or name == "value" else value
        for name, value in given.items()
    }
    assert arguments.read(OPERATIONS[op], CUSTOMER, as_text) == arguments.read(OPERATIONS[op], CUSTOMER, given)


def test_options_stand_alone_or_together_and_never_twice() -> None:
    find = QUERIES["findAll"]
    wanted = Request("findAll", "Customer", options={"limit": 5, "sort": {"email": 1}, "select": ["email"]})
    found = arguments.read(find, CUSTOMER, {"limit": 5, "sort": {"email": 1}, "options": {"select": ["email"]}})
    assert msgspec.to_builtins(found) == msgspec.to_builtins(wanted)
    for twice in ({"limit": 5, "options": {"limit": 5}}, {"limit": 5, "options": 7}):
        with pytest.raises(Invalid):
            arguments.read(find, CUSTOMER, twice)
    with pytest.raises(Invalid):
        arguments.read(QUERIES["search"], CUSTOMER, {"query": "x", "fields": "a", "searchFields": "b"})


@untimed
@given(count=st.integers(0, 450), about=st.text(max_size=10))
def test_pages_hold_everything_once(count: int, about: str) -> None:
    found: list[int] = []
    cursor: str | None = None
    while True:
        page, cursor = cursors.cut(range(count), about, cursor)
        found += page
        if cursor is None:
            break
        assert len(page) == cursors.PAGE
    assert found == list(range(count))


@untimed
@given(cursor=st.text(max_size=40), about=st.text(max_size=10))
def test_a_cursor_that_was_not_given_out_is_refused(cursor: str, about: str) -> None:
    with pytest.raises(OctonetError) as refused:
        cursors.cut(range(450), about, cursor)
    assert refused.value.code == "INVALID_CURSOR"


def test_a_cursor_of_another_list_or_changed_in_any_place_is_refused() -> None:
    _, cursor = cursors.cut(range(450), "here", None)
    assert cursor is not None
    wrong = [cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :] for at in range(len(cursor))]
    for about, token in (("there", cursor), *(("here", one) for one in [*wrong, cursor + "=", cursor * 2, ""])):
        with pytest.raises(Invalid):
            cursors.cut(range(450), about, token)


@pytest.mark.parametrize(
    ("origin", "host", "public", "known"),
    [
        ("http://127.0.0.1:4488", "127.0.0.1:4488", "", True), ("http://localhost:1", "localhost:1", "", True),
        ("http://[::1]:4488", "[::1]:4488", "", True), ("https://10.0.0.7", "10.0.0.7", "", True),
        ("http://127.0.0.1:4488", "127.0.0.1:4489", "", False),
        ("http://localhost.evil:1", "localhost.evil:1", "", False),
        ("http://evil", "evil", "", False), ("https://o.example", "o.example", "https://o.example/", True),
        ("http://o.example", "o.example", "https://o.example", False), ("null", "null", "", False), ("", "", "", False),
    ],
)  # fmt: skip
def test_an_origin_is_known_by_name_or_is_an_address(origin: str, host: str, public: str, known: bool) -> None:
    incoming = Incoming("POST", "/mcp", {"origin": origin, "host": host})
    if known:
        origins.check(incoming, public)
    else:
        with pytest.raises(Refused):
            origins.check(incoming, public)


@untimed
@given(origin=st.text(max_size=30), host=st.text(max_size=30))
def test_no_origin_makes_the_check_fail(origin: str, host: str) -> None:
    with contextlib.suppress(Refused):
        origins.check(Incoming("POST", "/mcp", {"origin": origin, "host": host}), "https://octonet.example")


def test_the_revisions_are_those_of_the_sdk() -> None:
    assert MODERN_PROTOCOL_VERSIONS == (identity.MODERN,)
    assert set(HANDSHAKE_PROTOCOL_VERSIONS) >= identity.LEGACY


def lower(told: dict[str, str]) -> dict[str, str]:
    return {name.lower(): text for name, text in told.items()}


@untimed
@given(
    method=st.sampled_from(["tools/call", "tools/list", "prompts/list"]),
    params=st.one_of(
        st.fixed_dictionaries({"name": st.sampled_from(["a_count", "é", ""])}, optional={"arguments": documents("x")}),
        st.fixed_dictionaries({}, optional={"cursor": documents("x"), "requestState": documents("x")}),
    ),
    meta=st.dictionaries(
        st.sampled_from([
            "progressToken", "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientInfo",
            "io.modelcontextprotocol/clientCapabilities", "io.modelcontextprotocol/logLevel", "x",
        ]),
        st.one_of(st.just(MODERN), st.just({}), documents("x")),
    ),
    change=st.sampled_from(["", "mcp-method", "mcp-name", "accept", "content-type", "mcp-protocol-version"]),
    id=st.one_of(st.integers(), st.text(), documents("x")),
)  # fmt: skip
def test_what_is_answered_without_the_sdk_is_what_the_sdk_would_not_refuse(
    method: str, params: dict[str, Any], meta: dict[str, Any], change: str, id: object
) -> None:
    told = lower(headers(method, {"name": params.get("name", "")}, MODERN))
    if change:
        told[change] = "something else"
    body = message(method, params, MODERN)
    body["id"] = id
    body["params"]["_meta"] = {**body["params"]["_meta"], **meta}
    question = quick.read(told, body)
    if question is not None:
        assert not change or (change == "mcp-name" and method == "tools/list")
        assert method != "prompts/list"
        assert isinstance(question.id, int | str)
        route = classify_inbound_request(body, headers=told)
        assert type(route).__name__ == "InboundModernRoute"


def test_a_plain_request_is_answered_without_the_sdk() -> None:
    for revision in (MODERN, LEGACY):
        for method, params in (("tools/list", {}), ("tools/call", {"name": "a_count", "arguments": {}})):
            assert quick.read(lower(headers(method, params, revision)), message(method, params, revision)) is not None
    earlier = {**lower(headers("tools/list", {}, LEGACY)), "mcp-protocol-version": "2024-11-05"}
    assert quick.read(earlier, message("tools/list", {}, LEGACY)) is None
