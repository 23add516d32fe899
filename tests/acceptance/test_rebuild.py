"""A database is rebuilt from its log beside the live one, proved equal, and takes over; nothing is refused or lost."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import hsqldb, mariadb, mongodb, postgres
from tests.acceptance.checker import Told
from tests.acceptance.rebuilding import SHOP, WRITERS, Load, done, faults, now
from tests.running import Process, Server

ROWS = 12_000


async def _ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    async with aiohttp.ClientSession(server.url) as session, session.request(method, path, json=body) as reply:
        told = await reply.json()
        assert reply.status < 300, told
        return told


async def _place(server: Server, project: str = "default") -> str:
    """Where a project is served from."""
    projects = await _ask(server, "GET", "/api/projects")
    return next(str(one["uriMasked"]) for one in projects if one["name"] == project)


def _entry(path: Path) -> int:
    """How far a database has folded the log; 0 where it does not know."""
    try:
        with closing(sqlite3.connect(path)) as database:
            row = database.execute("SELECT entry FROM octonet_checkpoint").fetchone()
            return int(row[0]) if row else 0
    except sqlite3.Error:
        return 0


def _loaded(directory: Path, rows: int) -> Server:
    """A server that is not running, with rows."""
    server = Server(directory, SHOP)
    file = directory.parent / "notes.ndjson"
    file.write_text("".join(f'{{"slug": "n{number}", "body": "{"x" * 50}"}}\n' for number in range(rows)))
    assert now(server, "load", "Note", str(file)).returncode == 0
    return server


async def test_a_rebuilt_database_takes_over_under_load_and_nothing_is_refused_or_lost(tmp_path: Path) -> None:
    directory, told = tmp_path / "data", list[Told]()
    with Server(directory, SHOP) as server:
        async with Load(server, told, 100) as load:
            await load.written(600)
            printed = await done(server, "rebuild")
            await load.written(300)
        assert "equal in all" in printed
        assert "write the new address there" in printed
        assert (await _place(server)).endswith("/data/octonet-2.db")
        assert [one for one in told if one.status >= 500] == []
    before, after = directory / "octonet.db", directory / "octonet-2.db"
    assert _entry(after) > _entry(before) > 0
    assert await faults(directory, told, after) == []


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [(postgres, "postgresql"), (mariadb, "mariadb"), (hsqldb, "hsqldb"), (mongodb, "mongodb")],
)
async def test_a_project_moves_to_a_database_server_and_back_while_it_is_written_to(
    kind: ModuleType, scheme: str, tmp_path: Path
) -> None:
    if reason := kind.missing():
        pytest.skip(reason)
    directory, told, uri = tmp_path / "data", list[Told](), kind.server().uri(tmp_path)
    former = directory / "octonet.db"
    # The stand-in for MongoDB folds slower than four write.
    clients = 1 if kind is mongodb else WRITERS
    with Server(directory, SHOP) as server:
        async with Load(server, told, 200, clients) as load:
            await load.written(300)
            printed = await done(server, "rebuild", "--to", uri)
            await load.written(300)
            assert (await _place(server)).startswith(f"{scheme}://")
            assert f"--to sqlite:///{former}" in printed
            stood = _entry(former)
            copy = f"sqlite:///{tmp_path}/copy.db"
            assert "equal to the live database in all" in await done(server, "replay", "--to", copy)
            await done(server, "rebuild", "--to", f"sqlite:///{former}")
            await load.written(100)
        assert (await _place(server)).endswith("/octonet.db")
        assert _entry(former) > stood
        assert [one for one in told if one.status >= 500] == []
    assert await faults(directory, told, former) == []


async def test_a_rebuild_that_is_killed_at_random_moments_goes_on_where_it_was(tmp_path: Path) -> None:
    server, dice = _loaded(tmp_path / "data", ROWS), random.Random(16)
    target = server.directory / "octonet-2.db"
    with server:
        reached = [0]
        for _ in range(5):
            work = server.launch("rebuild", "--rate", str(ROWS / 10), "--quiet")
            await _passes(work, target, reached[-1])
            await asyncio.sleep(dice.uniform(0, 0.4))
            work.kill()
            reached.append(_entry(target))
        assert reached == sorted(reached)
        assert f"equal in all {ROWS} rows" in await done(server, "rebuild")
        assert (await _place(server)).endswith("/octonet-2.db")


async def _passes(work: Process, target: Path, before: int) -> None:
    async with asyncio.timeout(60):
        while _entry(target) <= before:
            assert work.alive()
            await asyncio.sleep(0.01)


async def test_without_a_server_a_rebuild_works_for_itself(tmp_path: Path) -> None:
    server = _loaded(tmp_path / "data", 50)
    assert "equal in all 50 rows" in await done(server, "rebuild")
    with server:
        assert (await _place(server)).endswith("/octonet-2.db")
        assert (await _ask(server, "GET", "/api/v1/notes/count"))["data"] == 50


async def test_secrets_links_soft_deleted_rows_and_changes_of_the_schema_come_out_equal(tmp_path: Path) -> None:
    entities = json.loads(SHOP.read_text())
    customer = next(one for one in entities if one["name"] == "Customer")
    with Server(tmp_path / "data", SHOP) as server:
        await _ask(server, "POST", "/api/projects", {"name": "past", "schemas": entities})
        api = "/past/api/v1"
        tag = (await _ask(server, "POST", f"{api}/tags", {"label": "One"}))["data"]["id"]
        wish = {"email": "a@x.org", "password": "correct horse battery", "tags": [tag], "visits": 3}
        await _ask(server, "POST", f"{api}/customers", wish)
        note = (await _ask(server, "POST", f"{api}/notes", {"slug": "gone"}))["data"]["id"]
        await _ask(server, "DELETE", f"{api}/notes/{note}")
        visits = customer["fields"].pop("visits")
        customer["fields"]["level"] = {"type": "string", "default": "silver"}
        await _ask(server, "PUT", "/api/projects/past", {"schemas": entities, "confirm": True})
        await _ask(server, "POST", f"{api}/customers", {"email": "b@x.org"})
        # What the schema gave up comes back with its values when it is named again.
        customer["fields"]["visits"] = visits
        await _ask(server, "PUT", "/api/projects/past", {"schemas": entities, "confirm": True})
        assert "equal in all 4 rows" in await done(server, "rebuild", "--project", "past")
        rows = (await _ask(server, "GET", api + '/customers?sort={"email":1}'))["data"]
        assert [(row["visits"], row["level"]) for row in rows] == [(3, "silver"), (None, "silver")]
        found = tmp_path / "data" / "past-2.db"
    with closing(sqlite3.connect(found)) as database:
        assert database.execute("SELECT password FROM customers ORDER BY email").fetchone() == (
            "correct horse battery",
        )
        assert database.execute("SELECT count(*) FROM customer_tags").fetchone() == (1,)
        assert database.execute('SELECT "deletedAt" IS NOT NULL FROM notes').fetchall() == [(1,)]


async def test_a_live_database_that_is_no_fold_of_its_log_is_found_out_and_left_as_it_is(tmp_path: Path) -> None:
    server = _loaded(tmp_path / "data", 20)
    with closing(sqlite3.connect(server.directory / "octonet.db")) as database:
        database.execute("UPDATE notes SET body = 'forged' WHERE slug = 'n7'")
        database.commit()
    found = now(server, "rebuild")
    assert found.returncode == 1
    assert "Note differ" in found.stderr
    assert "Traceback" not in found.stderr
    copy = ("replay", "--to", f"sqlite:///{tmp_path}/copy.db")
    found = now(server, *copy)
    assert (found.returncode, "Note differ" in found.stderr) == (1, True)
    assert "not held against" in now(server, *copy, "--unproved").stdout
    with server:
        assert (await _place(server)).endswith("/octonet.db")
        assert "not held against" in await done(server, "rebuild", "--unproved")
        rows = (await _ask(server, "GET", '/api/v1/notes?filter={"slug":"n7"}'))["data"]
        assert [row["body"] for row in rows] == ["x" * 50]


async def test_a_database_that_cannot_be_read_any_more_is_rebuilt_from_the_log_alone(tmp_path: Path) -> None:
    server = _loaded(tmp_path / "data", 20)
    for path in server.directory.glob("octonet.db*"):
        path.unlink()
    (server.directory / "octonet.db").write_bytes(b"no database any more" * 1000)
    found = now(server, "rebuild")
    assert (found.returncode, "is not a SQLite database" in found.stderr) == (1, True)
    await done(server, "rebuild", "--unproved")
    with server:
        assert (await _ask(server, "GET", "/api/v1/notes/count"))["data"] == 20


async def test_the_database_of_a_replica_is_no_target(tmp_path: Path) -> None:
    with Server(tmp_path / "data", SHOP) as server:
        await _ask(server, "POST", "/api/v1/notes", {"slug": "one"})
        wish = {"name": "second", "dialect": "sqlite", "uri": "sqlite:///second.db"}
        await _ask(server, "POST", "/api/projects/default/replicas", wish)
        found = await asyncio.to_thread(now, server, "rebuild", "--to", str(tmp_path / "data" / "second.db"))
        assert (found.returncode, "of replica second of project default: promote it" in found.stderr) == (1, True)
        assert (await _place(server)).endswith("/octonet.db")


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server of two projects, and databases that no rebuild may touch."""
    directory = tmp_path_factory.mktemp("crowded") / "data"
    server = _loaded(directory, 5)
    other = _loaded(tmp_path_factory.mktemp("elsewhere") / "data", 8)
    (other.directory / "octonet.db").rename(directory / "elsewhere.db")
    with closing(sqlite3.connect(directory / "taken.db")) as database:
        database.execute("CREATE TABLE books (id TEXT)")
    with server:
        assert now(server, "rebuild", "--no-takeover", "--to", f"sqlite:///{directory}/ahead.db").returncode == 0
        with closing(sqlite3.connect(directory / "ahead.db")) as database:
            database.execute("UPDATE octonet_checkpoint SET entry = entry + 1000")
            database.commit()
        yield server


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (("--to", "sqlite:///{data}/octonet.db"), "is the database that project default is served from"),
        (("--to", "{data}/octonet.db"), "is the database that project default is served from"),
        (("--to", "sqlite:///{data}/_system.db"), "is the database of project _system"),
        (("--to", "sqlite:///{data}/taken.db"), "is not empty, it holds books"),
        (("--to", "sqlite:///{data}/elsewhere.db"), "a fold of another log"),
        (("--to", "sqlite:///{data}/ahead.db"), "the log of this project holds"),
        (("--to", "postgresql://nobody@127.0.0.1:1/none"), "127.0.0.1"),
        (("--project", "nobody"), "there is no project 'nobody'"),
        (("--project", "_system"), "there is no project '_system'"),
        (("--to-dialect", "postgres"), "name an empty database with --to"),
        (("--to-dialect", "paradox", "--to", "x"), "paradox"),
        (("--rate", "-1"), "--rate is a number"),
    ],
)
def test_what_cannot_be_a_target_is_refused_with_a_sentence(crowded: Server, wish: tuple[str, ...], words: str) -> None:
    held = {path: _dump(path) for path in crowded.directory.glob("[aet]*.db")}
    found = now(crowded, "rebuild", *(word.format(data=crowded.directory) for word in wish))
    assert found.returncode == 1
    assert words in found.stderr
    assert "Traceback" not in found.stderr
    assert {path: _dump(path) for path in held} == held


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


async def test_how_far_a_rebuild_is_shows_among_the_figures(tmp_path: Path) -> None:
    server = _loaded(tmp_path / "data", ROWS)
    with server:
        rebuilding = server.launch("rebuild", "--rate", "1500", "--quiet")
        seen: list[float] = []
        async with asyncio.timeout(60), aiohttp.ClientSession(server.url) as session:
            while len(set(seen)) < 3:
                async with session.get("/metrics") as reply:
                    families = text_string_to_metric_families(await reply.text())
                found = {family.name: family.samples for family in families}
                for sample in found.get("octonet_work_done", []):
                    assert sample.labels["work"] == "rebuild"
                    assert sample.labels["project"] == "default"
                    if sample.labels["part"] == "fold":
                        seen.append(sample.value)
                        assert found["octonet_work_total"][0].value >= sample.value
        assert seen == sorted(seen)
        assert await asyncio.to_thread(rebuilding.reap, 60) == 0
