"""The NATS door: what a request may say, and what its answer carries."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator

import aiohttp
import nats
import pytest
from nats.errors import MaxPayloadError, NoRespondersError

from commands import COMMANDS
from projections import QUERIES
from tests.acceptance.nats_asking import Asker, fresh, open_server
from tests.running import Server

OPERATIONS = {**QUERIES, **COMMANDS}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with open_server(tmp_path_factory.mktemp("nats-door")) as server:
        yield server


@pytest.fixture
async def asker(server: Server) -> AsyncIterator[Asker]:
    client = await nats.connect(server.listens["nats"])
    yield Asker(client)
    await client.close()


async def test_options_stand_beside_the_filter_or_nested(asker: Asker) -> None:
    made = [await asker.customer(visits=visits) for visits in (3, 1, 2)]
    where = {"visits": {"$gte": 2}, "id": {"$in": [row["id"] for row in made]}}
    flat = {"filter": where, "sort": {"visits": -1}, "limit": 5, "skip": 0, "select": ["visits"]}
    nested = {"filter": where, "options": {"sort": {"visits": -1}, "limit": 5, "skip": 0, "select": ["visits"]}}
    told = await asker.ask("mostajs.Customer.findAll", flat)
    assert [row["visits"] for row in told["data"]] == [3, 2]
    assert told == await asker.ask("mostajs.Customer.findAll", nested)
    paged = await asker.ask("mostajs.Customer.findAll", {**flat, "limit": 1})
    again = await asker.ask("mostajs.Customer.findAll", {**flat, "limit": 1, "cursor": paged["metadata"]["cursor"]})
    assert [row["visits"] for row in again["data"]] == [2]


async def test_filter_data_and_sort_may_be_json_in_a_string(asker: Asker) -> None:
    email = fresh()
    data = json.dumps({"email": email, "visits": 7})
    made = await asker.ask("mostajs.Customer.create", {"data": data})
    assert made["data"]["visits"] == 7
    asked = {"filter": json.dumps({"email": email}), "sort": json.dumps({"visits": -1})}
    assert [row["email"] for row in (await asker.ask("mostajs.Customer.findAll", asked))["data"]] == [email]
    assert await asker.refused("mostajs.Customer.findAll", b'{"filter":"{"}') == "PARSE_ERROR"
    assert await asker.refused("mostajs.Customer.findAll", b'{"sort":"visits"}') == "PARSE_ERROR"


async def test_what_is_false_or_empty_is_not_lost(asker: Asker) -> None:
    row = await asker.customer(visits=3, vip=True, hobbies=["a"], profile="x")
    data = {"visits": 0, "vip": False, "hobbies": [], "profile": "", "since": None}
    told = await asker.ask("mostajs.Customer.update", {"id": row["id"], "data": data})
    assert {name: told["data"][name] for name in data} == data
    same = await asker.ask("mostajs.Customer.increment", {"id": row["id"], "field": "visits", "amount": 0})
    assert same["data"]["visits"] == 0
    told = await asker.ask("mostajs.Customer.addToSet", {"id": row["id"], "field": "hobbies", "value": ""})
    assert told["data"]["hobbies"] == [""]
    # As on every other door.
    nested = await asker.ask("mostajs.Customer.findAll", {"filter": {"id": row["id"]}, "options": {"limit": 0}})
    assert await asker.ask("mostajs.Customer.findAll", {"filter": {"id": row["id"]}, "limit": 0}) == nested


async def test_an_empty_body_is_an_empty_request(asker: Asker) -> None:
    assert (await asker.ask("mostajs.Customer.count"))["status"] == "ok"


async def test_the_position_of_a_write_is_told_and_a_read_can_wait_for_it(asker: Asker) -> None:
    message = await asker.raw("mostajs.Customer.create", json.dumps({"data": {"email": fresh()}}).encode())
    told = json.loads(message.data)
    position = message.headers["Octonet-Position"]
    assert told["position"] == position
    found = {"id": told["data"]["id"], "minPosition": position}
    assert (await asker.ask("mostajs.Customer.findById", found))["data"] == told["data"]
    by_header = await asker.ask("mostajs.Customer.findById", {"id": told["data"]["id"]}, Octonet_Min_Position=position)
    assert by_header["data"] == told["data"]


async def test_a_row_is_changed_on_condition_of_its_version(asker: Asker) -> None:
    id = (await asker.customer())["id"]
    change = {"id": id, "data": {"visits": 1}}
    assert (await asker.ask("mostajs.Customer.update", {**change, "expectedVersion": 1}))["version"] == 2
    assert await asker.refused("mostajs.Customer.update", json.dumps(change).encode(), If_Match='"1"') == (
        "VERSION_MISMATCH"
    )


async def test_what_is_only_tried_out_is_not_done(asker: Asker) -> None:
    body = json.dumps({"data": {"email": fresh()}, "dryRun": True}).encode()
    message = await asker.raw("mostajs.Customer.create", body)
    told = json.loads(message.data)
    assert told["dryRun"]["count"] == 1
    assert "Octonet-Position" not in message.headers
    assert (await asker.ask("mostajs.Customer.findById", {"id": told["data"]["id"]}))["data"] is None


async def test_the_past_is_told(asker: Asker) -> None:
    first = await asker.ask("mostajs.Customer.create", {"data": {"email": fresh(), "visits": 1}})
    id = first["data"]["id"]
    await asker.ask("mostajs.Customer.update", {"id": id, "data": {"visits": 2}})
    told = await asker.ask("mostajs.Customer.findById", {"id": id, "asOf": first["position"]})
    assert told["data"]["visits"] == 1


async def test_the_id_of_a_message_is_its_idempotency_key_on_every_door(server: Server, asker: Asker) -> None:
    key, body = fresh(), {"data": {"email": fresh()}}
    first = await asker.ask("mostajs.Customer.create", body, Nats_Msg_Id=key)
    assert first["status"] == "ok"
    assert await asker.ask("mostajs.Customer.create", body, Nats_Msg_Id=key) == first
    assert await asker.ask("mostajs.Customer.create", {**body, "idempotencyKey": key}) == first
    async with aiohttp.ClientSession(server.url) as session:
        headers = {"Idempotency-Key": key}
        async with session.post("/api/v1/Customer", json=body["data"], headers=headers) as reply:
            told = await reply.json()
            assert told.get("data") == first["data"], told
    other = json.dumps({"data": {"email": fresh()}}).encode()
    assert await asker.refused("mostajs.Customer.create", other, Nats_Msg_Id=key) == "IDEMPOTENCY_KEY_REUSED"
    assert await asker.refused("mostajs.Customer.create", other, Nats_Msg_Id="a", Idempotency_Key="b") == (
        "INVALID_IDEMPOTENCY_KEY"
    )


async def test_an_error_names_the_place_in_its_body_and_says_in_headers_that_it_is_one(asker: Asker) -> None:
    message = await asker.raw("mostajs.Customer.findAll", b'{"filter":{"visits":{"$foo":1}}}')
    error = json.loads(message.data)["error"]
    assert (error["code"], error["details"][0]["path"]) == ("UNKNOWN_OPERATOR", "$.filter.visits.$foo")
    assert message.headers["Nats-Service-Error"].startswith("UNKNOWN_OPERATOR: ")
    assert message.headers["Nats-Service-Error-Code"] == "400"


async def test_an_error_that_repeats_what_was_sent_forges_no_header(asker: Asker) -> None:
    message = await asker.raw("mostajs.Customer.findAll", json.dumps({"filter": {"é\r\nX-Forged: 1": 1}}).encode())
    assert "X-Forged" not in message.headers
    assert json.loads(message.data)["error"]["code"] == "UNKNOWN_FIELD"


async def test_a_project_is_the_second_token_of_four(asker: Asker) -> None:
    row = await asker.customer("crm")
    assert (await asker.ask("mostajs.crm.Customer.findById", {"id": row["id"]}))["data"] == row
    assert (await asker.ask("mostajs.Customer.findById", {"id": row["id"]}))["data"] is None
    assert (await asker.ask("mostajs.default.Customer.findById", {"id": row["id"]}))["data"] is None
    note = await asker.ask("mostajs.note.Note.create", {"data": {"slug": fresh()}})
    assert note["status"] == "ok"
    assert (await asker.ask("mostajs.Note.findById", {"id": note["data"]["id"]}))["data"] is None
    assert (await asker.ask("mostajs.nowhere.Customer.count"))["error"]["code"] == "UNKNOWN_PROJECT"
    assert (await asker.ask("mostajs._system.ApiKey.count"))["error"]["code"] == "UNKNOWN_PROJECT"
    assert (await asker.ask("mostajs.crm.Nobody.count"))["error"]["code"] == "ENTITY_NOT_FOUND"
    assert (await asker.ask("mostajs.customers.count"))["status"] == "ok"


@pytest.mark.parametrize(
    ("subject", "body", "code"),
    [
        ("Customer.create", b"{", "PARSE_ERROR"),
        ("Customer.create", b"nul", "PARSE_ERROR"),
        ("Customer.create", b"\xff\xfe", "PARSE_ERROR"),
        ("Customer.create", b"[" * 100_000, "PARSE_ERROR"),
        ("Customer.create", b'{"data":{},"data":{}}', "DUPLICATE_MEMBER"),
        ("Customer.create", b"[]", "INVALID_REQUEST"),
        ("Customer.create", b'"text"', "INVALID_REQUEST"),
        ("Customer.create", b"7", "INVALID_REQUEST"),
        ("Customer.create", b"null", "INVALID_REQUEST"),
        ("Customer.create", b"", "MISSING_DATA"),
        ("Customer.create", b'{"data":7}', "INVALID_REQUEST"),
        ("Customer.create", b'{"data":"7"}', "INVALID_REQUEST"),
        ("Customer.findById", b"{}", "MISSING_ID"),
        ("Customer.findById", b'{"id":7}', "VALIDATION_ERROR"),
        ("Customer.findAll", b'{"limit":"abc"}', "INVALID_OPTIONS"),
        ("Customer.findAll", b'{"limit":-1}', "INVALID_OPTIONS"),
        ("Customer.findAll", b'{"limit":1,"options":{"limit":2}}', "INVALID_REQUEST"),
        ("Customer.findAll", b'{"options":7}', "INVALID_REQUEST"),
        ("Customer.findAll", b'{"options":7,"limit":1}', "INVALID_REQUEST"),
        ("Customer.findAll", b'{"op":"deleteMany"}', "UNKNOWN_MEMBER"),
        ("Customer.findAll", b'{"entity":"Note"}', "UNKNOWN_MEMBER"),
        ("Customer.deleteMany", b"{}", "FILTER_REQUIRED"),
        ("Customer.deleteMany", b'{"filter":"{}"}', "FILTER_REQUIRED"),
        ("Customer.create", b'{"data":{"email":"x@x.org"},"limit":1}', "UNKNOWN_MEMBER"),
        ("octonet_checkpoint.findAll", b"{}", "ENTITY_NOT_FOUND"),
        ("%00.findAll", b"{}", "ENTITY_NOT_FOUND"),
        ("%ff.findAll", b"{}", "PARSE_ERROR"),
        ("x" * 3000 + ".findAll", b"{}", "ENTITY_NOT_FOUND"),
    ],
)
async def test_what_is_no_request_is_refused(asker: Asker, subject: str, body: bytes, code: str) -> None:
    assert await asker.refused(f"mostajs.{subject}", body) == code


async def test_a_request_that_is_too_large_is_refused(asker: Asker) -> None:
    assert await asker.refused("mostajs.Customer.create", b" " * 2**20 + b"{}") == "BODY_TOO_LARGE"
    with pytest.raises(MaxPayloadError):
        await asker.raw("mostajs.Customer.create", b" " * 9 * 2**20)


@pytest.mark.parametrize("subject", ["mostajs.*.findAll", "mostajs.>", "mostajs.Customer.*"])
async def test_a_subject_with_wildcards_finds_nobody(asker: Asker, subject: str) -> None:
    # NATS takes it as a name that nobody listens to, or refuses it; nothing is done.
    inbox = asker.client.new_inbox()
    heard = await asker.client.subscribe(inbox)
    await asker.client.publish(subject, b"{}", reply=inbox)
    found = await heard.next_msg(60)
    told = json.loads(found.data) if found.data else {}
    assert told.get("error", {}).get("code", "NOBODY") in ("ENTITY_NOT_FOUND", "NOBODY"), told


@pytest.mark.parametrize("subject", ["mostajs..findAll", ".findAll", "mostajs.Customer.", "mostajs...findAll", "."])
async def test_a_subject_with_an_empty_token_reaches_nobody(asker: Asker, subject: str) -> None:
    before = await asker.stats("findAll")
    await asker.client.publish(subject, b"{}", reply=asker.client.new_inbox())
    await asker.client.flush(60)
    await asker.ask("mostajs.Customer.count")
    assert await asker.stats("findAll") == before


async def test_an_operation_that_does_not_exist_has_no_responders(asker: Asker) -> None:
    for subject in (
        "mostajs.Customer.truncate",
        "mostajs.Customer",
        "mostajs.a.b.c.findAll",
    ):
        with pytest.raises(NoRespondersError):
            await asker.raw(subject, b"{}")


async def test_a_request_that_nobody_waits_for_is_not_done(asker: Asker) -> None:
    email = fresh()
    body = json.dumps({"data": {"email": email}}).encode()
    before = (await asker.stats("create"))["data"]["unanswerable"]
    await asker.client.publish("mostajs.Customer.create", body)
    await asker.client.publish("mostajs.Customer.create", body, reply="some.other.subject")
    found = await asker.ask("mostajs.Customer.count", {"filter": {"email": email}})
    assert found["data"] == 0
    assert (await asker.stats("create"))["data"]["unanswerable"] == before + 2


async def test_garbage_of_every_kind_is_answered_and_the_server_lives_on(asker: Asker) -> None:
    chance = random.Random(7)
    pieces = [b"{", b"}", b"[", b'"', b":", b",", b"null", b"1e9", b"\\u0000", b"\xff", b'"filter"', b'"data"', b"$or"]
    pieces += [b'"options"', b'"limit"', b"-1", b'"id"', b'{"filter":{"$and":[{}]}}', b"true", b'"sort"', b" "]
    names = [*OPERATIONS, "discover"]

    async def one() -> None:
        body = b"".join(chance.choices(pieces, k=chance.randrange(12)))
        entity = chance.choice(["Customer", "Note", "Nobody", "crm.Customer", "%", "a b".replace(" ", "%20")])
        headers = chance.choice([{}, {"traceparent": "x" * 55}, {"If-Match": "?"}, {"Nats-Msg-Id": ""}, {"X": "\x7f"}])
        subject = f"mostajs.{entity}.{chance.choice(names)}"
        if subject.endswith("discover") and entity.count("."):
            return
        message = await asker.client.request(subject, body, timeout=60, headers=headers or None)
        told = json.loads(message.data)
        assert told.get("error", {}).get("code") != "INTERNAL", (subject, body, headers)

    for _ in range(30):
        await asyncio.gather(*(one() for _ in range(20)))
    assert (await asker.ask("mostajs.Customer.count"))["status"] == "ok"


async def test_raw_protocol_with_headers_that_are_none_is_survived(server: Server, asker: Asker) -> None:
    host, port = server.listens["nats"].removeprefix("nats://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await reader.readline()
    writer.write(b'CONNECT {"verbose":false,"headers":true}\r\nSUB _INBOX.raw 1\r\n')
    for head in (b"NATS/1.0\r\n\r\n", b"NATS/1.0\r\nno colon\r\n\r\n", b"NATS/1.0\r\n: x\r\nA:\xff\r\n\r\n"):
        body = b"{}"
        sizes = (len(head), len(head) + len(body))
        writer.write(b"HPUB mostajs.Customer.count _INBOX.raw %d %d\r\n%b%b\r\n" % (*sizes, head, body))
        while not (line := await asyncio.wait_for(reader.readline(), 60)).startswith(b"MSG"):
            assert line.startswith((b"PING", b"PONG", b"INFO")), line
        assert b'"status":"ok"' in await reader.readline()
    writer.close()
    await writer.wait_closed()
