"""`GET /api/audit`: who did what in a project, from where, and what came of it, page by page, for whoever may know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import nats
import pytest

from jetstream.server import EmbeddedServer
from jetstream.topology import StreamLimits, project_streams
from octonet.kernel.chain import digest, encode
from octonet.kernel.envelope import Actor
from octonet.kernel.ids import DEFAULT_PROJECT, CommandId
from octonet.kernel.log import Batch, Decision, Verdict
from tests.acceptance.office import Office, chief, staffed, with_key
from tests.running import Server

BOOK = {"name": "Book", "collection": "books", "fields": {"title": {"type": "string", "unique": True}}}
CANARY = "canary-7c2a-in-the-archive"
LOG = "OCTO_LOG_default"
OLD_ENTRIES = 4200
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("audit")
    (directory / "tree.json").write_text(json.dumps({"books": {"schemas": [BOOK]}, "empty": {"schemas": [BOOK]}}))
    with staffed(directory / "data", MOSTA_PROJECTS=str(directory / "tree.json")) as found:
        yield found


@pytest.fixture
async def root(server: Server) -> Office:
    return await chief(server)


@pytest.fixture
async def key(root: Office) -> str:
    return await root.key()


@pytest.fixture
async def program(server: Server, key: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Writes with a key of its own."""
    async with aiohttp.ClientSession(server.url, headers={"X-API-Key": key}) as session:
        yield session


