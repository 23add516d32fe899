"""Snapshots bound the time of a rebuild: the newest that is whole and of this log is where it begins."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from tests import postgres
from tests.acceptance.checker import Told
from tests.acceptance.rebuilding import SHOP, Load, done, faults, now
from tests.running import Server


def _shelf(server: Server) -> list[Path]:
    """The newest first."""
    return sorted((server.directory / "snapshots" / "default").glob("*.snapshot"), reverse=True)


def _told(server: Server, *arguments: str) -> str:
    """What a rebuild that must go well says while it works."""
    found = now(server, "rebuild", *arguments)
    assert found.returncode == 0, found.stderr
    return found.stderr


async def test_a_snapshot_of_sqlite_taken_under_load_fills_postgresql_and_the_rest_is_folded(tmp_path: Path) -> None:
    if reason := postgres.missing():
        pytest.skip(reason)
    directory, told, uri = tmp_path / "data", list[Told](), postgres.server().uri(tmp_path)
    with Server(directory, SHOP) as server:
        async with Load(server, told, 300) as load:
            await load.written(400)
            assert "rows at log entry" in await done(server, "snapshot")
            await load.written(200)
            log = await asyncio.to_thread(_told, server, "--to", uri)
            await load.written(100)
        assert f"from {_shelf(server)[0].name}" in log
        assert [one for one in told if one.status >= 500] == []
    assert await faults(directory, told, uri) == []


async def test_a_damaged_snapshot_is_passed_over_and_the_one_before_it_taken(tmp_path: Path) -> None:
    directory, told = tmp_path / "data", list[Told]()
    with Server(directory, SHOP) as server:
        for _ in range(2):
            async with Load(server, told, 400) as load:
                await load.written(60)
            await done(server, "snapshot")
        newest, older = _shelf(server)
        body = bytearray(newest.read_bytes())
        body[len(body) // 2] ^= 1
        newest.write_bytes(body)
        log = await asyncio.to_thread(_told, server)
        assert f"{newest} is passed over: the snapshot is damaged" in log
        assert f"from {older.name}" in log
        older.unlink()
        assert "from " not in (await asyncio.to_thread(_told, server)).replace(str(newest), "")
    assert await faults(directory, told, directory / "octonet-3.db") == []


async def test_a_snapshot_of_another_log_is_passed_over(tmp_path: Path) -> None:
    ours, other = Server(tmp_path / "ours", SHOP), Server(tmp_path / "other", SHOP)
    for server, seed in ((ours, 1), (other, 2)):
        with server:
            async with Load(server, [], seed) as load:
                await load.written(40)
            await done(server, "snapshot")
    foreign = _shelf(other)[0]
    copied = _shelf(ours)[0].with_name(f"9{foreign.name}")
    copied.write_bytes(foreign.read_bytes())
    log = _told(ours)
    assert f"{copied} is passed over: it does not stand on this log" in log
    assert f"from {_shelf(ours)[1].name}" in log


def _reached(path: Path) -> tuple[int, int]:
    """The log entry that a database has come to, and how much of a snapshot; nothing while it is not made."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as database:
            entry, blocks = database.execute("SELECT entry, frame FROM octonet_checkpoint").fetchone() or (0, 0)
            return int(entry), int(blocks)
    except sqlite3.Error:
        return 0, 0


async def test_a_filling_that_is_killed_goes_on_with_the_same_snapshot(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP)
    file = tmp_path / "notes.ndjson"
    file.write_text("".join(f'{{"slug": "n{number}"}}\n' for number in range(6000)))
    assert now(server, "load", "Note", str(file)).returncode == 0
    with server:
        await done(server, "snapshot")
        reached = (0, 0)
        for _ in range(2):
            work = server.launch("rebuild", "--rate", "1000", "--quiet")
            before = reached[1]
            async with asyncio.timeout(60):
                while (reached := _reached(server.directory / "octonet-2.db")) <= (0, before):
                    await asyncio.sleep(0.01)
            work.kill()
            reached = _reached(server.directory / "octonet-2.db")
            assert (reached[0], reached[1] > before) == (0, True)
        assert "equal in all 6000 rows" in await done(server, "rebuild")


async def test_a_worker_takes_snapshots_by_itself_and_keeps_the_newest(tmp_path: Path) -> None:
    directory, told = tmp_path / "data", list[Told]()
    with Server(directory, SHOP, OCTONET_SNAPSHOT_EVERY="50", OCTONET_SNAPSHOTS_KEPT="2") as server:
        async with Load(server, told, 500), asyncio.timeout(60):
            seen: set[str] = set()
            while len(seen) < 4:
                seen |= {path.name for path in _shelf(server)}
                await asyncio.sleep(0.05)
        # The last writes may still bring one about, and for a moment there is one more.
        async with asyncio.timeout(60):
            while len(kept := [path.name for path in _shelf(server)]) != 2:
                await asyncio.sleep(0.05)
        assert kept[1] >= sorted(seen)[-2]
        newest: set[str] = set()
        telling = asyncio.create_task(asyncio.to_thread(_told, server))
        while not telling.done():
            newest.add(_shelf(server)[0].name)
            await asyncio.sleep(0.02)
        log = await telling
        assert any(f"from {name}" in log for name in newest)
        assert (server.directory / "snapshots" / "default").stat().st_mode & 0o077 == 0
    assert await faults(directory, told, directory / "octonet-2.db") == []


async def test_an_erased_project_leaves_no_snapshot(tmp_path: Path) -> None:
    entity = {"name": "Note", "collection": "notes", "fields": {"text": {"type": "text"}}}
    with Server(tmp_path / "data", SHOP) as server:
        async with aiohttp.ClientSession(server.url) as session:
            async with session.post("/api/projects", json={"name": "brief", "schemas": [entity]}) as reply:
                assert reply.status == 201
            async with session.post("/brief/api/v1/notes", json={"text": "kept"}) as reply:
                assert reply.status == 201
            await done(server, "snapshot", "--project", "brief")
            kept = server.directory / "snapshots" / "brief"
            assert len(list(kept.glob("*.snapshot"))) == 1
            async with session.delete("/api/projects/brief?deleteDb=true") as reply:
                assert reply.status == 200
            async with asyncio.timeout(60):
                while kept.exists():
                    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("wish", "words"), [(("--project", "nobody"), "there is no project 'nobody'"), (("--keep", "0"), "at least 1")]
)
def test_what_cannot_be_done_is_refused_with_a_sentence(tmp_path: Path, wish: tuple[str, ...], words: str) -> None:
    found = now(Server(tmp_path / "data", SHOP), "snapshot", *wish)
    assert (found.returncode, words in found.stderr, "Traceback" in found.stderr) == (1, True, False)
