"""Bad input is refused whole: a client's error in one envelope that names the place; nothing written, no fact."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import nats
import pytest
from yarl import URL

from jetstream.server import find_running
from tests.conformance.clients import DOORS, Call, Json, enter
from tests.running import EveryDoor, Server

SHOP = Path(__file__).parent / "shop.json"
_SQL = 'email"; DROP TABLE customers; --'
_DEEP = 100_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with EveryDoor(tmp_path_factory.mktemp("bad") / "data", SHOP) as found:
        yield found
        assert "Traceback" not in found.log()


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def call(door: str, server: Server) -> AsyncIterator[Call]:
    async with enter(door, server) as found:
        yield found


@pytest.fixture(autouse=True)
async def unharmed(server: Server) -> AsyncIterator[None]:
    """Whatever a test sends: tables, columns and rows are as before, and there is no new fact."""
    await _write(server, "customers", {"id": "c1", "email": "taken@x.org", "hobbies": ["go"]})
    before, facts = _everything(server.directory / "octonet.db"), await _facts(server)
    yield
    assert _everything(server.directory / "octonet.db") == before
    await _write(server, "tags", {"label": f"after {facts}"})
    assert await _facts(server) == facts + 1
    assert "Traceback" not in server.log()


async def _write(server: Server, collection: str, data: Json) -> None:
    path = f"/api/v1/{collection}"
    async with aiohttp.ClientSession(server.url) as session, session.post(path, json=data) as response:
        assert response.status in (201, 409), await response.text()


def _everything(path: Path) -> Json:
    """The definition and the content of every table of rows."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        tables = database.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        names = [name for name, sql in tables if sql and sql.startswith("CREATE TABLE")]
        rows = {n: database.execute(f'SELECT * FROM "{n}"').fetchall() for n in names if not n.startswith("octonet_")}
    return tables, rows


async def _facts(server: Server) -> int:
    """How many facts the feed has, once it has caught up with the log."""
    endpoint = find_running(server.directory / "nats")
    assert endpoint is not None
    client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)
    try:
        js = client.jetstream()
        with closing(sqlite3.connect(f"file:{server.directory / 'octonet.db'}?mode=ro", uri=True)) as database:
            count = "SELECT (SELECT count(*) FROM tags) + (SELECT count(*) FROM customers)"
            [written] = database.execute(count).fetchone()
        while True:
            # By subject: the stream's own total is read a moment before these.
            counts = (await js.stream_info("OCTO_FACTS_default", subjects_filter="mostajs.>")).state.subjects or {}
            if sum(count for subject, count in counts.items() if subject.endswith(".created")) >= written:
                return sum(counts.values())
            await asyncio.sleep(0.01)
    finally:
        await client.close()


def _check(told: Json, code: str, place: str) -> None:
    """The one envelope, naming the place."""
    assert {*told} - {"type", "requestId"} == {"status", "error"}, told
    assert told["status"] == "error"
    error = told["error"]
    assert error["code"] == code, told
    assert {*error} <= {"code", "message", "details"}
    assert isinstance(error["message"], str)
    assert place in [fault["path"] for fault in error.get("details", [])] or place in error["message"], told
    assert "Traceback" not in json.dumps(told)


def _customer(**data: Json) -> Json:
    return {"op": "create", "entity": "Customer", "data": {"email": "new@x.org", **data}}


def _look(op: str = "findAll", **members: Json) -> Json:
    return {"op": op, "entity": "Customer", **members}


def _stage(name: str, member: Json) -> Json:
    return _look("aggregate", stages=[{name: member}])


