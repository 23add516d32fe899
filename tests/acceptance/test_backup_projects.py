"""Backups of installations whose projects come and go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from jetstream.connection import connect
from jetstream.server import EmbeddedServer
from jetstream.topology import remove_project
from octonet.kernel.ids import ProjectName
from tests.acceptance.backing_up import Site
from tests.acceptance.replica_client import Client


async def test_projects_that_came_at_run_time_come_back_with_their_databases_and_replicas(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.server.start()
    async with aiohttp.ClientSession() as session:
        client = Client(session, site.server)
        await client.project("crm")
        await client.replica("crm", "near")
        _, position = await client.note("crm", "kept")
        await site.back_up("--prove")
        await client.note("crm", "lost")
    site.lose()
    done = await site.restore()
    assert done.code == 0, done.err
    assert sorted(line.partition(":")[0] for line in done.out.splitlines()) == ["_system", "crm", "default"]
    assert done.out.count("its database is filled, every row as it was backed up") == 3
    site.server.start()
    async with aiohttp.ClientSession() as session:
        client = Client(session, site.server)
        assert await client.texts("crm", position) == ["kept"]
        await client.note("crm", "later")
        await client.caught_up("crm", "near")
        assert await client.texts("crm") == ["kept", "later"]
    site.server.stop()


async def test_one_project_is_restored_by_itself_and_one_that_was_erased_leaves_the_backup(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.server.start()
    async with aiohttp.ClientSession() as session:
        client = Client(session, site.server)
        for name in ("crm", "gone"):
            await client.project(name)
            await client.note(name, "kept")
        await site.back_up()
        assert list(site.backup.rglob("gone.key"))
        await client.done("DELETE", "/api/projects/gone?deleteDb=true")
        async with asyncio.timeout(60):
            while (site.server.directory / "keys" / "gone.key").exists():
                await asyncio.sleep(0.05)
    await site.back_up()
    # Whoever erases a project wants its secrets to be told by no copy.
    assert not [path for path in site.backup.rglob("*") if path.is_file() and "gone" in str(path)]
    site.server.stop()

    await _without_log(site, "crm")
    done = await site.run("backup", "--to", str(site.backup), "--quiet")
    assert (done.code, "the log of project crm, of which the backup holds" in done.err) == (1, True)
    done = await site.restore("--project", "crm")
    assert (done.code, done.out.startswith("crm: "), "its database is filled" in done.out) == (0, True, True), done
    site.server.start()
    async with aiohttp.ClientSession() as session:
        client = Client(session, site.server)
        await client.note("crm", "later")
        assert await client.texts("crm") == ["kept", "later"]
    await site.back_up()
    site.server.stop()


async def test_where_there_is_no_installation_nothing_is_backed_up(tmp_path: Path) -> None:
    site = Site(tmp_path)
    done = await site.run("backup", "--to", str(site.backup), "--quiet")
    assert (done.code, "there is nothing to back up: this nats-server holds no log" in done.err) == (1, True)
    assert not site.backup.exists()
    assert not (site.server.directory / "keys").exists()


async def _without_log(site: Site, project: str) -> None:
    nats = EmbeddedServer(site.server.directory / "nats")
    nats.spawn()
    nats.wait_ready()
    client = await connect(nats.endpoint)
    try:
        await remove_project(client, ProjectName(project))
    finally:
        await client.close()
        nats.stop()