async def _page(office: Office, **search: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    query = urlencode({name.rstrip("_"): value for name, value in search.items()})
    status, told = await office.ask("GET", f"/api/audit?{query}")
    assert status == 200, told
    assert told["metadata"]["count"] == len(told["data"])
    return told["data"], told["metadata"]


async def _found(office: Office, **search: Any) -> list[dict[str, Any]]:
    """All that there is, over as many pages as it takes."""
    records: list[dict[str, Any]] = []
    while True:
        page, told = await _page(office, **search)
        records += page
        if not told["more"]:
            return records
        search["cursor"] = told["cursor"]


async def _send(session: aiohttp.ClientSession, method: str, path: str, body: Any = None, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with session.request(method, path, json=body, headers=sent) as reply:
        return reply.status, await reply.json(), reply.headers.get("Octonet-Position")


async def test_every_command_is_told_of_with_who_and_what_and_from_where(
    root: Office, program: aiohttp.ClientSession, key: str
) -> None:
    told = {"X_Correlation_Id": "order-66", "traceparent": TRACE}
    status, _, position = await _send(program, "POST", "/api/v1/tags", {"id": "one", "label": "one"}, **told)
    assert status == 201
    assert (await _send(program, "PUT", "/api/v1/tags/one", {"label": "one"}))[0] == 200
    assert (await _send(program, "POST", "/api/v1/tags", {"label": "one"}))[0] == 409
    assert (await _send(program, "DELETE", "/api/v1/tags/nothing"))[0] == 200
    raised = {"field": "visits", "amount": 1}
    assert (await _send(program, "POST", "/api/v1/customers/nobody/increment", raised))[0] == 404
    async with program.ws_connect("/ws?events=none") as socket:
        await socket.receive_json()
        await socket.send_json({"op": "delete", "entity": "Tag", "id": "one"})
        assert (await socket.receive_json())["status"] == "ok"

    records = await _found(root, key=key[:20])
    assert [(r["op"], r["verdict"], r["code"], r["ids"], r["transport"]) for r in records] == [
        ("delete", "applied", None, ["one"], "ws"),
        ("increment", "rejected", "NOT_FOUND", ["nobody"], "rest"),
        ("delete", "unchanged", None, ["nothing"], "rest"),
        ("create", "rejected", "UNIQUE_VIOLATION", records[3]["ids"], "rest"),
        ("update", "unchanged", None, ["one"], "rest"),
        ("create", "applied", None, ["one"], "rest"),
    ]
    assert [r["entity"] for r in records] == ["Tag", "Customer", *["Tag"] * 4]
    assert {(r["key"], r["user"], r["address"]) for r in records} == {(key[:20], "", "127.0.0.1")}
    first = records[-1]
    assert (first["position"], first["correlation"], first["traceparent"]) == (position, "order-66", TRACE)
    assert first["facts"] == [{"fact": "created", "entity": "Tag", "id": "one", "version": 1}]
    assert [r["changes"] for r in records] == [1, 0, 0, 0, 0, 1]
    assert records[1]["message"]
    assert [r["command"] for r in await _found(root, id="nobody")] == [records[1]["command"]]
    assert [r["at"] for r in records] == sorted((r["at"] for r in records), reverse=True)


async def test_what_is_done_in_the_office_is_told_of_like_all_else(root: Office, server: Server) -> None:
    person = await root.person("admin")
    made = await person.key()
    office = with_key(server, made)
    account = await office.account()
    system = {"project": "_system"}
    by_person = await _found(root, **system, user=person.id, action="create", entity="ApiKey")
    assert [(r["ids"], r["verdict"], r["transport"]) for r in by_person] == [([made[:20]], "applied", "admin")]
    by_key = await _found(root, **system, key=made[:20], entity="Account")
    assert [(r["op"], r["ids"], r["address"]) for r in by_key] == [("create", [account], "127.0.0.1")]
    logins = await _found(root, **system, entity="Session", op="create", user=person.id)
    assert len(logins) == 1
    assert await _found(root, id=account) == []


async def test_every_filter_finds_what_it_says_and_nothing_else(
    root: Office, program: aiohttp.ClientSession, key: str, server: Server
) -> None:
    account = await root.account()
    other = await root.key(account)
    for number in range(3):
        await _send(program, "POST", "/books/api/v1/books", {"id": f"b{number}", "title": f"t{number}"})
    await _send(program, "POST", "/books/api/v1/books", {"title": "t0"})
    await _send(program, "PUT", "/books/api/v1/books/b0", {"title": "t0"})
    async with (
        aiohttp.ClientSession(server.url, headers={"X-API-Key": other}) as session,
        session.ws_connect("/books/ws?events=none") as socket,
    ):
        await socket.receive_json()
        await socket.send_json({"op": "delete", "entity": "Book", "id": "b1"})
        await socket.receive_json()
    everything = await _found(root, project="books")
    assert [r["op"] for r in everything] == ["delete", "update", "create", "create", "create", "create"]

    async def kept(**search: Any) -> list[int]:
        found = await _found(root, project="books", **search)
        return [[r["command"] for r in everything].index(r["command"]) for r in found]

    assert await kept(key=other[:20]) == await kept(account=account) == await kept(transport="ws") == [0]
    assert await kept(key=key[:20]) == await kept(transport="rest") == [1, 2, 3, 4, 5]
    assert await kept(op="create") == await kept(action="create") == [2, 3, 4, 5]
    assert await kept(id="b1") == await kept(id="b1", entity="Book") == [0, 4]
    assert await kept(id="b1", op="delete", verdict="applied") == [0]
    assert await kept(entity="Book", address="127.0.0.1") == [0, 1, 2, 3, 4, 5]
    assert await kept(verdict="rejected") == await kept(status="failure") == [2]
    assert await kept(verdict="unchanged") == [1]
    assert await kept(status="success") == [0, 1, 3, 4, 5]
    assert await kept(status="applied", order="asc") == [5, 4, 3, 0]
    for nothing in ({"user": "x"}, {"entity": "Tag"}, {"address": "10.0.0.1"}, {"op": "upsert"}, {"id": "b9"}):
        assert await kept(**nothing) == []
    third = everything[3]["at"]
    assert await kept(from_=third) == [n for n in range(6) if everything[n]["at"] >= third]
    assert await kept(to=third) == [n for n in range(6) if everything[n]["at"] <= third]
    assert await kept(from_=third, to=third, order="asc") == [
        n for n in reversed(range(6)) if everything[n]["at"] == third
    ]
    assert await kept(from_="2001-01-01", to="2002-01-01T00:00:00.000Z") == await kept(from_="2099-01-01") == []


async def test_pages_hold_every_record_once_while_others_go_on_writing(
    root: Office, program: aiohttp.ClientSession
) -> None:
    async def write(name: str, count: int) -> None:
        for number in range(count):
            body = {"label": f"{name}-{number}"}
            assert (await _send(program, "POST", "/api/v1/tags", body))[0] == 201

    await asyncio.gather(*(write(f"before {n}", 15) for n in range(4)))
    before = [r["command"] for r in await _found(root, limit=1000)]
    writers = [asyncio.create_task(write(f"meanwhile {n}", 30)) for n in range(4)]
    backwards = await _found(root, limit=7)
    forwards, told = await _page(root, limit=7, order="asc")
    pages = 1
    while not all(writer.done() for writer in writers) or told["more"]:
        page, told = await _page(root, limit=7, order="asc", cursor=told["cursor"])
        forwards += page
        pages += 1
    await asyncio.gather(*writers)
    # From its beginning the log can be followed: the last cursor leads to what is written next.
    page, told = await _page(root, order="asc", cursor=told["cursor"])
    forwards += page
    now = [r["command"] for r in await _found(root, limit=1000)]
    assert [r["command"] for r in backwards][-len(before) :] == before
    assert len({r["command"] for r in backwards}) == len(backwards)
    assert [r["command"] for r in forwards] == now[::-1]
    assert len(set(now)) == len(now) == len(before) + 120
    assert pages > 20


@pytest.mark.parametrize(
    ("query", "code", "sentence"),
    [
        ("usr=x", "UNKNOWN_PARAMETER", 'did you mean "user"?'),
        ("page=2", "UNKNOWN_PARAMETER", "?page: is not a parameter of the audit"),
        ("op=create&action=create", "INVALID_REQUEST", "?action"),
        ("op=create&op=update", "INVALID_REQUEST", "?op"),
        ("verdict=aplied", "INVALID_REQUEST", 'did you mean "applied"?'),
        ("status=ok", "INVALID_REQUEST", "?verdict: is none of applied"),
        ("order=up", "INVALID_REQUEST", "?order"),
        ("format=csv", "INVALID_REQUEST", "?format"),
        ("user=", "INVALID_REQUEST", "?user"),
        ("from=yesterday", "INVALID_REQUEST", "?from"),
        ("to=2024-13-01", "INVALID_REQUEST", "?to"),
        ("from=2024-02-01&to=2024-01-01", "INVALID_REQUEST", "?to"),
        *((f"limit={limit}", "INVALID_REQUEST", "?limit") for limit in ("0", "1001", "-1", "1e2", "9" * 5000, "ten")),
        ("cursor=AAAA", "INVALID_CURSOR", "?cursor"),
        ("cursor=%C3%A9", "INVALID_CURSOR", "?cursor"),
        ("user=%FF", "PARSE_ERROR", "the query string"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name(root: Office, query: str, code: str, sentence: str) -> None:
    status, told = await root.ask("GET", f"/api/audit?{query}")
    assert (status, told["error"]["code"]) == (400, code)
    assert sentence in told["error"]["message"]


async def test_a_cursor_counts_where_it_was_given_out_and_as_it_was(root: Office) -> None:
    for _ in range(2):
        await root.account()
        await root.key(projects=["books"], operations=[])
    _, told = await _page(root, project="_system", limit=1)
    cursor = told["cursor"]
    assert (await _page(root, project="_system", limit=3, cursor=cursor))[0]
    flipped = ("B" if cursor[0] != "B" else "C") + cursor[1:]
    for wrong in (
        {"cursor": flipped},
        {"cursor": cursor[:-1]},
        {"cursor": cursor + "AAAA"},
        {"cursor": cursor, "order": "asc"},
        {"cursor": cursor, "entity": "ApiKey"},
        {"cursor": cursor, "project": "books"},
    ):
        query = urlencode({"project": "_system", **wrong})
        assert await root.code("GET", f"/api/audit?{query}") == (400, "INVALID_CURSOR")


async def test_lines_are_the_same_records(root: Office) -> None:
    for _ in range(3):
        await root.account()
    query = "/api/audit?project=_system&entity=Account&limit=2"
    data, told = await _page(root, project="_system", entity="Account", limit=2)
    for path, headers in ((f"{query}&format=ndjson", {}), (query, {"Accept": "application/x-ndjson"})):
        reply = await root.raw("GET", path, **headers)
        assert reply.content_type == "application/x-ndjson"
        assert [json.loads(line) for line in (await reply.text()).splitlines()] == data
        assert (reply.headers["Octonet-Cursor"], reply.headers["Octonet-More"]) == (told["cursor"], "true")
    empty = await root.raw("GET", "/api/audit?project=empty&format=ndjson")
    assert (await empty.text(), empty.headers["Octonet-More"], "Octonet-Cursor" in empty.headers) == (
        "",
        "false",
        False,
    )
    plain = await root.raw("GET", f"{query}&format=json", Accept="application/x-ndjson")
    assert plain.content_type == "application/json"


async def test_tenants_and_limited_keys_see_the_records_of_their_own_project(
    root: Office, program: aiohttp.ClientSession, server: Server
) -> None:
    await _send(program, "POST", "/books/api/v1/books", {"title": "of the tenant"})
    tenant, stranger = await root.person(), await root.person()
    account = await root.account(owner=tenant.id)
    strong = await root.key(account, projects=["books"], operations="*")
    weak = await root.key(account, projects=["books"], operations=["read", "write"])
    unowned = await root.key(projects=["books"], operations=["admin"])
    await root.done("POST", "/api/admin/roles", {"name": "auditor", "permissions": ["project:read:any"]})
    auditor = await root.person("auditor")
    for office in (tenant, with_key(server, strong), with_key(server, unowned), auditor, root):
        for path, headers in (
            ("/books/api/audit", {}),
            ("/api/audit?project=books", {}),
            ("/api/audit", {"X_Project": "books"}),
        ):
            status, told = await office.ask("GET", path, **headers)
            assert status == 200, told
            assert {r["entity"] for r in told["data"]} == {"Book"}
    for office in (tenant, with_key(server, strong), with_key(server, unowned)):
        assert await office.status("GET", "/api/audit") == 403
        assert await office.status("GET", "/api/audit?project=empty") == 403
        assert await office.status("GET", "/api/audit?project=nowhere") == 403
    for office in (tenant, stranger, auditor, with_key(server, strong), with_key(server, unowned)):
        assert await office.code("GET", "/api/audit?project=_system") == (403, "FORBIDDEN")
    for office in (stranger, with_key(server, weak)):
        assert await office.status("GET", "/api/audit?project=books") == 403
    for path in ("/api/audit", "/books/api/audit", "/api/audit?project=_system", "/api/audit?usr=1"):
        assert await Office(server).status("GET", path) == 401


async def test_what_leads_nowhere_is_said_to_do_so(root: Office) -> None:
    assert await root.code("GET", "/api/audit?project=nowhere") == (404, "UNKNOWN_PROJECT")
    assert await root.code("GET", "/api/audit", X_Project="_system") == (404, "UNKNOWN_PROJECT")
    assert await root.code("GET", "/api/audit?project=_other") == (404, "UNKNOWN_PROJECT")
    assert await root.code("GET", "/books/api/audit?project=_system") == (400, "PROJECT_CONFLICT")
    assert await root.code("GET", "/api/audit?project=_system", X_Project="books") == (400, "PROJECT_CONFLICT")
    assert await root.code("GET", "/books/api/audit?project=default") == (400, "PROJECT_CONFLICT")
    assert await root.code("GET", "/api/audit/export") == (404, "NOT_FOUND")
    assert await root.code("POST", "/api/audit", {}) == (405, "METHOD_NOT_ALLOWED")
    assert await _page(root, project="empty") == ([], {"count": 0, "more": False})


async def test_a_project_that_is_not_served_tells_all_the_same(root: Office, program: aiohttp.ClientSession) -> None:
    status, told, _ = await _send(program, "POST", "/api/projects", {"name": "resting", "schemas": [BOOK]})
    assert status == 201, told
    assert (await _send(program, "POST", "/resting/api/v1/books", {"id": "b", "title": "t"}))[0] == 201
    assert (await _send(program, "PUT", "/api/projects/resting", {"paused": True}))[0] == 200
    assert (await _send(program, "GET", "/resting/api/v1/books"))[0] == 503
    assert [r["ids"] for r in await _found(root, project="resting")] == [["b"]]
    projects = await _found(root, project="_system", entity="Project", id="resting")
    assert [r["op"] for r in projects] == ["update", "create"]


async def test_no_secret_stands_in_any_record(root: Office, program: aiohttp.ClientSession, server: Server) -> None:
    customer = {"id": "guest", "email": "guest@audit.test", "password": f"{CANARY} 1", "profile": {"deep": CANARY}}
    assert (await _send(program, "POST", "/api/v1/customers", customer))[0] == 201
    assert (await _send(program, "POST", "/api/v1/customers", customer))[0] == 409
    assert (await _send(program, "PUT", "/api/v1/customers/guest", {"password": f"{CANARY} 2"}))[0] == 200
    person = await root.person(password=f"{CANARY} 3")
    await root.done("PUT", f"/api/users/{person.id}", {"password": f"{CANARY} 4"})
    key = await root.key()
    rotated = (await root.done("POST", f"/api/api-keys/{key[:20]}/rotate", {}))["apiKey"]
    heard = ""
    for project in ("default", "_system"):
        for form in ("json", "ndjson"):
            reply = await root.raw("GET", f"/api/audit?project={project}&limit=1000&format={form}")
            heard += await reply.text() + str(reply.headers)
    assert key[:20] in heard
    assert "guest" in heard
    for secret in (CANARY, key[20:], rotated[20:], "hmac", "$2b$", "sealed"):
        assert secret not in heard


async def test_a_search_that_finds_nothing_reads_a_long_log_piece_by_piece(tmp_path: Path) -> None:
    server = staffed(tmp_path / "data")
    await _grown(server)
    with server:
        root = await chief(server)
        for order in ("desc", "asc"):
            told: dict[str, Any] = {"more": True}
            search: dict[str, Any] = {"user": "nobody", "order": order}
            pages = 0
            while told["more"]:
                found, told = await _page(root, **search)
                search["cursor"], pages = told.get("cursor"), pages + 1
                assert found == []
            assert pages >= 3
        # What is rare is found on the way, and a page of what is frequent needs but one request.
        assert [r["op"] for r in await _found(root, key="rare")] == ["update"] * 5
        page, told = await _page(root, limit=1000, key="old")
        assert (len(page), told["more"]) == (1000, True)
        # Nothing that was stored before the time is looked at.
        assert await _page(root, from_="2100-01-01") == ([], {"count": 0, "more": False})


async def _grown(server: Server) -> None:
    """Give the server a history before its first start."""
    broker = EmbeddedServer(server.directory / "nats")
    broker.spawn()
    broker.wait_ready()
    try:
        way = broker.endpoint
        client = await nats.connect(way.url, user=way.user, password=way.password)
        config = next(one for one in project_streams(DEFAULT_PROJECT, StreamLimits()) if one["name"] == LOG)
        await client.request(f"$JS.API.STREAM.CREATE.{LOG}", json.dumps(config).encode())
        stream, previous = client.jetstream(publish_async_max_pending=OLD_ENTRIES), b""
        stored = []
        for number in range(OLD_ENTRIES):
            actor = Actor(key="rare" if number % 1000 == 10 else "old", transport="rest")
            decision = Decision(CommandId(f"c{number}"), "update", "Tag", number, actor, Verdict.UNCHANGED)
            body = encode(Batch(previous, 0, (decision,)))
            previous = digest(body)
            stored.append(await stream.publish_async("octo.log.default", body))
        await asyncio.gather(*stored)
        await client.close()
    finally:
        broker.stop()
