"""What backup and restore refuse, each with a sentence that says what to do, and nothing written."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
import urllib.request
from pathlib import Path

import pytest

from jetstream.server import EmbeddedServer
from octonet.backups.restore import RestoreWish, check
from octonet.kernel.errors import Invalid, OctonetError
from tests.acceptance.backing_up import PROGRAM, Site
from tests.running import Server

FLIPS = 60


def _write(server: Server, first: int, count: int) -> None:
    """So many commands, which come to lie in a few entries of the log."""
    rows = [{"id": f"t{number}", "label": f"label {number}"} for number in range(first, first + count)]
    for row in rows:
        call = {"jsonrpc": "2.0", "method": "Tag.create", "id": row["id"], "params": {"data": row}}
        request = urllib.request.Request(
            f"{server.url}/rpc", json.dumps(call).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            assert "result" in json.load(reply)


class World:
    """One installation at three times: before, at, and after a backup; another one with the same keys, and a third
    that has nothing to do with it. None of them runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.site = Site(root)
        self.backup = root / "backup"

    def installation(self, name: str, to: Path) -> Server:
        """A copy of it, to be used up."""
        shutil.copytree(self.root / name, to / "data")
        return self.site.at(str(to / "data"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = World(tmp_path_factory.mktemp("world"))
    site, root = found.site, found.root
    for name, first in (("before", 0), ("at", 40), ("after", 80)):
        with site.server:
            _write(site.server, first, 40)
        if name == "at":
            asyncio.run(site.back_up("--prove"))
        shutil.copytree(site.server.directory, root / name)
    for name in ("namesake", "stranger"):
        if name == "namesake":
            shutil.copytree(root / "at" / "keys", root / name / "keys")
        with Server(root / name, site.server.schemas) as server:
            _write(server, 1000, 40)
    return found


async def _refused(world: World, server: Server, *arguments: str) -> str:
    done = await world.site.restore(*arguments, server=server)
    assert (done.code, done.out) == (1, ""), done
    return done.err


async def test_a_log_that_is_as_new_or_newer_stays(world: World, tmp_path: Path) -> None:
    last = world.site.last()
    said = await _refused(world, world.installation("at", tmp_path / "at"), "--project", "default")
    assert f"holds all {last} entries of the backup: there is nothing to restore" in said
    server = world.installation("after", tmp_path / "after")
    for way in ((), ("--resume",)):
        said = await _refused(world, server, "--project", "default", *way)
        assert f"the backup ends at {last}: it is newer" in said
    with server:
        _write(server, 200, 1)


async def test_a_log_that_is_older_is_continued_when_asked_to(world: World, tmp_path: Path) -> None:
    server = world.installation("before", tmp_path)
    assert "with --resume the rest is added" in await _refused(world, server)
    done = await world.site.restore("--resume", server=server)
    assert done.code == 0, done.err
    assert "every row as it was backed up" in done.out
    with server:
        assert len((await world.site.rows(server))["Tag"]) == 80
        _write(server, 200, 1)


async def test_another_history_under_the_same_keys_stays(world: World, tmp_path: Path) -> None:
    server = world.installation("namesake", tmp_path)
    for way in ((), ("--resume",)):
        assert "holds another history of project" in await _refused(world, server, *way)


async def test_the_backup_of_another_installation_is_refused(world: World, tmp_path: Path) -> None:
    server = world.installation("stranger", tmp_path)
    said = await _refused(world, server)
    assert "this is a backup of another installation" in said
    assert "OCTONET_DATA_DIR" in said
    done = await world.site.run("backup", "--to", str(world.backup), "--quiet", server=server)
    assert (done.code, "holds a backup of another installation: name an empty directory" in done.err) == (1, True)


async def test_a_database_that_is_ahead_or_of_another_history_stays(world: World, tmp_path: Path) -> None:
    for name, sentence in (("after", "it is ahead"), ("namesake", "is of another history")):
        server = world.installation(name, tmp_path / name)
        shutil.rmtree(server.directory / "nats")
        before = {path.name: path.read_bytes() for path in server.directory.glob("*.db")}
        assert sentence in await _refused(world, server)
        assert {path.name: path.read_bytes() for path in server.directory.glob("*.db")} == before
        assert not list(server.directory.glob("nats/**/OCTO_LOG*"))
        for file in server.directory.glob("*.db*"):
            file.unlink()
        # The signed checkpoint of what is lost is told of, and kept aside.
        done = await world.site.restore(server=server)
        assert done.code == 0, done.err
        assert "kept as" in done.out
        with server:
            _write(server, 200, 1)
            assert len((await world.site.rows(server))["Tag"]) == 81


async def test_a_database_that_is_behind_is_filled_on(world: World, tmp_path: Path) -> None:
    server = world.installation("before", tmp_path)
    shutil.rmtree(server.directory / "nats")
    assert (await world.site.restore(server=server)).code == 0
    with server:
        assert len((await world.site.rows(server))["Tag"]) == 80
        _write(server, 200, 1)


async def test_what_is_no_backup_and_what_is_of_a_later_format_is_refused(world: World, tmp_path: Path) -> None:
    lost = Server(tmp_path / "data", world.site.server.schemas)
    done = await world.site.run("restore", str(tmp_path), server=lost)
    assert (done.code, "holds no backup" in done.err) == (1, True)
    later = tmp_path / "later"
    shutil.copytree(world.backup, later)
    body = (later / "manifest").read_bytes().partition(b"\n")[2].replace(b'"format":1', b'"format":2')
    (later / "manifest").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    done = await world.site.run("restore", str(later), server=lost)
    assert (done.code, "restore it with the version that made it, or a later one" in done.err) == (1, True)
    done = await world.site.run("restore", str(world.backup), "--project", "shop", server=lost)
    assert (done.code, "the backup has no project 'shop'; it has _system, default" in done.err) == (1, True)
    assert not (lost.directory / "keys").exists()


async def test_without_its_keys_a_backup_waits_for_them(world: World, tmp_path: Path) -> None:
    server = world.installation("at", tmp_path)
    backup = tmp_path / "backup"
    done = await world.site.run("backup", "--to", str(backup), "--without-keys", "--quiet", server=server)
    assert done.code == 0
    assert "keep <data>/keys elsewhere" in done.out
    assert not list(backup.rglob("*.key"))
    shutil.rmtree(server.directory)
    done = await world.site.run("restore", str(backup), "--quiet", server=server)
    assert (done.code, "put the files _system.key, default.key there first" in done.err) == (1, True)
    shutil.copytree(world.root / "at" / "keys", server.directory / "keys")
    done = await world.site.run("restore", str(backup), "--quiet", server=server)
    assert done.code == 0, done.err


async def test_a_server_that_runs_is_not_restored_under(world: World, tmp_path: Path) -> None:
    server = world.installation("at", tmp_path / "own")
    with server:
        assert "already runs on the data directory" in await _refused(world, server)
    # Nor from another data directory, where both share a nats-server.
    nats = EmbeddedServer(tmp_path / "nats")
    nats.spawn()
    nats.wait_ready()
    way = nats.endpoint
    shared = {"NATS_URL": way.url, "NATS_USER": way.user, "NATS_PASSWORD": way.password}
    try:
        with Server(tmp_path / "one", server.schemas, program=PROGRAM, **shared):
            done = await world.site.run(
                "restore", str(world.backup), server=Server(tmp_path / "two", server.schemas, program=PROGRAM, **shared)
            )
            assert (done.code, "is being served: stop every process" in done.err) == (1, True)
    finally:
        nats.stop()


async def test_any_flipped_byte_of_any_file_is_refused_and_nothing_is_written(world: World, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(world.backup, backup)
    files = sorted(path for path in backup.rglob("*") if path.is_file())
    assert {path.suffix for path in files} == {"", ".segment", ".key"}
    assert (await check(RestoreWish(backup, quiet=True))).projects
    dice = random.Random(5)
    for number in range(FLIPS):
        path = files[number % len(files)]
        whole = path.read_bytes()
        place, bit = dice.randrange(len(whole)), 1 << dice.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        with pytest.raises(Invalid) as refused:
            await check(RestoreWish(backup, quiet=True))
        assert refused.value.code == "BACKUP_DAMAGED"
        assert str(path) in refused.value.message
        if number == 1:
            server = Server(tmp_path / "data", world.site.server.schemas)
            done = await world.site.run("restore", str(backup), "--quiet", server=server)
            assert (done.code, str(path) in done.err) == (1, True)
            assert [one.name for one in server.directory.iterdir()] in (["lock", "nats"], ["nats", "lock"])
            assert not list(server.directory.glob("nats/**/OCTO_LOG*"))
        path.write_bytes(whole)
    for path in files:
        path.rename(tmp_path / "away")
        with pytest.raises(OctonetError):
            await check(RestoreWish(backup, quiet=True))
        (tmp_path / "away").rename(path)


async def test_a_log_that_lost_its_end_is_not_backed_up(world: World, tmp_path: Path) -> None:
    server = world.installation("at", tmp_path)
    [block] = server.directory.glob("nats/**/OCTO_LOG_default/msgs/1.blk")
    raw = bytearray(block.read_bytes())
    raw[len(raw) // 2] ^= 1
    block.write_bytes(raw)
    for index in server.directory.glob("nats/**/OCTO_LOG_default/msgs/index.db"):
        index.unlink()
    done = await world.site.run("backup", "--to", str(tmp_path / "backup"), "--quiet", server=server)
    assert (done.code, "log of project default is damaged, and was not backed up" in done.err) == (1, True), done
    assert "its end is missing" in done.err
    assert not (tmp_path / "backup" / "manifest").exists()


async def test_a_backup_keeps_out_of_what_is_no_backup_or_another_history(world: World, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note.txt").write_text("mine")
    server = world.installation("before", tmp_path)
    done = await world.site.run("backup", "--to", str(tmp_path / "notes"), server=server)
    assert (done.code, "is not empty and holds no backup" in done.err) == (1, True)
    done = await world.site.run("backup", "--to", str(world.backup), "--quiet", server=server)
    assert (done.code, "is of another history of project" in done.err) == (1, True)
    done = await world.site.run("backup", "--to", str(tmp_path / "new"), "--project", "shop", server=server)
    assert (done.code, "there is no log of project 'shop'; there are _system, default" in done.err) == (1, True)
