"""Backups: taken under load, and everything made out of them again after a total loss."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jetstream.endpoint import Endpoint
from jetstream.restoration import Restoration
from jetstream.server import EmbeddedServer
from octonet.backups import history
from octonet.backups.restore import RestoreWish, restore
from octonet.config import Settings
from octonet.environment import load
from octonet.kernel.errors import Unavailable
from octonet.kernel.log import AppendDoubtful
from tests.acceptance.backing_up import SERVERS, SHOP, Site, entry_of, expected


@pytest.fixture(params=["sqlite", *SERVERS])
def dialect(request: pytest.FixtureRequest) -> str:
    if request.param in SERVERS and (reason := SERVERS[request.param].missing()):
        pytest.skip(reason)
    return str(request.param)


async def _post(server_url: str, path: str, body: Any, **headers: str) -> tuple[int, Any, str]:
    async with (
        aiohttp.ClientSession(server_url) as session,
        session.post(path, json=body, headers=headers) as reply,
    ):
        return reply.status, await reply.json(), reply.headers.get("Octonet-Position", "")


async def _events(url: str, after: str, count: int) -> list[str]:
    """The positions of the next facts behind `after`."""
    found: list[str] = []
    async with aiohttp.ClientSession(url) as session, session.get("/events", headers={"Last-Event-ID": after}) as reply:
        async with asyncio.timeout(60):
            async for line in reply.content:
                if line.startswith(b"id: "):
                    found.append(line[4:].strip().decode())
                if len(found) == count:
                    break
    return found


async def test_a_backup_under_load_brings_everything_back_after_a_total_loss(tmp_path: Path, dialect: str) -> None:
    site = Site(tmp_path, dialect)
    site.server.start()
    once = {"Idempotency-Key": "only-once"}
    first = await _post(site.server.url, "/api/v1/tags", {"label": "before the backup"}, **once)
    assert first[0] == 201
    async with site.under_load():
        await site.written(300)
        done = await site.back_up("--prove")
        await site.written(30)
    last = site.last()
    fold = await site.fold(last)
    assert f"default: {last} entries" in done.out
    assert len(fold.told) > 150
    site.lose()

    done = await site.restore()
    assert done.code == 0, done.err
    assert f"default: {last} of {last} entries put back, its database is filled, every row as it was" in done.out
    site.server.start()
    assert await site.rows() == expected(fold)

    # Writes go on at the next entry; keys, positions and resumes mean what they meant.
    url = site.server.url
    assert await _post(url, "/api/v1/tags", {"label": "before the backup"}, **once) == first
    status, _, position = await _post(url, "/api/v1/tags", {"label": "after the restore"})
    assert status == 201
    assert entry_of(position) > last
    async with aiohttp.ClientSession(url) as session:
        async with session.get("/api/v1/tags", headers={"Octonet-Min-Position": fold.told[-1].position}) as reply:
            assert reply.status == 200
        tail = [told.position for told in fold.told[-40:]]
        assert await _events(url, tail[0], 40) == [*tail[1:], position]
    again = await site.fold(last)
    assert again.told == fold.told
    async with site.under_load():
        await site.written(60)
    assert site.server.stop() == 0
    done = await site.run("audit", "verify", "--quiet")
    assert (done.code, "are whole; held against 2 checkpoints" in done.out) == (0, True), done.err


async def test_a_second_run_adds_what_is_new_and_leaves_whole_files_alone(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.server.start()
    async with site.under_load(2):
        await site.written(40)
        await site.back_up("--prove")
        files = {path: path.read_bytes() for path in site.backup.rglob("*.segment")}
        first = site.last()
        # What a run left that was broken off is in nobody's way.
        (site.backup / "logs" / "default" / f"{first + 1:016d}.segment.new").write_bytes(b"half")
        await site.written(40)
        await site.back_up()
        await site.written(10)
    last = site.last()
    assert last > first
    assert {path: path.read_bytes() for path in files} == files
    assert not list(site.backup.rglob("*.new"))
    fold = await site.fold(last)
    site.lose()
    done = await site.restore()
    # The rows are proved where they were proved, and folded from there.
    assert (done.code, "every row as it was backed up" in done.out) == (0, True), done.err
    site.server.start()
    assert await site.rows() == expected(fold)
    # The history that was restored is backed up where it was.
    async with site.under_load(2):
        await site.written(20)
    await site.back_up()
    assert site.last() > last
    assert (await site.run("restore", str(site.backup), "--check")).code == 0
    site.server.stop()


async def test_a_restore_that_is_killed_goes_on_and_nobody_serves_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path)
    with site.server:
        async with site.under_load():
            await site.written(200)
            await site.back_up("--prove")
            await site.written(10)
        fold = await site.fold(site.last())
    shutil.rmtree(site.server.directory)
    await _restored_in_part(site, monkeypatch)
    refused = site.server.launch("serve", "--port", "0")
    assert refused.reap() == 1
    assert "finish it with `octonet restore --resume` and the same backup" in site.server.log()
    done = await site.restore()
    assert (done.code, "was broken off at entry" in done.err) == (1, True), done
    for moment in (0.5, 0.8, 1.1, 1.4, 1.7):
        process = site.server.launch("restore", str(site.backup), "--resume", "--quiet")
        await asyncio.sleep(moment)
        process.kill()
    done = await site.restore("--resume")
    assert (done.code, "its database is filled" in done.out) == (0, True), done.err
    site.server.start()
    assert await site.rows() == expected(fold)
    async with site.under_load(2):
        await site.written(20)
    site.server.stop()


async def test_a_restore_goes_on_when_an_answer_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path)
    with site.server:
        async with site.under_load(2):
            await site.written(60)
            await site.back_up("--prove")
            await site.written(5)
        fold = await site.fold(site.last())
    shutil.rmtree(site.server.directory)
    append, calls = Restoration.append, count(1)

    async def doubtful(self: Restoration, bodies: Sequence[bytes], after: int) -> int:
        call = next(calls)
        stored = 0 if call % 3 == 1 else await append(self, bodies, after)
        if call % 3 != 0:
            raise AppendDoubtful("no acknowledgement")
        return stored

    monkeypatch.setattr(Restoration, "append", doubtful)
    monkeypatch.setattr(history, "_PAUSE", 0.0)
    monkeypatch.setattr(history, "_MOST", 7)
    with _nats(site) as endpoint:
        done = await restore(_settings(site), endpoint, RestoreWish(site.backup, quiet=True))
    assert all(one.proved for one in done)
    site.server.start()
    assert await site.rows() == expected(fold)
    site.server.stop()


def _settings(site: Site) -> Settings:
    return load({"data_dir": str(site.server.directory), "schemas_path": str(SHOP)}, {})[0]


@contextmanager
def _nats(site: Site) -> Iterator[Endpoint]:
    nats = EmbeddedServer(site.server.directory / "nats")
    nats.spawn()
    nats.wait_ready()
    try:
        yield nats.endpoint
    finally:
        nats.stop()


async def _restored_in_part(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restore whose server is gone after some of the log."""
    append, calls = Restoration.append, count(1)

    async def some(self: Restoration, bodies: Sequence[bytes], after: int) -> int:
        if next(calls) > 4:
            raise AppendDoubtful("no acknowledgement")
        return await append(self, bodies, after)

    monkeypatch.setattr(Restoration, "append", some)
    monkeypatch.setattr(history, "_PAUSE", 0.0)
    monkeypatch.setattr(history, "_MOST", 20)
    with (
        _nats(site) as endpoint,
        pytest.raises(Unavailable, match="was restored in part: no acknowledgement; go on with --resume"),
    ):
        await restore(_settings(site), endpoint, RestoreWish(site.backup, quiet=True))
