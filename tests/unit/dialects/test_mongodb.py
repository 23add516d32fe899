"""MongoDB: addresses, a server that goes away, odd values, collections and indexes."""

from __future__ import annotations

import asyncio
import gc
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, cast

import bson
import pytest

from octonet import dialects
from octonet.dialects.mongodb import MongodbDatabase
from octonet.kernel import schema_parse
from octonet.kernel.errors import Conflict, Invalid, OctonetError, StorageUnavailable
from octonet.kernel.filter import EVERYTHING, Compare, Comparison, Like, Literal, Wild, Wildcard
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from tests import mongodb
from tests.conformance.dialect_cases import (
    PERSON,
    SCHEMAS,
    USER,
    found,
    of_values,
    opened,
    row_of,
    stored,
    uri_of,
    write,
)

T = TypeVar("T")


# The driver leaves a socket whose connecting it gave up to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning")


@pytest.fixture(autouse=True)
def needs_a_server() -> Iterator[None]:
    if reason := mongodb.missing():
        pytest.skip(reason)
    yield
    gc.collect()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened("mongodb", tmp_path) as database:
        yield database


async def opened_at(uri: str, schemas: Schemas = SCHEMAS) -> MongodbDatabase:
    database = await dialects.find("mongodb").open(uri, schemas, DatabaseOptions())
    assert isinstance(database, MongodbDatabase)
    return database