_CASES: list[tuple[str, Json, str, str]] = [
    ("unknown field", _customer(nmae="x"), "UNKNOWN_FIELD", "$.data.nmae"),
    ("unknown field, updated", _look("update", id="c1", data={"nmae": 1}), "UNKNOWN_FIELD", "$.data.nmae"),
    ("unknown field, many", _look("updateMany", filter={"vip": False}, data={"a b": 1}), "UNKNOWN_FIELD", "a b"),
    ("unknown field, upserted", _look("upsert", filter={"email": "z"}, data={"x": 1}), "UNKNOWN_FIELD", "$.data.x"),
    ("system column", _customer(_version=7), "UNKNOWN_FIELD", "$.data._version"),
    ("wrong type", _customer(visits="7"), "VALIDATION_ERROR", "$.data.visits"),
    ("wrong type in a list", _customer(hobbies=["a", {}]), "VALIDATION_ERROR", "$.data.hobbies[1]"),
    ("wrong date", _customer(since="2024-13-01"), "VALIDATION_ERROR", "$.data.since"),
    ("number too large", _customer(visits=2**63), "VALIDATION_ERROR", "$.data.visits"),
    ("data is a list", {"op": "create", "entity": "Customer", "data": []}, "INVALID_REQUEST", "$.data"),
    ("data is null", {"op": "create", "entity": "Customer", "data": None}, "MISSING_DATA", "$.data"),
    ("required missing", {"op": "create", "entity": "Customer", "data": {}}, "VALIDATION_ERROR", "$.data.email"),
    ("bad enum", _customer(status="grand"), "VALIDATION_ERROR", "$.data.status"),
    ("taken unique value", _customer(email="TAKEN@x.org"), "UNIQUE_VIOLATION", "$.data.email"),
    ("taken id", _customer(id="c1"), "DUPLICATE_ID", "$.data.id"),
    ("missing target", _customer(referrer="nobody"), "REFERENCE_NOT_FOUND", "$.data.referrer"),
    ("missing link", _customer(tags=["nothing"]), "REFERENCE_NOT_FOUND", "$.data.tags"),
    ("NUL in a value", _customer(email="a\0b"), "VALIDATION_ERROR", "$.data.email"),
    ("NUL in a key", _customer(**{"a\0b": 1}), "UNKNOWN_FIELD", "$.data"),
    ("NUL in JSON", _customer(profile={"a": ["\0"]}), "VALIDATION_ERROR", "$.data.profile.a[0]"),
    ("NUL in a key of JSON", _customer(profile={"\0": 1}), "VALIDATION_ERROR", "$.data.profile"),
    ("NUL in a filter", _look(filter={"email": "\0"}), "VALIDATION_ERROR", "$.filter.email"),
    ("NUL in an id", _customer(id="a\0"), "VALIDATION_ERROR", "$.data.id"),
    ("NUL in a query", _look("search", query="\0"), "VALIDATION_ERROR", "$.query"),
    ("NUL in an element", _look("addToSet", id="c1", field="hobbies", value="\0"), "VALIDATION_ERROR", "$.value"),
    ("surrogate in a value", _customer(email="\ud800"), "PARSE_ERROR", "$"),
    ("surrogate in a key", _customer(**{"\udfff": 1}), "PARSE_ERROR", "$"),
    ("surrogate in a filter", _look("deleteMany", filter={"email": "\ud800"}), "PARSE_ERROR", "$"),
    ("unknown operator", _look(filter={"visits": {"$foo": 1}}), "UNKNOWN_OPERATOR", "$.filter.visits.$foo"),
    ("unknown operator, deleting", _look("deleteMany", filter={"vip": {"$a": 1}}), "UNKNOWN_OPERATOR", "$.filter.vip"),
    ("unknown operator at the top", _look("count", filter={"$where": "1"}), "UNKNOWN_OPERATOR", "$.filter.$where"),
    ("limit below zero", _look("search", query="x", options={"limit": -1}), "INVALID_OPTIONS", "$.options.limit"),
    ("limit is no number", _look("search", query="x", options={"limit": "abc"}), "INVALID_OPTIONS", "$.options.limit"),
    ("skip is SQL", _look("search", query="x", options={"skip": "1; --"}), "INVALID_OPTIONS", "$.options.skip"),
    ("SQL as a filter's column", _look(filter={_SQL: 1}), "UNKNOWN_FIELD", "$.filter"),
    ("SQL as a column, deleting", _look("deleteMany", filter={"1=1 OR email": 1}), "UNKNOWN_FIELD", "$.filter"),
    ("SQL in $or", _look(filter={"$or": [{_SQL: 1}]}), "UNKNOWN_FIELD", "$.filter.$or[0]"),
    ("SQL as an operator", _look(filter={"email": {"$eq) OR 1=1 --": 1}}), "UNKNOWN_OPERATOR", "$.filter.email"),
    ("SQL as a sort", _look(options={"sort": {_SQL: 1}}), "UNKNOWN_FIELD", "$.options.sort"),
    ("SQL as a direction", _look(options={"sort": {"email": "desc; --"}}), "INVALID_SORT", "$.options.sort.email"),
    ("SQL as a select", _look(options={"select": ['email" FROM customers --']}), "UNKNOWN_FIELD", "$.options.select"),
    ("SQL as an exclude", _look(options={"exclude": ['email" --']}), "UNKNOWN_FIELD", "$.options.exclude"),
    ("SQL as a relation", _look(relations=['tags" --']), "UNKNOWN_RELATION", "$.relations"),
    ("SQL as a cursor", _look(options={"after": "x' OR 1=1"}), "INVALID_CURSOR", "$.options.after"),
    ("SQL as a field, increment", _look("increment", id="c1", field=_SQL, amount=1), "UNKNOWN_FIELD", "$.field"),
    ("SQL as an amount", _look("increment", id="c1", field="visits", amount="1; --"), "VALIDATION_ERROR", "$.amount"),
    ("SQL as a field, addToSet", _look("addToSet", id="c1", field=_SQL, value="x"), "UNKNOWN_FIELD", "$.field"),
    ("SQL as a field, pull", _look("pull", id="c1", field=_SQL, value="x"), "UNKNOWN_FIELD", "$.field"),
    ("SQL as a search field", _look("search", query="x", searchFields=[_SQL]), "UNKNOWN_FIELD", "$.searchFields"),
    ("SQL as an entity", {"op": "findAll", "entity": 'customers" --'}, "ENTITY_NOT_FOUND", "customers"),
    ("SQL as a group", _stage("$group", {"_by": _SQL}), "UNKNOWN_FIELD", "$.stages[0].$group._by"),
    ("SQL as an alias", _stage("$group", {'n" --': {"$count": True}}), "INVALID_STAGE", "$.stages[0].$group"),
    ("SQL as a sum", _stage("$group", {"n": {"$sum": _SQL}}), "UNKNOWN_FIELD", "$.stages[0].$group.n.$sum"),
    ("SQL as a limit", _stage("$limit", "1; --"), "INVALID_STAGE", "$.stages[0].$limit"),
    ("SQL as a stage", _stage("$out; --", 1), "UNKNOWN_STAGE", "$.stages[0]"),
    ("SQL in a $match", _stage("$match", {_SQL: 1}), "UNKNOWN_FIELD", "$.stages[0].$match"),
    ("SQL as a key of data", _customer(**{_SQL: 1}), "UNKNOWN_FIELD", "$.data"),
    ("id with a slash", _customer(id="a/b"), "VALIDATION_ERROR", "$.data.id"),
    ("id too long", _customer(id="x" * 65), "VALIDATION_ERROR", "$.data.id"),
    ("deleteMany without a filter", _look("deleteMany"), "FILTER_REQUIRED", "$.filter"),
    ("deleteMany with an empty filter", _look("deleteMany", filter={"$or": [{}]}), "FILTER_REQUIRED", "$.filter"),
    ("updateMany without a filter", _look("updateMany", data={"visits": 0}), "FILTER_REQUIRED", "$.filter"),
    ("unknown member", _look("deleteMany", where={"id": "c1"}), "UNKNOWN_MEMBER", "$.where"),
]  # fmt: skip


