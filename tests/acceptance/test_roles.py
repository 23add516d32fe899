"""Any number of processes for any number of projects: what each role does, and what happens when one comes or goes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from jetstream.connection import connect
from jetstream.server import EmbeddedServer, find_running
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.rendezvous import first
from tests.acceptance.checker import Told, violations
from tests.acceptance.roles import (
    PROJECTS,
    WITHIN,
    ask,
    children,
    make_tables,
    owners,
    stand_by,
    until,
    without_owner,
    work,
)
from tests.acceptance.writers import Writer
from tests.running import Process, Server

SHOP = Path(__file__).parent / "shop.json"
BROKEN = str(Path(__file__).parent / "broken_build.py")
NOTE = {"name": "Note", "collection": "notes", "fields": {"text": {"type": "text"}}}
WRITERS = 32


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "data", SHOP)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """A test that fails half way stops what it started, too."""
    before = set(Process.running)
    yield
    for process in Process.running - before:
        process.kill()


async def test_doors_without_a_worker_serve_all_that_doors_with_one_do(server: Server) -> None:
    make_tables(server)
    server.start("--no-worker")
    worker: Process | None = None
    try:
        async with aiohttp.ClientSession(server.url) as client:
            waiting = asyncio.create_task(ask(client, "POST", "/api/v1/tags", {"label": "patient"}))
            await asyncio.sleep(0.5)
            assert not waiting.done()
            assert await without_owner(client, "/health", ["_system", "default"]) == ["_system", "default"]
            worker = work(server)
            assert (await asyncio.wait_for(waiting, WITHIN))[0] == 201
            await until(lambda: worker is not None and worker.alive(), "the worker lives")
            assert await without_owner(client, "/health", []) == []
            assert (await ask(client, "GET", "/health"))[0] == 200
            async with client.get("/events") as stream, client.ws_connect("/ws") as socket:
                await socket.receive_json()
                status, refused = await ask(client, "POST", "/api/v1/tags", {"label": "patient"})
                assert (status, refused["error"]["code"]) == (409, "UNIQUE_VIOLATION")
                assert (await ask(client, "POST", "/api/v1/tags", {"label": "told"}))[0] == 201
                told = await asyncio.wait_for(socket.receive_json(), WITHIN)
                assert (told["event"], told["data"]["label"]) == ("entity.created", "told")
                async with asyncio.timeout(WITHIN):
                    while b'"told"' not in await stream.content.readline():
                        pass
            assert (await ask(client, "GET", "/api/v1/tags/count"))[1]["data"] == 2
    finally:
        assert worker is None or worker.stop() == 0
        assert server.stop() == 0


async def test_tables_are_left_to_the_workers(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP)
    server.start("--no-worker")
    try:
        async with aiohttp.ClientSession(server.url) as client:
            status, told = await ask(client, "GET", "/api/v1/tags")
            assert (status, told["error"]["code"]) == (503, "DB_NOT_CONNECTED")
            assert (await ask(client, "GET", "/health"))[0] == 503
    finally:
        assert server.stop() == 0


async def test_projects_spread_over_the_workers_that_live(tmp_path: Path) -> None:
    tree = tmp_path / "tree.json"
    tree.write_text(json.dumps({project: {"schemas": [NOTE]} for project in PROJECTS}))
    server = Server(tmp_path / "data", SHOP, MOSTA_PROJECTS=str(tree))
    make_tables(server)
    server.start("--no-worker")
    processes: list[Process] = []

    async with owners(server) as heard, aiohttp.ClientSession(server.url) as client:

        def names() -> set[str]:
            return {heard.of(project) for project in PROJECTS}

        def spread(count: int) -> bool:
            found = names()
            return (
                "" not in found
                and len(found) == count
                and all(heard.of(project) == first(project, found) for project in PROJECTS)
            )

        async def written(word: str) -> None:
            told = [ask(client, "POST", f"/{project}/api/v1/notes", {"text": word}) for project in PROJECTS]
            assert {status for status, _ in await asyncio.gather(*told)} == {201}

        try:
            processes.append(work(server))
            await until(lambda: spread(1), "the only worker owns all")
            await written("by one")
            before = names()
            # With so few projects, chance may leave a worker without any: then another one comes.
            while len(names()) < 2 and len(processes) < 6:
                processes.append(work(server))
                writing = asyncio.create_task(written("while lanes change hands"))
                await asyncio.sleep(4.0)
                await writing
            await until(lambda: len(names()) > 1 and spread(len(names())), "each project is with its named worker")
            assert before & names() or len(processes) > 1
            await written("by several")
            for process in processes[1:]:
                assert process.stop() == 0
            await until(lambda: names() == before, "the first worker owns all again")
            await written("by one again")
            processes.append(work(server))
            processes[0].kill()
            await until(lambda: "" not in names() and not names() & before, "the share of the dead is taken")
            await written("by the successor")
            assert (await ask(client, "GET", f"/{PROJECTS[0]}/api/v1/notes/count"))[1]["data"] >= 5
        finally:
            for process in processes:
                if process.alive():
                    assert process.stop() == 0
    assert server.stop() == 0


async def test_a_worker_works_for_the_projects_it_is_told(tmp_path: Path) -> None:
    tree = tmp_path / "tree.json"
    tree.write_text(json.dumps({project: {"schemas": [NOTE]} for project in PROJECTS[:3]}))
    server = Server(tmp_path / "data", SHOP, MOSTA_PROJECTS=str(tree))
    make_tables(server)
    server.start("--no-worker")
    worker = work(server, "--projects", "project-0,project-2")
    try:
        async with owners(server) as heard:
            await until(lambda: heard.of(PROJECTS[0]) and heard.of(PROJECTS[2]), "both are owned")
            assert heard.of(PROJECTS[1]) == heard.of(DEFAULT_PROJECT) == ""
        async with aiohttp.ClientSession(server.url) as client:
            for path, wanted in (
                ("/health", ["default", "project-1"]),
                ("/project-1/health", ["project-1"]),
                ("/project-2/health", []),
            ):
                assert await without_owner(client, path, wanted) == wanted
        assert server.launch("work", "--projects", "nobody").reap() == 1
        assert "there is no project 'nobody'" in server.log()
    finally:
        assert worker.stop() == 0
        assert server.stop() == 0


async def test_a_child_that_dies_is_started_anew_and_the_port_stays_open(server: Server) -> None:
    server.start("--processes", "2")
    try:
        before = children(server.pid)
        assert len(before) == 2
        for victim in before:
            os.kill(victim, signal.SIGKILL)
            await until(partial(_replaced, server, victim), "there are two again")
            async with asyncio.timeout(WITHIN):
                while True:
                    try:
                        async with aiohttp.ClientSession(server.url) as client:
                            status, _ = await ask(client, "POST", "/api/v1/tags", {"label": f"after {victim}"})
                        break
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.1)
            assert status == 201
        assert not set(before) & set(children(server.pid))
        assert server.log().count("starting it again") == 2
    finally:
        assert server.stop() == 0


def _replaced(server: Server, victim: int) -> bool:
    """A process may be counted for a moment after it was killed."""
    found = children(server.pid)
    return victim not in found and len(found) == 2


async def test_children_do_not_outlive_a_parent_that_is_killed(server: Server) -> None:
    server.start("--processes", "2")
    found = children(server.pid)
    server.kill()
    await until(lambda: not any(_lives(process) for process in found), "the children ended too")


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_start_that_fails_in_the_children_fails_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "data" / "octonet.db").mkdir(parents=True)
    server = Server(tmp_path / "data", SHOP)
    assert server.launch("serve", "--port", "0", "--processes", "2").reap() == 1
    assert "octonet.db is a directory" in server.log()
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_stop_under_load_answers_what_it_accepted_and_loses_nothing(server: Server, processes: int) -> None:
    server.start("--processes", str(processes))
    acknowledged: set[str] = set()
    unanswered: set[str] = set()

    async def write(writer: int) -> None:
        async with aiohttp.ClientSession(server.url) as client:
            for number in range(1_000_000):
                label = f"{writer}-{number}"
                try:
                    status, _ = await ask(client, "POST", "/api/v1/tags", {"label": label})
                except aiohttp.ClientError:
                    unanswered.add(label)
                    return
                assert status == 201
                acknowledged.add(label)

    async with aiohttp.ClientSession(server.url) as client, client.get("/events?entity=Order") as stream:
        writing = [asyncio.create_task(write(number)) for number in range(WRITERS)]
        await until(lambda: len(acknowledged) > 10 * WRITERS, "the writers write")
        process = server.process
        server.send(signal.SIGTERM)
        await asyncio.gather(*writing)
        assert (await stream.content.read()).endswith(b": server shutting down\n\n")
    assert await asyncio.to_thread(process.reap) == 0
    server.start()
    try:
        async with aiohttp.ClientSession(server.url) as client:
            stored: set[str] = set()
            while len(page := await _labels(client, len(stored))) > 0:
                stored |= page
    finally:
        assert server.stop() == 0
    assert acknowledged - stored == set()
    # A connection that was closed with a request on its way was closed before the request was taken.
    assert unanswered & stored == set()


async def _labels(client: aiohttp.ClientSession, skip: int) -> set[str]:
    _, told = await ask(client, "GET", f"/api/v1/tags?limit=1000&skip={skip}&sort=%7B%22id%22:1%7D")
    return {row["label"] for row in told["data"]}


async def commands(server: Server) -> int:
    """How many were ever sent."""
    endpoint = find_running(server.directory / "nats")
    assert endpoint is not None
    client = await connect(endpoint)
    try:
        return int((await client.jetstream().stream_info("OCTO_CMD_default")).state.last_seq)
    finally:
        await client.close()


async def test_a_second_signal_ends_at_once(server: Server) -> None:
    make_tables(server)
    server.start("--no-worker")
    worker = work(server)
    async with aiohttp.ClientSession(server.url) as client:
        assert (await ask(client, "POST", "/api/v1/tags", {"label": "first"}))[0] == 201
        assert worker.stop() == 0
        # Nobody decides this one: the stop would wait for it.
        before = await commands(server)
        waiting = asyncio.create_task(ask(client, "POST", "/api/v1/tags", {"label": "second"}))
        async with asyncio.timeout(WITHIN):
            while await commands(server) == before:
                await asyncio.sleep(0.05)
        process = server.process
        server.send(signal.SIGTERM)
        assert process.output.until(lambda line: "stopping" in line, WITHIN)
        server.send(signal.SIGTERM)
        assert process.reap() == 128 + signal.SIGTERM
        with pytest.raises(aiohttp.ClientError):
            await waiting


async def test_who_waits_for_an_owner_that_died_before_its_reply_is_answered_by_its_successor(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    # Nobody is answered because their patience is over.
    server = Server(directory, SHOP, OCTONET_COMMAND_TIMEOUT="600")
    make_tables(server)
    server.start("--no-worker")
    broken = Server(directory, SHOP, program=(BROKEN, "die-before-reply"))
    dying, successor = stand_by(broken, server)
    async with aiohttp.ClientSession(server.url) as client:
        for number in range(40):
            told = await asyncio.wait_for(ask(client, "POST", "/api/v1/tags", {"label": f"t{number}"}), WITHIN)
            assert told[0] == 201
        assert not dying.alive()
        assert (await ask(client, "GET", "/api/v1/tags/count"))[1]["data"] == 40
    dying.kill()
    assert successor.stop() == 0
    assert server.stop() == 0


async def test_an_owner_that_wakes_after_a_takeover_neither_appends_nor_commits(tmp_path: Path) -> None:
    """It stops inside a transaction, so that it keeps SQLite's write lock: the next owner says what it waits for, and
    goes on as soon as the first one wakes, is refused, and rolls back."""
    directory = tmp_path / "data"
    server = Server(directory, SHOP)
    make_tables(server)
    server.start("--no-worker")
    broken = Server(directory, SHOP, program=(BROKEN, "stop-at-append"))
    paused, successor = stand_by(broken, server)
    told: list[Told] = []
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        writers = [group.create_task(Writer(lambda: server.url, told, seed).run(stop)) for seed in range(8)]
        await until(lambda: _state(paused.pid) == "T", "the owner stops itself before an append")
        await until(
            lambda: "lane default waits" in server.log() and "database is locked" in server.log(),
            "the next owner says what it waits for",
        )
        count = len(told)
        paused.send(signal.SIGCONT)
        await until(lambda: len(told) > count + 100, "writes go on")
        stop.set()
        await asyncio.wait(writers)
    assert "lane default starts over" in server.log()
    for process in (paused, successor):
        assert process.stop() == 0
    assert server.stop() == 0
    nats = EmbeddedServer(directory / "nats")
    nats.spawn()
    nats.wait_ready()
    try:
        assert await violations(nats.endpoint, directory / "octonet.db", SHOP, told) == []
    finally:
        nats.stop()


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
