"""What cannot be a replica, and who may have one."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests import postgres
from tests.acceptance.office import chief, staffed, with_key
from tests.acceptance.replica_client import NOTE, SHOP, Client
from tests.running import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("replicas") / "data", SHOP).start()
    yield found
    found.kill()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120)) as session:
        yield Client(session, server)


def other_tables(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "ledger.db")) as database, database:
        database.execute("CREATE TABLE ledger (id TEXT)")


@pytest.mark.parametrize(
    ("wish", "status", "code", "says"),
    [
        ({"uri": "sqlite:///bad.db"}, 409, "PLACE_TAKEN", "own database"),
        ({"uri": "sqlite:///alias.db"}, 409, "PLACE_TAKEN", "own database"),
        ({"uri": "sqlite:///other.db"}, 409, "PLACE_TAKEN", "another project"),
        ({"uri": "sqlite:///bad-there.db"}, 409, "PLACE_TAKEN", "of a replica"),
        ({"uri": "sqlite:///hard.db"}, 409, "PLACE_TAKEN", "own database"),
        ({"uri": "sqlite:///ledger.db"}, 409, "REPLICA_NOT_EMPTY", "ledger"),
        ({"uri": "sqlite:///foreign.db"}, 409, "OTHER_LOG", "another history"),
        ({"uri": "sqlite:///ledger.db", "schemaStrategy": "validate"}, 409, "SCHEMA_MISMATCH", "notes"),
        ({"uri": "sqlite:////etc/passwd"}, 422, "PLACE_NOT_ALLOWED", "$.uri"),
        ({"uri": "postgresql://me:pw@127.0.0.1/a", "dialect": "postgres"}, 422, "PLACE_NOT_ALLOWED", "$.uri"),
        ({"uri": ""}, 422, "VALIDATION_ERROR", "$.uri"),
        ({"uri": "sqlite:///a.db", "dialect": "access"}, 422, "VALIDATION_ERROR", "dialect"),
        ({"uri": "sqlite:///a.db", "schemaStrategy": "create"}, 422, "VALIDATION_ERROR", "filled from the log"),
        ({"uri": "sqlite:///a.db", "role": "master"}, 409, "ONE_MASTER", "promote"),
        ({"uri": "sqlite:///a.db", "lagTolerance": 0}, 400, "VALIDATION_ERROR", "lagTolerance"),
        ({"uri": "sqlite:///a.db", "schemas": []}, 400, "VALIDATION_ERROR", "schemas"),
        ({"uri": "sqlite:///a.db", "name": "there"}, 409, "REPLICA_EXISTS", "there"),
        ({"uri": "sqlite:///a.db", "name": "a/b"}, 422, "VALIDATION_ERROR", "$.name"),
    ],
)
async def test_what_cannot_be_a_replica_is_refused_with_what_to_do(
    client: Client, server: Server, wish: dict[str, Any], status: int, code: str, says: str
) -> None:
    if not (server.directory / "bad.db").exists():
        await _occupied(client, server)
    found, told = await client.ask("POST", "/api/projects/bad/replicas", {"name": "new", "dialect": "sqlite", **wish})
    assert (found, told["error"]["code"]) == (status, code), told
    assert says in told["error"]["message"]
    assert "pw" not in str(told)
    assert [row["name"] for row in (await client.done("GET", "/api/projects/bad/replicas"))["replicas"]] == ["there"]


async def _occupied(client: Client, server: Server) -> None:
    """A project with a replica, and databases of others beside it."""
    await client.project("bad")
    await client.note("bad", "0")
    await client.replica("bad", "there")
    await client.project("other")
    await client.note("other", "0")
    (server.directory / "alias.db").symlink_to(server.directory / "bad.db")
    (server.directory / "hard.db").hardlink_to(server.directory / "bad.db")
    other_tables(server.directory)
    await client.project("gone")
    await client.note("gone", "0")
    await client.done("DELETE", "/api/projects/gone")
    # Not renamed: what the server wrote last may lie beside the file for as long as it has it open.
    gone, foreign = (sqlite3.connect(server.directory / name, timeout=60) for name in ("gone.db", "foreign.db"))
    with closing(gone), closing(foreign):
        gone.backup(foreign)


async def test_what_is_not_there_cannot_be_removed_promoted_or_routed(client: Client) -> None:
    await client.project("empty")
    for method, path in (("DELETE", "replicas/none"), ("POST", "replicas/none/promote")):
        status, told = await client.ask(method, f"/api/projects/empty/{path}")
        assert (status, told["error"]["code"]) == (404, "UNKNOWN_REPLICA")
    status, told = await client.ask("PUT", "/api/projects/none/read-routing", {"strategy": "random"})
    assert (status, told["error"]["code"]) == (404, "UNKNOWN_PROJECT")
    status, told = await client.ask("PUT", "/api/projects/empty/read-routing", {"strategy": "fastest"})
    assert (status, told["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_a_project_is_not_put_where_a_replica_is(client: Client) -> None:
    await client.project("first")
    await client.replica("first", "near")
    wish = {"name": "second", "schemas": [NOTE], "uri": "sqlite:///first-near.db"}
    status, told = await client.ask("POST", "/api/projects", wish)
    assert (status, told["error"]["code"]) == (409, "PLACE_TAKEN")


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
async def test_a_database_that_is_in_use_is_no_replica_in_other_words_either(tmp_path: Path) -> None:
    uri = postgres.server().uri(tmp_path)
    server = Server(tmp_path / "data", SHOP, OCTONET_DATABASE_HOSTS="127.0.0.1,localhost").start()
    try:
        async with aiohttp.ClientSession() as session:
            client = Client(session, server)
            wish = {"name": "crm", "dialect": "postgres", "uri": uri, "schemas": [NOTE]}
            await client.done("POST", "/api/projects", wish)
            other = {"name": "near", "dialect": "postgres", "uri": uri.replace("127.0.0.1", "localhost")}
            status, told = await client.ask("POST", "/api/projects/crm/replicas", other)
            assert (status, told["error"]["code"]) == (409, "PLACE_TAKEN")
            assert "in other words" in told["error"]["message"]
    finally:
        server.kill()


async def test_replicas_take_the_permissions_of_their_project_and_show_no_secret(tmp_path: Path) -> None:
    server = staffed(tmp_path / "data", OCTONET_DATABASE_HOSTS="*").start()
    try:
        root = await chief(server)
        wish = {"name": "near", "dialect": "postgres", "uri": "postgresql://me:hush@127.0.0.1:1/nowhere"}
        assert await root.code("POST", "/api/projects/default/replicas", wish) == (503, "DB_NOT_CONNECTED")
        reader = with_key(server, await root.key(operations=["read"]))
        for method, path, body in (
            ("POST", "replicas", wish),
            ("DELETE", "replicas/near", None),
            ("POST", "replicas/near/promote", {}),
            ("PUT", "read-routing", {"strategy": "random"}),
        ):
            assert await reader.code(method, f"/api/projects/default/{path}", body) == (403, "FORBIDDEN")
        assert (
            await root.status("POST", "/api/projects/default/replicas", {"name": "a", "uri": "sqlite:///a.db"}) == 201
        )
        status, told = await reader.ask("GET", "/api/projects/default/replicas")
        assert (status, [row["name"] for row in told["replicas"]]) == (200, ["a"])
        assert (await (await root.raw("GET", "/api/projects/default/replicas")).text()).count("hush") == 0
    finally:
        server.kill()