# Addresses


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("postgresql://h/x", "is no address of MongoDB: write mongodb://"),
        ("mongodb://h", "names no database: write mongodb://"),
        ("mongodb:///x", "names no server: write mongodb://"),
        ("mongodb://h/a.b", "a database is named by letters, digits, _ and -"),
        ("mongodb://h:abc/x", "cannot be read: Port contains non-digit characters"),
        ("mongodb://me:p@ss@h/x", "cannot be read: Username and password must be escaped"),
        ("mongodb://h/x?nosuch=1", "cannot be read: Unknown option"),
        ("mongodb://h/x?tls=perhaps", "cannot be read: The value of tls must be 'true' or 'false'"),
        ("mongodb://h/x?tls=true&tlsCAFile=/nowhere", "a certificate of the database's address cannot be read"),
    ],
)
async def test_an_address_that_cannot_be_meant_is_refused_by_what_is_wrong_with_it(uri: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        await opened_at(uri)
    assert told in refused.value.message
    assert "ss@" not in refused.value.message


async def test_nobody_at_the_address_is_told_without_the_password() -> None:
    with pytest.raises(StorageUnavailable) as refused:
        await opened_at("mongodb://me:secret@127.0.0.1:1/shop")
    assert "nobody answers at mongodb://me@127.0.0.1:1/shop" in refused.value.message
    assert "secret" not in refused.value.message


@asynccontextmanager
async def stern() -> AsyncIterator[int]:
    """A server that greets everybody and lets nobody in."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                size, request, _, code = struct.unpack("<iiii", await reader.readexactly(16))
                body = await reader.readexactly(size - 16)
                greeting = {"ok": 1, "isWritablePrimary": True, "minWireVersion": 9, "maxWireVersion": 21}
                asks = b"saslStart" in body and b"speculativeAuthenticate" not in body
                answer = {"ok": 0, "code": 18, "errmsg": "Authentication failed."} if asks else greeting
                text = bson.encode(answer)
                if code == 2004:  # the first greeting comes in the former form, and is answered so
                    told, reply = struct.pack("<iqii", 8, 0, 0, 1) + text, 1
                else:
                    told, reply = struct.pack("<ib", 0, 0) + text, 2013
                writer.write(struct.pack("<iiii", 16 + len(told), 0, request, reply) + told)
                await writer.drain()
        except asyncio.IncompleteReadError:
            return

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_a_wrong_password_is_told_in_one_sentence() -> None:
    async with stern() as port:
        with pytest.raises(StorageUnavailable) as refused:
            await opened_at(f"mongodb://me:wrong@127.0.0.1:{port}/shop?authMechanism=SCRAM-SHA-256")
    assert "refused the user or the password (Authentication failed.): check SGBD_URI" in refused.value.message
    assert "wrong" not in refused.value.message


async def test_a_server_that_goes_and_comes_back_is_found_again(database: Database) -> None:
    await write(database, USER, stored(USER, "a", email="a"))
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "b", email="b")])
    with mongodb.server().away():
        with pytest.raises(StorageUnavailable):
            await transaction.commit()
        with pytest.raises(StorageUnavailable):
            await database.count(USER, EVERYTHING)
        with pytest.raises(StorageUnavailable):
            await database.begin()
    async with asyncio.timeout(60):
        while await _away(database):
            await asyncio.sleep(0.05)
    assert await found(database, USER, EVERYTHING) == ["a"]
    await write(database, USER, stored(USER, "b", email="b"))


async def _away(database: Database) -> bool:
    try:
        await database.count(USER, EVERYTHING)
    except StorageUnavailable:
        return True
    return False


# Values and collections


DEEP: list[JsonValue] = []
for _ in range(120):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [
        {"$set": 1},
        {"a.b": {"": None}},
        {"_json": "1"},
        {"a": {"_json": "{}"}},
        {"id": 1, "_id": 2},
        {"big": 2**70, "small": -(2**63), "wide": 2**40, "half": 1.5, "whole": 1},
        [True, False, 0, 1, None, "", {}, []],
        {"time": "2024-01-02T03:04:05.678Z", "true": True},
        DEEP,
        "text",
        0,
        False,
    ],
)
async def test_json_comes_back_as_it_was(database: Database, value: JsonValue) -> None:
    await write(database, PERSON, of_values(PERSON, "p", {"settings": value, "labels": [value]}))
    transaction = await database.begin()
    await transaction.update(PERSON, [(1, of_values(PERSON, "p", {"settings": value, "active": True}, 2))])
    await transaction.commit()
    row = await row_of(database, PERSON, "p")
    assert row is not None
    assert json.dumps(row["settings"]) == json.dumps(value)
    assert row["active"] is True


async def test_a_value_that_was_changed_is_found_as_one_that_was_inserted(database: Database) -> None:
    await write(database, PERSON, stored(PERSON, "p", active=False, born="2024-01-02T03:04:05.678Z"))
    transaction = await database.begin()
    after = stored(PERSON, "p", 2, active=True, born="2024-01-02T03:04:05.679Z")
    await transaction.update(PERSON, [(1, after)])
    await transaction.commit()
    assert await found(database, PERSON, Compare("active", Comparison.EQ, True)) == ["p"]
    assert await found(database, PERSON, Compare("born", Comparison.LTE, "2024-01-02T03:04:05.678Z")) == []


async def test_a_pattern_is_evaluated_here_where_the_server_folds_case_otherwise(database: Database) -> None:
    names = ["ß", "SS", "ẞ", "İ", "i̇", "I", "ı", "K", "\n", "a\n", "a"]
    await write(database, PERSON, *(stored(PERSON, f"p{n:02}", name=name) for n, name in enumerate(names)))
    for text in names:
        wanted = [f"p{n:02}" for n, name in enumerate(names) if name.lower() == text.lower()]
        assert await found(database, PERSON, Like("name", (Literal(text),), True)) == wanted
    assert await found(database, PERSON, Like("name", (Literal("a"),))) == ["p10"]
    assert await found(database, PERSON, Like("name", (Literal("a"), Wild(Wildcard.ONE)))) == ["p09"]


async def test_a_collection_that_somebody_else_filled_is_refused_and_left_alone(tmp_path: Path) -> None:
    uri = uri_of("mongodb", tmp_path)
    database = await opened_at(uri)
    await database._server.collection("people").insert_one({"_id": "theirs"})
    with pytest.raises(Conflict) as refused:
        await database.migrate(SCHEMAS, Strategy.UPDATE)
    assert refused.value.code == "SCHEMA_CONFLICT"
    assert [fault.path for fault in refused.value.faults] == ["$.Person.collection"]
    assert await database._server.collection("people").find_one({}) == {"_id": "theirs"}
    await database.close()


async def test_a_document_that_no_server_takes_is_refused_before_the_commit(database: Database) -> None:
    transaction = await database.begin()
    with pytest.raises(OctonetError) as refused:
        await transaction.insert(PERSON, [stored(PERSON, "p", bio="x" * 15_000_001)])
    await transaction.rollback()
    assert refused.value.code == "VALUE_TOO_LONG"


async def test_indexes_follow_the_schema(tmp_path: Path) -> None:
    def schemas(*indexes: object) -> Schemas:
        fields = {"a": {"type": "string", "unique": True}, "b": {"type": "number"}}
        entity = {"name": "Item", "collection": "items", "fields": fields, "indexes": list(indexes)}
        return schema_parse.parse(json.dumps([entity]))

    async with opened("mongodb", tmp_path, schemas({"fields": ["b"]})) as database:
        server = cast("MongodbDatabase", database)._server

        async def paths() -> set[tuple[str, ...]]:
            there = await server.collection("items").index_information()
            return {tuple(path for path, _ in each["key"]) for each in there.values()}

        assert await paths() == {("_id",), ("_unique.a",), ("a",), ("b",)}
        await database.migrate(schemas({"fields": ["b", "a"]}), Strategy.UPDATE)
        assert await paths() == {("_id",), ("_unique.a",), ("a",), ("b", "a")}


async def test_whoever_asks_before_the_collections_are_made_is_told_so(tmp_path: Path) -> None:
    database = await opened_at(uri_of("mongodb", tmp_path))
    asked: list[Callable[[], Awaitable[object]]] = [
        lambda: database.count(USER, EVERYTHING),
        database.checkpoint,
        database.begin,
        lambda: row_of(database, USER, "a"),
    ]
    for ask in asked:
        with pytest.raises(StorageUnavailable, match="not made yet"):
            await ask()
    await database.close()