_MISTYPED = {
    "graphql": {"data is a list", "data is null", "limit is no number", "skip is SQL", "unknown member"},
}
"""What a door whose protocol has types refuses by those, before any operation sees it."""


@pytest.mark.parametrize(("case", "request_", "code", "place"), [pytest.param(*c, id=c[0]) for c in _CASES])
async def test_bad_input_is_refused_naming_the_place(
    door: str, call: Call, case: str, request_: Json, code: str, place: str
) -> None:
    _, told = await call(request_)
    _check(told, "VALIDATION_ERROR" if case in _MISTYPED.get(door, ()) else code, place)


async def test_sql_as_an_id_is_the_id_of_nothing(call: Call) -> None:
    id = "c1' OR '1'='1"
    assert (await call(_look("findById", id=id)))[1]["data"] is None
    assert (await call(_look("update", id=id, data={"visits": 9})))[1]["data"] is None
    assert (await call(_look("delete", id=id)))[1]["data"] is False
    assert (await call(_look("increment", id=id, field="visits", amount=1)))[0] == "NOT_FOUND"
    assert (await call(_look("findAll", filter={"email": "' OR 1=1 --"})))[1]["data"] == []
    assert (await call(_look("search", query="' OR 1=1 --")))[1]["data"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "customers", b"{", 400, "PARSE_ERROR"),
        ("POST", "customers", b'{"email":"a@x.org"} {}', 400, "PARSE_ERROR"),
        ("POST", "customers", b"{\"email\":'a'}", 400, "PARSE_ERROR"),
        ("POST", "customers", b'{"email":NaN}', 400, "PARSE_ERROR"),
        ("POST", "customers", b'{"email":"\xff"}', 400, "PARSE_ERROR"),
        ("POST", "customers", b'{"email":"\xed\xa0\x80"}', 400, "PARSE_ERROR"),
        ("POST", "customers", b'{"visits":1e999}', 400, "PARSE_ERROR"),
        ("POST", "customers", b"[" * _DEEP + b"]" * _DEEP, 400, "PARSE_ERROR"),
        ("POST", "customers", b"", 400, "MISSING_DATA"),
        ("POST", "customers", b"null", 400, "MISSING_DATA"),
        ("POST", "customers", b'"text"', 400, "INVALID_REQUEST"),
        ("PUT", "customers/c1", b"{", 400, "PARSE_ERROR"),
        ("PUT", "customers/bulk", b"{", 400, "PARSE_ERROR"),
        ("PUT", "customers/bulk", b"[]", 400, "INVALID_REQUEST"),
        ("DELETE", "customers/bulk", b"{", 400, "PARSE_ERROR"),
        ("DELETE", "customers/bulk", b"", 400, "FILTER_REQUIRED"),
        ("POST", "customers/deleteMany", b"{}", 400, "FILTER_REQUIRED"),
        ("POST", "customers/c1/increment", b"{", 400, "PARSE_ERROR"),
        ("POST", "customers/c1/increment", b'{"field":"visits"}', 400, "MISSING_PARAMS"),
        ("DELETE", "customers/bulk?filter=x", b"", 400, "PARSE_ERROR"),
        ("DELETE", "customers/bulk?confirm=yes", b"", 400, "INVALID_REQUEST"),
        ("GET", "customers?limit=abc", b"", 400, "INVALID_REQUEST"),
        ("GET", "customers?limit=-1", b"", 400, "INVALID_REQUEST"),
        ("GET", "customers?limit=1;--", b"", 400, "INVALID_REQUEST"),
        ("GET", "customers?limit=99999999999999999999", b"", 400, "INVALID_REQUEST"),
        ("GET", "customers?skip=1e3", b"", 400, "INVALID_REQUEST"),
        ("GET", "customers?limit=1&limit=2", b"", 400, "INVALID_REQUEST"),
        ("GET", "customers?limti=1", b"", 400, "UNKNOWN_PARAMETER"),
        ("GET", "customers?filter={", b"", 400, "PARSE_ERROR"),
        ("GET", "customers?filter=%7B%22email%22%3A%22%5Cud800%22%7D", b"", 400, "PARSE_ERROR"),
        ("GET", "customers?sort=email;--", b"", 400, "PARSE_ERROR"),
        ("GET", "customers?filter=%ff", b"", 400, "PARSE_ERROR"),
        ("GET", "customers/%ff", b"", 400, "PARSE_ERROR"),
        ("GET", "customers/%00", b"", 422, "VALIDATION_ERROR"),
        ("GET", "customers/a%2Fb", b"", 422, "VALIDATION_ERROR"),
        ("GET", "customers%22%3B--", b"", 404, "ENTITY_NOT_FOUND"),
        ("GET", "customers/c1/increment", b"", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "customers/c1/drop", b"{}", 404, "NOT_FOUND"),
        ("GET", "octonet_checkpoint", b"", 404, "ENTITY_NOT_FOUND"),
    ],
)
async def test_what_http_carries_wrongly_is_refused(
    server: Server, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    async with aiohttp.ClientSession() as session:
        url = URL(f"{server.url}/api/v1/{path}", encoded=True)
        headers = {"Content-Type": "application/json"}
        async with session.request(method, url, data=body or None, headers=headers) as response:
            told = await response.json()
            assert (response.status, response.content_type) == (status, "application/json"), told
    _check(told, code, "")


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "x", ""])
async def test_a_body_that_is_not_declared_as_json_is_refused(server: Server, media: str) -> None:
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session:
        headers = {"Content-Type": media} if media else {}
        for method, path in (("POST", "customers"), ("PUT", "customers/c1"), ("DELETE", "customers/bulk")):
            body = b'{"email":"m@x.org","filter":{"id":"c1"}}'
            async with session.request(method, f"{server.url}/api/v1/{path}", data=body, headers=headers) as response:
                assert response.status == 415
                _check(await response.json(), "UNSUPPORTED_MEDIA_TYPE", "application/json")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_fifty_megabytes_is_refused(server: Server, chunked: bool) -> None:
    megabyte, size = b"x" * 2**20, 50 * 2**20
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    head = b"POST /api/v1/customers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%b\r\n\r\n" % length

    async def send() -> None:
        writer.write(head)
        for _ in range(50):
            writer.write(b"%x\r\n%b\r\n" % (len(megabyte), megabyte) if chunked else megabyte)
            await writer.drain()

    sending = asyncio.create_task(send())
    status = await reader.readline()
    assert status.split()[1] == b"413"
    headers = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(headers.lower().partition(b"content-length:")[2].split()[0]))
    _check(json.loads(body), "BODY_TOO_LARGE", "")
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    writer.transport.abort()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "PARSE_ERROR"),
        ("nul", "PARSE_ERROR"),
        ("[]", "PARSE_ERROR"),
        ('{"op":"\\ud800"}', "PARSE_ERROR"),
        ("[" * _DEEP, "PARSE_ERROR"),
        ('{"op":"truncate","entity":"Customer"}', "UNKNOWN_OP"),
        ('{"op":["findAll"],"entity":"Customer"}', "INVALID_REQUEST"),
        ('{"op":"findAll","entity":"octonet_checkpoint"}', "ENTITY_NOT_FOUND"),
        ('{"op":"findAll","entity":"Customer","options":{"limit":"abc"}}', "INVALID_OPTIONS"),
        ('{"op":"findAll","entity":"Customer","options":{"limit":-1}}', "INVALID_OPTIONS"),
        ('{"op":"findAll","entity":"Customer","sql":"DROP"}', "UNKNOWN_MEMBER"),
        ('{"op":"findById","entity":"Customer","id":7}', "VALIDATION_ERROR"),
        ('{"op":"findById","entity":"Customer"}', "MISSING_ID"),
        ('{"type":"subscribe","filter":{"a":1},"entity":"Customer"}', "UNKNOWN_FIELD"),
    ],
)
async def test_a_message_that_is_no_request_is_refused_and_the_socket_lives_on(
    server: Server, text: str, code: str
) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.url}/ws?events=none") as socket:
        await socket.receive_json()
        await socket.send_str(text)
        _check(await socket.receive_json(timeout=60), code, "")
        await socket.send_json({"op": "count", "entity": "Customer"})
        assert (await socket.receive_json(timeout=60))["status"] == "ok"


@pytest.mark.parametrize(
    ("binary", "close"), [(True, aiohttp.WSCloseCode.UNSUPPORTED_DATA), (False, aiohttp.WSCloseCode.MESSAGE_TOO_BIG)]
)
async def test_a_frame_that_cannot_be_a_request_closes_the_socket(server: Server, binary: bool, close: int) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.url}/ws?events=none") as socket:
        await socket.receive_json()
        if binary:
            await socket.send_bytes(json.dumps(_customer()).encode())
        else:
            await socket.send_str(json.dumps(_customer(profile="x" * 2**21)))
        message: Any = await socket.receive(timeout=60)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == close
