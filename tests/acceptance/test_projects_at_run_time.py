"""Projects are added, changed, paused and removed while the server runs, on every process, and no write is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jetstream.connection import connect
from jetstream.server import find_running
from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
NOTE = {"name": "Note", "collection": "notes", "fields": {"text": {"type": "text"}}}
PINNED = {"name": "Note", "collection": "notes", "fields": {"text": {"type": "text"}, "pinned": {"type": "boolean"}}}
MEMO = {**NOTE, "name": "Memo", "collection": "memos"}
WITHIN = 60.0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    directory = tmp_path_factory.mktemp("run-time") / "data"
    found = [Server(directory, SHOP) for _ in range(2)]
    found[0].start()
    found[1].start("--no-worker", within=60.0)
    yield found
    for server in reversed(found):
        server.kill()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


class Client:
    def __init__(self, session: aiohttp.ClientSession, server: Server) -> None:
        self._session = session
        self._server = server

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, self._server.url + path, json=body) as reply:
            return reply.status, await reply.json()

    async def until(self, path: str, status: int) -> Any:
        async with asyncio.timeout(WITHIN):
            while (found := await self.ask("GET", path))[0] != status:
                await asyncio.sleep(0.02)
        return found[1]


@pytest.fixture
def here(session: aiohttp.ClientSession, servers: list[Server]) -> Client:
    return Client(session, servers[0])


@pytest.fixture
def there(session: aiohttp.ClientSession, servers: list[Server]) -> Client:
    return Client(session, servers[1])


async def test_a_new_project_is_served_by_every_process(here: Client, there: Client) -> None:
    status, told = await there.ask("POST", "/api/projects", {"name": "crm", "schemas": [NOTE], "description": "ours"})
    assert status == 201, told
    [crm] = [project for project in told["projects"] if project["name"] == "crm"]
    assert (crm["status"], crm["schemas"], crm["description"]) == ("connected", ["Note"], "ours")
    await here.until("/crm/api/v1/notes", 200)
    status, made = await there.ask("POST", "/crm/api/v1/notes", {"text": "there"})
    assert status == 201, made
    assert [row["text"] for row in (await here.ask("GET", "/api/v1/crm/notes"))[1]["data"]] == ["there"]


async def test_a_project_is_changed_while_it_is_written_to_and_no_write_is_lost(here: Client, there: Client) -> None:
    assert (await here.ask("POST", "/api/projects", {"name": "busy", "schemas": [NOTE]}))[0] == 201
    await there.until("/busy/api/v1/notes", 200)
    done = asyncio.Event()
    told: list[int] = []
    refused: list[Any] = []

    async def write(client: Client, number: int) -> None:
        while not done.is_set():
            status, answer = await client.ask("POST", "/busy/api/v1/notes", {"text": f"from {number}"})
            told.append(status)
            refused.extend([answer] if status != 201 else [])

    writers = [asyncio.create_task(write(client, n)) for n, client in enumerate([here, there, here, there])]
    for schemas in ([PINNED], [NOTE], [PINNED]):
        status, changed = await there.ask("PUT", "/api/projects/busy", {"schemas": schemas, "confirm": True})
        assert status == 200, changed
    status, made = await there.ask("POST", "/busy/api/v1/notes", {"text": "pinned", "pinned": True})
    assert (status, made["data"]["pinned"]) == (201, True)
    done.set()
    await asyncio.gather(*writers)
    assert not refused
    for client in (here, there):
        assert (await client.ask("GET", "/busy/api/v1/notes/count"))[1]["data"] == len(told) + 1


async def test_a_paused_project_answers_503_until_it_goes_on(here: Client, there: Client) -> None:
    assert (await here.ask("POST", "/api/projects", {"name": "rest", "schemas": [NOTE]}))[0] == 201
    assert (await here.ask("POST", "/rest/api/v1/notes", {"text": "kept"}))[0] == 201
    status, told = await here.ask("PUT", "/api/projects/rest", {"paused": True})
    assert status == 200
    assert [p["status"] for p in told["projects"] if p["name"] == "rest"] == ["paused"]
    for client in (here, there):
        assert (await client.until("/rest/api/v1/notes", 503))["error"]["code"] == "PROJECT_PAUSED"
    assert (await there.ask("PUT", "/api/projects/rest", {"paused": False}))[0] == 200
    for client in (here, there):
        assert [row["text"] for row in (await client.until("/rest/api/v1/notes", 200))["data"]] == ["kept"]


async def test_a_removed_project_is_gone_and_goes_on_where_it_ended(here: Client, there: Client) -> None:
    wish = {"name": "gone", "schemas": [NOTE]}
    assert (await here.ask("POST", "/api/projects", wish))[0] == 201
    assert (await here.ask("POST", "/gone/api/v1/notes", {"text": "kept"}))[0] == 201
    status, told = await there.ask("DELETE", "/api/projects/gone")
    assert (status, told["dbDropped"]) == (200, False)
    for client in (here, there):
        await client.until("/gone/api/v1/notes", 404)
    assert (await here.ask("POST", "/api/projects", wish))[0] == 201
    assert [row["text"] for row in (await here.ask("GET", "/gone/api/v1/notes"))[1]["data"]] == ["kept"]


async def test_an_erased_project_leaves_nothing(here: Client, servers: list[Server]) -> None:
    wish = {"name": "erased", "schemas": [NOTE]}
    assert (await here.ask("POST", "/api/projects", wish))[0] == 201
    assert (await here.ask("POST", "/erased/api/v1/notes", {"text": "gone"}))[0] == 201
    file = servers[0].directory / "erased.db"
    assert file.exists()
    assert (await here.ask("DELETE", "/api/projects/erased?deleteDb=true"))[0] == 200
    async with asyncio.timeout(WITHIN):
        while file.exists() or (servers[0].directory / "keys" / "erased.key").exists():
            await asyncio.sleep(0.05)
    endpoint = find_running(servers[0].directory / "nats")
    assert endpoint is not None
    client = await connect(endpoint)
    names = [info.config.name for info in await client.jetstream().streams_info()]
    assert not [name for name in names if "erased" in str(name)]
    await client.close()
    assert (await here.ask("POST", "/api/projects", wish))[0] == 201
    assert (await here.ask("GET", "/erased/api/v1/notes"))[1]["data"] == []


async def test_a_project_that_is_made_while_its_namesake_is_erased_is_empty_and_stays(here: Client) -> None:
    wish = {"name": "again", "schemas": [NOTE]}
    for number in range(8):
        status, told = await here.ask("POST", "/api/projects", wish)
        assert status == 201, told
        status, told = await here.ask("GET", "/again/api/v1/notes")
        assert (status, told.get("data")) == (200, []), (number, told)
        status, told = await here.ask("POST", "/again/api/v1/notes", {"text": "gone"})
        assert status == 201, (number, told)
        assert (await here.ask("DELETE", "/api/projects/again?deleteDb=true"))[0] == 200
    assert (await here.ask("POST", "/api/projects", wish))[0] == 201
    assert (await here.ask("POST", "/again/api/v1/notes", {"text": "kept"}))[0] == 201
    await asyncio.sleep(0.5)
    assert (await here.ask("GET", "/again/api/v1/notes/count"))[1]["data"] == 1


async def test_a_moved_project_takes_its_rows_along(here: Client, there: Client) -> None:
    assert (await here.ask("POST", "/api/projects", {"name": "moved", "schemas": [NOTE]}))[0] == 201
    for number in range(5):
        assert (await here.ask("POST", "/moved/api/v1/notes", {"text": str(number)}))[0] == 201
    status, told = await here.ask("PUT", "/api/projects/moved", {"uri": "sqlite:///elsewhere.db"})
    assert status == 200, told
    assert (await here.ask("POST", "/moved/api/v1/notes", {"text": "5"}))[0] == 201
    assert (await here.ask("GET", "/moved/api/v1/notes/count"))[1]["data"] == 6
    async with asyncio.timeout(WITHIN):
        while (await there.ask("GET", "/moved/api/v1/notes/count"))[1].get("data") != 6:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("wish", "status", "code", "path"),
    [
        ({}, 422, "VALIDATION_ERROR", "$.name"),
        ({"name": "api"}, 422, "INVALID_PROJECTS_TREE", "$"),
        ({"name": "../etc"}, 422, "INVALID_PROJECTS_TREE", "$"),
        ({"name": "_system"}, 422, "INVALID_PROJECTS_TREE", "$"),
        ({"name": "a", "schemas": "schemas/a.json"}, 422, "INVALID_PROJECTS_TREE", "$.schemas"),
        ({"name": "a", "schemas": [NOTE], "__proto__": {}}, 422, "INVALID_PROJECTS_TREE", "$.__proto__"),
        ({"name": "a", "schemas": [NOTE], "dialect": "access"}, 422, "INVALID_PROJECTS_TREE", "$.dialect"),
        ({"name": "a", "schemas": [NOTE], "uri": "sqlite:////etc/passwd"}, 422, "PLACE_NOT_ALLOWED", "$.uri"),
        ({"name": "a", "schemas": [NOTE], "uri": "sqlite:///../a.db"}, 422, "PLACE_NOT_ALLOWED", "$.uri"),
        ({"name": "a", "schemas": [NOTE], "uri": "sqlite:///_system.db"}, 422, "PLACE_NOT_ALLOWED", "$.uri"),
        ({"name": "a", "schemas": [NOTE], "uri": "sqlite:///keys/a.db"}, 422, "PLACE_NOT_ALLOWED", "$.uri"),
        (
            {"name": "a", "schemas": [NOTE], "dialect": "postgres", "uri": "postgresql://me:pw@127.0.0.1/a"},
            422, "PLACE_NOT_ALLOWED", "$.uri",
        ),
        (
            {"name": "a", "schemas": [NOTE], "dialect": "postgres", "uri": "postgresql://me@[::ffff:10.0.0.1]/a"},
            422, "PLACE_NOT_ALLOWED", "$.uri",
        ),
        (
            {"name": "a", "schemas": [NOTE], "dialect": "postgres", "uri": "postgresql://169.254.169.254/a"},
            422, "PLACE_NOT_ALLOWED", "$.uri",
        ),
        ({"name": "default", "schemas": [NOTE]}, 409, "PROJECT_EXISTS", None),
        (
            {"name": "bomb", "schemas": [{**NOTE, "fields": {f"f{n}": {"type": "string"} for n in range(10_000)}}]},
            422, "INVALID_PROJECTS_TREE", "$.schemas[0].fields",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_served_is_refused_by_name(
    here: Client, wish: dict[str, Any], status: int, code: str, path: str | None
) -> None:
    found, told = await here.ask("POST", "/api/projects", wish)
    assert (found, told["error"]["code"]) == (status, code), told
    if path is not None:
        assert told["error"]["details"][0]["path"] == path
    assert "pw" not in str(told)


async def test_a_restart_serves_what_was_added_and_changed(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP).start()
    async with aiohttp.ClientSession() as session:
        client = Client(session, server)
        assert (await client.ask("POST", "/api/projects", {"name": "crm", "schemas": [NOTE]}))[0] == 201
        assert (await client.ask("PUT", "/api/projects/default", {"schemas": [MEMO], "confirm": True}))[0] == 200
        assert (await client.ask("POST", "/crm/api/v1/notes", {"text": "kept"}))[0] == 201
        status, made = await client.ask("POST", "/api/v1/memos", {"text": "kept"})
        assert status == 201, made
        assert server.stop() == 0
        server.start()
        for path in ("/crm/api/v1/notes", "/api/v1/memos"):
            assert [row["text"] for row in (await client.ask("GET", path))[1]["data"]] == ["kept"]
        assert server.stop() == 0


def _cli(server: Server, *arguments: str) -> str:
    return subprocess.run(
        server.command("projects", *arguments), env=server.environment(), cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=True,
    ).stdout  # fmt: skip


async def test_an_exported_tree_serves_the_same_elsewhere(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP).start()
    tree = tmp_path / "tree.json"
    async with aiohttp.ClientSession() as session:
        client = Client(session, server)
        wish = {"name": "crm", "schemas": [NOTE], "description": "ours", "pool": {"min": 0, "max": 2}}
        assert (await client.ask("POST", "/api/projects", wish))[0] == 201
        told = (await client.ask("GET", "/api/projects/export"))[1]
        assert told["crm"]["schemas"] == [NOTE]
        assert server.stop() == 0
    assert "2 projects" in _cli(server, "export", str(tree))
    assert tree.stat().st_mode & 0o077 == 0
    assert any(line.startswith("crm ") and line.endswith("Note") for line in _cli(server, "list").splitlines())
    elsewhere = Server(tmp_path / "elsewhere", SHOP, MOSTA_PROJECTS=str(tree)).start()
    async with aiohttp.ClientSession() as session:
        client = Client(session, elsewhere)
        assert (await client.ask("GET", "/api/projects/export"))[1] == told
    assert elsewhere.stop() == 0


async def test_a_project_that_came_at_run_time_is_replayed_through_its_schemas(tmp_path: Path) -> None:
    with Server(tmp_path / "data", SHOP) as server:
        async with aiohttp.ClientSession() as session:
            client = Client(session, server)
            assert (await client.ask("POST", "/api/projects", {"name": "crm", "schemas": [NOTE]}))[0] == 201
            assert (await client.ask("POST", "/crm/api/v1/notes", {"text": "before"}))[0] == 201
            assert (await client.ask("PUT", "/api/projects/crm", {"schemas": [PINNED]}))[0] == 200
            wish = {"text": "after", "pinned": True}
            assert (await client.ask("POST", "/crm/api/v1/notes", wish))[0] == 201
            copy = tmp_path / "copy.db"
            replaying = server.launch("replay", "--project", "crm", "--to", f"sqlite:///{copy}", "--quiet")
            assert await asyncio.to_thread(replaying.reap) == 0
    rows: list[list[Any]] = []
    for path in (tmp_path / "data" / "crm.db", copy):
        with closing(sqlite3.connect(path)) as database:
            rows.append(database.execute("SELECT id, text, pinned, _version FROM notes ORDER BY id").fetchall())
    assert rows[0] == rows[1]
    assert [row[1:3] for row in rows[0]] == [("before", None), ("after", 1)]


async def test_a_database_that_is_made_anew_at_each_start_is_not_dropped_by_a_change(tmp_path: Path) -> None:
    with Server(tmp_path / "data", SHOP, DB_SCHEMA_STRATEGY="create-drop") as server:
        async with aiohttp.ClientSession() as session:
            client = Client(session, server)
            assert (await client.ask("POST", "/api/v1/tags", {"label": "kept"}))[0] == 201
            status, told = await client.ask("POST", "/api/upload-schemas-json", {"schemas": [MEMO]})
            assert status == 200, told
            # Longer than reads of what was served before are given.
            await asyncio.sleep(6)
            assert (await client.ask("GET", "/api/v1/tags/count"))[1]["data"] == 1
            assert (await client.ask("POST", "/api/v1/memos", {"text": "kept"}))[0] == 201
