"""Many projects in one installation: apart from each other in every way, found by path and by header."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jetstream.connection import connect
from jetstream.server import find_running
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
NOTE = {"name": "Note", "collection": "notes", "fields": {"text": {"type": "text"}, "password": {"type": "string"}}}
BOOK = {"name": "Book", "collection": "books", "fields": {"title": {"type": "string", "unique": True}}}


def write_tree(directory: Path, tree: object) -> str:
    path = directory / "tree.json"
    path.write_text(json.dumps(tree))
    return str(path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("projects")
    (directory / "crm.json").write_text(json.dumps([NOTE]))
    tree = write_tree(directory, {
        "crm": {"schemas": "crm.json", "uri": f"sqlite:///{directory}/shared.db", "tablePrefix": "crm_"},
        "books": {"schemas": [BOOK, NOTE], "uri": f"sqlite:///{directory}/shared.db", "tablePrefix": "books_"},
    })  # fmt: skip
    with Server(directory / "data", SHOP, MOSTA_PROJECTS=tree) as found:
        yield found


@pytest.fixture
async def client(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url) as session:
        yield session


async def ask(client: aiohttp.ClientSession, method: str, path: str, body: Any = None, **headers: str) -> Any:
    async with client.request(method, path, json=body, headers=headers) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("path", "headers"), [("/crm/api/v1/notes", {}), ("/api/v1/crm/notes", {}), ("/api/v1/notes", {"X-Project": "crm"})]
)
async def test_a_project_is_found_by_path_and_by_header(
    client: aiohttp.ClientSession, path: str, headers: dict[str, str]
) -> None:
    status, made = await ask(client, "POST", path, {"text": path}, **headers)
    assert status == 201
    for other in ("/crm/api/v1/notes/", "/api/v1/crm/notes/"):
        assert (await ask(client, "GET", other + made["data"]["id"]))[1]["data"]["text"] == path
    for elsewhere in ("/books/api/v1/notes/", "/api/v1/notes/"):
        assert (await ask(client, "GET", elsewhere + made["data"]["id"]))[1]["data"] is None


async def test_each_project_has_its_own_entities_and_description(client: aiohttp.ClientSession) -> None:
    for project, entities in (("crm", ["Note"]), ("books", ["Book", "Note"])):
        assert (await ask(client, "GET", f"/api/v1/{project}"))[1]["schemas"] == entities
        status, health = await ask(client, "GET", f"/{project}/health")
        assert (status, health["project"], health["entities"]) == (200, project, entities)
        assert (await ask(client, "GET", "/health", **{"X-Project": project}))[1]["project"] == project
        _, document = await ask(client, "GET", f"/{project}/openapi.json")
        assert ("Book" in document["components"]["schemas"]) == (project == "books")
    assert (await ask(client, "POST", "/crm/api/v1/books", {"title": "x"}))[1]["error"]["code"] == "ENTITY_NOT_FOUND"


async def test_a_project_nobody_knows_is_refused(client: aiohttp.ClientSession) -> None:
    for path in ("/api/v1/notes", "/health", "/events", "/openapi.json"):
        status, told = await ask(client, "GET", path, **{"X-Project": "nobody"})
        assert (status, told["error"]["code"]) == (404, "UNKNOWN_PROJECT")
    assert (await ask(client, "GET", "/nobody/api/v1/notes"))[0] == 404


async def test_live_facts_are_those_of_the_project_on_sse_and_websocket(client: aiohttp.ClientSession) -> None:
    async with client.get("/books/events") as stream, client.ws_connect("/books/ws") as socket:
        assert "books" not in (await socket.receive_json())["entities"]
        await ask(client, "POST", "/crm/api/v1/notes", {"text": "of another project"})
        await ask(client, "POST", "/books/api/v1/books", {"title": "told"})
        told = await asyncio.wait_for(socket.receive_json(), 60)
        assert (told["event"], told["entity"], told["data"]["title"]) == ("entity.created", "Book", "told")
        async with asyncio.timeout(60):
            async for line in stream.content:
                if line.startswith(b"data:") and b'"entity"' in line:
                    assert json.loads(line[5:])["entity"] == "Book"
                    break


async def test_a_request_over_a_projects_socket_is_about_that_project(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/crm/ws?events=none") as socket:
        await socket.receive_json()
        await socket.send_json({"op": "create", "entity": "Note", "data": {"text": "by socket", "password": "x"}})
        made = await asyncio.wait_for(socket.receive_json(), 60)
        found = (await ask(client, "GET", f"/crm/api/v1/notes/{made['data']['id']}"))[1]["data"]
        assert (found["text"], "password" in found) == ("by socket", False)


async def test_facts_on_nats_carry_the_project_in_their_subject(server: Server, client: aiohttp.ClientSession) -> None:
    endpoint = find_running(server.directory / "nats")
    assert endpoint is not None
    nats = await connect(endpoint)
    heard = await nats.subscribe("mostajs.>")
    await nats.flush()
    await ask(client, "POST", "/crm/api/v1/notes", {"text": "heard"})
    assert (await heard.next_msg(10)).subject == "mostajs.crm.Note.created"
    await nats.close()


async def test_a_position_of_one_project_means_nothing_in_another(client: aiohttp.ClientSession) -> None:
    async with client.post("/crm/api/v1/notes", json={"text": "x"}) as response:
        position = response.headers["Octonet-Position"]
    status, told = await ask(client, "GET", "/books/api/v1/notes", **{"Octonet-Min-Position": position})
    assert (status, told["error"]["code"]) == (400, "INVALID_POSITION")


async def test_two_projects_may_share_a_database_by_prefix(server: Server, client: aiohttp.ClientSession) -> None:
    await ask(client, "POST", "/crm/api/v1/notes", {"text": "mine"})
    with closing(sqlite3.connect(server.directory.parent / "shared.db")) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"crm_notes", "books_notes", "books_books"} < tables
    assert len([name for name in tables if "checkpoint" in name]) == 2


async def test_each_project_has_a_sealing_key_of_its_own(server: Server) -> None:
    keys = {path.name: path.read_bytes() for path in (server.directory / "keys").iterdir()}
    assert set(keys) == {"default.key", "crm.key", "books.key", "_system.key"}
    assert len(set(keys.values())) == 4


def test_a_faulty_tree_is_told_whole_and_nothing_starts(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"Bad": {"schemas": [NOTE]}, "ok": {"dialect": "dbase", "schemas": "absent.json"}})
    process = Server(tmp_path / "data", SHOP, MOSTA_PROJECTS=tree).launch("serve", "--port", "0")
    assert process.reap() == 1
    said = (tmp_path / "data.log").read_text()
    for path in ("$.Bad: ", "$.ok.dialect: ", "$.ok.schemas: "):
        assert f"{tree}: {path}" in said
    assert "Traceback" not in said


async def test_a_database_that_is_away_stops_its_own_project_only_and_only_until_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "late.db"
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("PRAGMA journal_mode=WAL")
    # Another process is inside a transaction: tables can neither be made nor checked.
    blocker.execute("BEGIN IMMEDIATE")
    tree = write_tree(tmp_path, {
        "late": {"schemas": [NOTE], "uri": f"sqlite:///{path}"},
        "sound": {"schemas": [NOTE]},
    })  # fmt: skip
    server = Server(tmp_path / "data", SHOP, MOSTA_PROJECTS=tree)
    server.start()
    try:
        async with aiohttp.ClientSession(server.url) as client:
            assert (await ask(client, "POST", "/sound/api/v1/notes", {"text": "served"}))[0] == 201
            assert (await ask(client, "GET", "/sound/health"))[0] == 200
            for method, body in (("GET", None), ("POST", {"text": "refused"})):
                status, told = await ask(client, method, "/late/api/v1/notes", body)
                assert (status, told["error"]["code"]) == (503, "DB_NOT_CONNECTED")
            status, health = await ask(client, "GET", "/late/health")
            assert (status, health["status"], health["withoutOwner"]) == (503, "unavailable", ["late"])
            assert health["reason"] == "the database is not available"
            blocker.execute("ROLLBACK")
            async with asyncio.timeout(60):
                while (await ask(client, "GET", "/late/health"))[0] != 200:
                    await asyncio.sleep(0.1)
            assert (await ask(client, "POST", "/late/api/v1/notes", {"text": "taken"}))[0] == 201
            assert [row["text"] for row in (await ask(client, "GET", "/late/api/v1/notes"))[1]["data"]] == ["taken"]
    finally:
        blocker.close()
        assert server.stop() == 0


async def test_load_and_replay_reach_any_project(server: Server, client: aiohttp.ClientSession, tmp_path: Path) -> None:
    file, copy = tmp_path / "books.ndjson", tmp_path / "copy.db"
    file.write_text("".join(json.dumps({"id": f"b{n}", "title": f"loaded {n}"}) + "\n" for n in range(20)))
    assert server.launch("load", "Book", str(file), "--project", "books", "--quiet").reap() == 0
    assert (await ask(client, "GET", "/books/api/v1/books/b7"))[1]["data"]["title"] == "loaded 7"
    assert server.launch("replay", "--project", "books", "--to", f"sqlite:///{copy}", "--quiet").reap() == 0
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT count(*) FROM books WHERE id LIKE 'b%'").fetchone()[0] >= 20
    assert server.launch("load", "Book", str(file), "--project", "nobody", "--quiet").reap() == 1
