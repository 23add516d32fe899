"""The holes of the predecessor, tried one by one: what once let somebody in lets nobody in.

Their numbers (reference, section 7.1), and what tries each:
1, 2 (files that are run): `test_schemas_at_run_time.py`, and here
3, 17-21 (doors without a gate): `test_gate.py` of the conformance suite, for every door there is, and here
4-8, 10, 12 (administration), 22-24 (what decides who may do what), 27 (credentials everybody knows): here
9, 11, 35 (paths, addresses and members of projects): `test_projects_at_run_time.py`, and here
13-16 (injection): `test_bad_input.py`, and here
25, 26, 37 (keys and passwords in clear): `test_canary.py`, `test_login.py`, and here
28-30 (browsers): `test_login.py`, the browser's tests of `/try`, and here
31 (the sandbox): `test_sandbox.py`; 32 (tenants): `test_tenancy.py`; 33 (facts with secrets): `test_canary.py`
34 (who sees what there is): `test_sandbox.py`; 36 (comparing tokens): `test_login.py`, the unit tests of keys
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.conformance.clients import DOORS, enter
from tests.key_office import issued
from tests.running import EveryDoor, Server

USER = {
    "name": "User",
    "collection": "users",
    "fields": {"email": {"type": "string", "unique": True}, "password": {"type": "string"}},
}
OUTSIDE = (401, 403, 404, 405)

ADMINISTRATION = [
    ("POST", "/api/upload-schemas", {"zip": "UEsDBA=="}),
    ("POST", "/api/upload-schemas-json", {"schemas": [USER]}),
    ("POST", "/api/scan-schemas", {"path": "/etc"}),
    ("POST", "/api/generate-schemas", {"path": "/etc"}),
    ("GET", "/api/config-tree", None),
    ("POST", "/api/config-tree", {"key": "projects.__proto__.x", "value": "1"}),
    ("POST", "/api/import-config", {"env": {"PATH": "/\nX=1"}}),
    ("GET", "/api/live-log", None),
    ("POST", "/api/projects", {"name": "../../etc/x", "dialect": "sqlite", "uri": "sqlite:////etc/x.db"}),
    ("PUT", "/api/projects/default", {"__proto__": {"x": 1}}),
    ("DELETE", "/api/projects/default?deleteDb=true&deleteSchema=true", None),
    ("POST", "/api/test-connection", {"dialect": "postgres", "uri": "postgresql://169.254.169.254/x"}),
    ("POST", "/api/create-database", {"name": 'x"; DROP TABLE users; --'}),
    ("POST", "/api/change-dialect", {"dialect": "sqlite", "uri": "sqlite:///x.db"}),
    ("POST", "/api/truncate-tables", {"confirm": True}),
    ("POST", "/api/drop-tables", {"confirm": True, "all": True}),
    ("POST", "/api/unload-schemas", {}),
    ("POST", "/api/reload-config", {}),
    ("POST", "/api/reconnect", {}),
    ("POST", "/api/restart", {}),
    ("GET", "/api/nats/subjects", None),
    ("GET", "/api/nats/info", None),
    ("POST", "/api/nats/call", {"entity": "User", "op": "findAll"}),
    ("POST", "/api/mcp-agent/call", {"tool": "user_find_all"}),
    ("GET", "/api/replicas/rules", None),
    ("POST", "/api/projects/default/replicas", {"name": "x", "dialect": "sqlite", "uri": "x"}),
    ("GET", "/api/performance", None),
    ("GET", "/_admin/", None),
    ("GET", "/api/api-keys", None),
    ("POST", "/api/api-keys", {"label": "mine", "permissions": {"projects": "*", "operations": "*"}}),
    ("POST", "/api/api-keys/scopes", {"name": "x", "label": "x"}),
]


DATA = [
    ("POST", "/graphql", {"query": "{ users { email } }"}),
    ("POST", "/graphql", {"query": "{ __schema { types { name } } }"}),
    ("GET", "/rpc", None),
    ("POST", "/rpc", {"jsonrpc": "2.0", "method": "User.findAll", "id": 1}),
    ("POST", "/rpc", {"jsonrpc": "2.0", "method": "rpc.discover", "id": 1}),
    ("GET", "/trpc", None),
    ("GET", "/trpc/User.findAll", None),
    ("GET", "/odata", None),
    ("GET", "/odata/$metadata", None),
    ("GET", "/odata/users", None),
    ("GET", "/arrow/flights", None),
    ("GET", "/arrow/schema/User", None),
    ("POST", "/arrow/query/User", {}),
    ("GET", "/api/grpc/proto", None),
    ("GET", "/api/grpc/services", None),
    ("POST", "/mcp", {"jsonrpc": "2.0", "method": "tools/call", "id": 1, "params": {"name": "User_create"}}),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("holes")
    schemas = directory / "schemas.json"
    schemas.write_text(json.dumps([USER]))
    with EveryDoor(directory / "data", schemas, OCTONET_OPEN_MODE="") as found:
        yield found


@pytest.fixture(scope="module")
def reader(server: Server) -> str:
    return issued(server, "--operations", "read")


@pytest.fixture(scope="module")
def writer(server: Server) -> str:
    return issued(server, "--operations", "read,write")


async def _ask(server: Server, method: str, path: str, body: Any = None, key: str = "", **more: str) -> Any:
    headers = ({"X-API-Key": key} if key else {}) | more
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.request(method, path, json=body, headers=headers) as reply,
    ):
        return reply.status, reply.headers, await reply.text()


@pytest.mark.parametrize(("method", "path", "body"), ADMINISTRATION, ids=[f"{m} {p}" for m, p, _ in ADMINISTRATION])
async def test_nobody_administers_without_an_administrators_key(
    server: Server, writer: str, method: str, path: str, body: Any
) -> None:
    for key in ("", writer):
        for prefix in ("", "/default"):
            status, _, _ = await _ask(server, method, prefix + path, body, key)
            assert status in OUTSIDE, (prefix, key)


@pytest.mark.parametrize(("method", "path", "body"), DATA, ids=[f"{m} {p} {b}" for m, p, b in DATA])
async def test_no_data_door_says_anything_to_a_wrong_key(server: Server, method: str, path: str, body: Any) -> None:
    for key in ("", "sk_live_nonsense"):
        if path == "/mcp" and not key:
            continue  # whoever shows nothing may read there what the public key may: see test_mcp_gate
        status, _, text = await _ask(server, method, path, body, key)
        assert (status, "email" in text) == (401, False), key


async def test_a_reader_changes_nothing(server: Server, reader: str, writer: str) -> None:
    status, _, text = await _ask(server, "POST", "/api/v1/User", {"email": "a@x.org"}, writer)
    assert status == 201
    id = json.loads(text)["data"]["id"]
    for method, path, body in (
        ("POST", "/api/v1/User", {"email": "b@x.org"}),
        ("PUT", f"/api/v1/User/{id}", {"email": "c@x.org"}),
        ("DELETE", f"/api/v1/User/{id}", None),
        ("PUT", "/api/v1/User/bulk", {"filter": {"email": "a@x.org"}, "data": {"email": "d@x.org"}}),
        ("POST", "/api/v1/User/upsert", {"filter": {"email": "a@x.org"}, "data": {"email": "e@x.org"}}),
        ("POST", f"/api/v1/User/{id}/increment", {"field": "email", "amount": 1}),
        ("POST", f"/api/v1/User/{id}/addToSet", {"field": "email", "value": 1}),
        ("POST", f"/api/v1/User/{id}/pull", {"field": "email", "value": 1}),
    ):
        assert (await _ask(server, method, path, body, reader))[0] == 403
    # To empty a table is for administrators: a writer may not.
    status, _, _ = await _ask(server, "DELETE", "/api/v1/User/bulk", {"filter": {}, "options": {"all": True}}, writer)
    assert status == 403
    assert json.loads((await _ask(server, "GET", f"/api/v1/User/{id}", None, reader))[2])["data"]["email"] == "a@x.org"


@pytest.mark.parametrize("entity", ["ApiKey", "Account", "Role", "Permission", "ApiKeyScope", "api_keys", "accounts"])
async def test_no_data_door_reaches_what_decides_who_may_do_what(server: Server, writer: str, entity: str) -> None:
    for method, body in (("GET", None), ("POST", {"label": "x"})):
        status, _, text = await _ask(server, method, f"/api/v1/{entity}", body, writer)
        assert (status, json.loads(text)["error"]["code"]) == (404, "ENTITY_NOT_FOUND")
    for door in DOORS:
        async with enter(door, server, writer) as call:
            assert (await call({"op": "findAll", "entity": entity}))[0] == "ENTITY_NOT_FOUND", door


async def test_an_entity_called_user_is_the_tenants_own(server: Server, reader: str, writer: str) -> None:
    assert (await _ask(server, "POST", "/api/v1/User", {"email": "own@x.org"}, writer))[0] == 201
    found = json.loads((await _ask(server, "GET", "/api/v1/User?limit=1000", None, reader))[2])["data"]
    assert all(set(row) == {"id", "email"} for row in found)


async def test_a_socket_without_a_key_does_not_open(server: Server) -> None:
    async with aiohttp.ClientSession(server.url) as session:
        for path in ("/ws", "/default/ws", "/ws?apikey=x", "/ws?events=none"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(path)
            assert refused.value.status in (400, 401, 404)


async def test_no_origin_is_granted_anything_that_was_not_configured(server: Server, reader: str) -> None:
    for method in ("GET", "OPTIONS"):
        _, headers, _ = await _ask(server, method, "/api/v1/User", None, reader, Origin="https://evil.example")
        assert not [name for name in headers if name.lower().startswith("access-control")]


async def test_what_a_client_sent_comes_back_as_json_and_is_not_sniffed(server: Server, reader: str) -> None:
    _, headers, text = await _ask(server, "GET", "/api/v1/<script>alert(1)</script>", None, reader)
    assert headers["Content-Type"].startswith("application/json")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(text)["status"] == "error"


@pytest.mark.parametrize("member", ["__proto__", "constructor", "$where", "email); DROP TABLE users; --"])
async def test_a_member_that_is_no_field_is_refused(server: Server, writer: str, member: str) -> None:
    status, _, _ = await _ask(server, "POST", "/api/v1/User", {member: {"x": 1}}, writer)
    assert status == 422
    where = quote(json.dumps({member: 1}))
    status, _, _ = await _ask(server, "GET", f"/api/v1/User?filter={where}", None, writer)
    assert status == 400


async def test_keys_are_neither_logged_nor_shown_again(server: Server, reader: str, writer: str) -> None:
    for key in (reader, writer):
        await _ask(server, "GET", f"/api/v1/User?apikey={key}")
        await _ask(server, "GET", "/nowhere", None, key)
        assert key not in server.log()
        assert key[20:] not in server.log()


@pytest.fixture(scope="module")
def chief(server: Server) -> str:
    return issued(server, "--projects", "*", "--operations", "read,write,admin")


@pytest.mark.parametrize(
    ("method", "path", "body", "outcome"),
    [
        # What was a hole even for those who may administer: it is not there, or refused by name.
        ("POST", "/api/config-tree", {"key": "projects.__proto__.x", "value": "1"}, {405}),
        ("POST", "/api/import-config", {"env": {"PATH": "/\nX=1"}}, {404}),
        ("POST", "/api/scan-schemas", {"path": "/etc"}, {404}),
        ("POST", "/api/generate-schemas", {"path": "/etc"}, {404}),
        ("POST", "/api/create-database", {"name": 'x"; DROP TABLE users; --'}, {404}),
        ("POST", "/api/restart", {}, {404}),
        ("PUT", "/api/projects/default", {"__proto__": {"x": 1}}, {422}),
        ("PUT", "/api/projects/default", {"constructor": {"x": 1}}, {422}),
        ("PUT", "/api/projects/default", {"tablePrefix": 'x"; DROP TABLE users; --'}, {422}),
        ("PUT", "/api/projects/..%2f..%2fetc", {"description": "x"}, {404}),
        ("PUT", "/api/projects/_system", {"description": "x"}, {404}),
        ("DELETE", "/api/projects/_system?deleteDb=true", None, {404}),
        ("POST", "/api/change-dialect", {"dialect": "sqlite", "uri": "sqlite:///_system.db"}, {422}),
        ("POST", "/api/change-dialect", {"dialect": "postgres", "uri": "postgresql://localhost/x"}, {422}),
        ("POST", "/api/test-connection", {"dialect": "postgres", "uri": "postgresql://169.254.169.254/x"}, {422}),
        ("POST", "/api/test-connection", {"dialect": "sqlite", "uri": "sqlite:////etc/passwd"}, {422}),
        ("POST", "/_system/api/apply-schema", {"schemas": []}, {404}),
    ],
)
async def test_not_even_an_administrator_gets_in_there(
    server: Server, chief: str, method: str, path: str, body: Any, outcome: set[int]
) -> None:
    assert (await _ask(server, method, path, body, chief))[0] in outcome


async def test_the_system_project_is_named_by_no_header(server: Server, chief: str) -> None:
    for path in ("/api/v1/ApiKey", "/api/schemas-config", "/api/test-connection"):
        status, _, _ = await _ask(server, "GET", path, None, chief, **{"X-Project": "_system"})
        assert status == 404


async def test_credentials_that_everybody_knows_open_nothing(server: Server) -> None:
    for password in ("admin123", "admin", ""):
        wish = {"email": "admin@amia.fr", "password": password}
        assert (await _ask(server, "POST", "/api/auth/login", wish))[0] in (400, 401, 422)


async def test_two_members_of_one_name_are_refused(server: Server, writer: str) -> None:
    headers = {"X-API-Key": writer, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:
        twice = b'{"email": "a@x.org", "email": "b@x.org"}'
        async with session.post("/api/v1/User", data=twice) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "DUPLICATE_MEMBER")


@pytest.mark.parametrize("declared", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_the_office_takes_no_body_that_a_page_of_elsewhere_may_send(
    server: Server, chief: str, declared: str
) -> None:
    headers = {"X-API-Key": chief, **({"Content-Type": declared} if declared else {})}
    async with aiohttp.ClientSession(server.url, headers=headers, skip_auto_headers=["Content-Type"]) as session:
        for path in ("/api/projects", "/api/api-keys", "/api/upload-schemas-json"):
            async with session.post(path, data=b"{}") as reply:
                assert (reply.status, (await reply.json())["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
