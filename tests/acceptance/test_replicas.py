"""Read replicas: added, listed, routed to, promoted and removed while the server runs."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.replica_client import SHOP, WITHIN, Client, forge, locked
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


async def test_a_replica_is_filled_from_the_log_and_tells_how_it_is(client: Client) -> None:
    await client.project("crm")
    for number in range(5):
        await client.done("POST", "/crm/api/v1/notes", {"text": str(number)})
    await client.replica("crm", "near", lagTolerance=2000, pool={"max": 2})
    found = await client.caught_up("crm", "near")
    assert (found["role"], found["status"], found["lag"], found["lagTolerance"]) == ("slave", "connected", 0, 2000)
    assert (found["dialect"], found["schemasCount"], found["poolMax"]) == ("sqlite", 1, 2)
    assert found["position"] > 0
    assert "error" not in found

    async def told() -> list[bool]:
        figures = await client.text("/metrics")
        connected = re.search(r'octonet_replica_connected\{process="[^"]+",project="crm",replica="near"\} 1', figures)
        return [connected is not None, "octonet_replica_lag_seconds" in figures]

    await client.becomes(told, [True, True])


async def test_reads_are_spread_over_replicas_as_the_strategy_says(client: Client, server: Server) -> None:
    await client.project("spread")
    await client.note("spread", "primary")
    for name in ("one", "two"):
        await client.replica("spread", name)
        await client.caught_up("spread", name)
        forge(server, f"spread-{name}.db", name)
    await client.read_from("spread", {"one", "two"})
    for _ in range(5):
        turns = await client.seen("spread", 10)
        if turns[:2] * 5 == turns:
            break  # none of the two was left out, as one is that was not heard of for a second
    assert turns[:2] * 5 == turns
    assert set(turns) == {"one", "two"}
    assert await client.done("PUT", "/api/projects/spread/read-routing", {"strategy": "random"}) == {
        "ok": True,
        "strategy": "random",
    }
    await client.read_from("spread", {"one", "two"})
    await client.done("PUT", "/api/projects/spread/read-routing", {"strategy": "least-lag"})
    await client.read_from("spread", {"one"})
    await client.done("DELETE", "/api/projects/spread/replicas/one")
    await client.read_from("spread", {"two"})
    await client.done("DELETE", "/api/projects/spread/replicas/two")
    await client.read_from("spread", {"primary"})


async def test_every_door_that_keeps_queries_asks_replicas_too(client: Client, server: Server) -> None:
    await client.project("doors")
    id, _ = await client.note("doors", "primary")
    await client.replica("doors", "near")
    await client.caught_up("doors", "near")
    forge(server, "doors-near.db", "near")
    await client.read_from("doors", {"near"})

    async def graphql() -> list[str]:
        told = await client.done("POST", "/doors/graphql", {"query": "{ notes { text } }"})
        return [row["text"] for row in told["data"]["notes"]]

    async def odata() -> list[str]:
        told = await client.done("GET", "/doors/odata/Note?$select=text&$filter=text ne 'x'")
        return [row["text"] for row in told["value"]]

    async def rest() -> list[str]:
        return [(await client.done("GET", f"/doors/api/v1/notes/{id}"))["data"]["text"]]

    for _ in range(2):
        for door in (graphql, odata, rest):
            await client.becomes(door, ["near"])


async def test_a_replica_behind_its_tolerance_gets_no_reads_until_it_has_caught_up(
    client: Client, server: Server
) -> None:
    await client.project("late")
    await client.note("late", "0")
    await client.replica("late", "near", lagTolerance=300)
    await client.caught_up("late", "near")
    forge(server, "late-near.db", "near")
    await client.read_from("late", {"near"})
    with locked(server, "late-near.db"):
        await client.note("late", "1")
        await client.read_from("late", {"0"})

        async def behind() -> tuple[bool, int]:
            found = await client.status("late", "near")
            return (found["lag"] or 0) >= 300, found["lagPositions"]

        await client.becomes(behind, (True, 1))
        assert await client.texts("late") == ["0", "1"]
    await client.read_from("late", {"1"})
    await client.becomes(lambda: client.texts("late"), ["1", "near"])


async def test_a_read_with_a_position_never_sees_less(client: Client, server: Server) -> None:
    await client.project("exact")
    await client.note("exact", "0")
    await client.replica("exact", "near", lagTolerance=3_600_000)
    await client.caught_up("exact", "near")
    forge(server, "exact-near.db", "near")
    await client.read_from("exact", {"near"})
    with locked(server, "exact-near.db"):
        _, position = await client.note("exact", "1")
        await client.becomes(lambda: client.texts("exact"), ["near"])
        assert await client.texts("exact", position) == ["0", "1"]
        graphql = {"query": "{ notes { text } }"}
        told = await client.done("POST", "/exact/graphql", graphql, Octonet_Min_Position=position)
        assert sorted(row["text"] for row in told["data"]["notes"]) == ["0", "1"]
        told = await client.done("GET", "/exact/odata/Note?$orderby=text", Octonet_Min_Position=position)
        assert [row["text"] for row in told["value"]] == ["0", "1"]
        # A look that later changes are told from is not older than the place from which they are.
        told = await client.done("GET", "/exact/odata/Note", Prefer="odata.track-changes")
        assert sorted(row["text"] for row in told["value"]) == ["0", "1"]
    await client.caught_up("exact", "near")
    await client.becomes(lambda: client.texts("exact", position), ["1", "near"])


@pytest.mark.parametrize("group", [None, "together"])
async def test_what_a_request_has_written_it_reads(client: Client, server: Server, group: str | None) -> None:
    name = f"own-{group}".lower()
    await client.project(name)
    await client.note(name, "0")
    await client.replica(name, "near", lagTolerance=3_600_000)
    await client.caught_up(name, "near")
    forge(server, f"{name}-near.db", "near")
    await client.read_from(name, {"near"})
    new: dict[str, Any] = {"id": "1", "method": "post", "url": "Note", "body": {"text": "1"}}
    look: dict[str, Any] = {"id": "2", "method": "get", "url": "Note?$orderby=text", "dependsOn": [group or "1"]}
    if group is not None:
        new["atomicityGroup"] = group
    with locked(server, f"{name}-near.db"):
        told = await client.done("POST", f"/{name}/odata/$batch", {"requests": [new, look]})
        assert [one["status"] for one in told["responses"]] == [201, 200], told
        assert [row["text"] for row in told["responses"][1]["body"]["value"]] == ["0", "1"]
        await client.becomes(lambda: client.texts(name), ["near"])


async def test_replicas_and_routing_survive_a_restart(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP).start()
    async with aiohttp.ClientSession() as session:
        client = Client(session, server)
        await client.project("kept")
        await client.note("kept", "primary")
        await client.replica("kept", "one")
        await client.replica("kept", "two")
        await client.caught_up("kept", "one")
        await client.done("PUT", "/api/projects/kept/read-routing", {"strategy": "least-lag"})
        server.kill()
        server.start()
        assert (await client.done("GET", "/api/projects/kept/replicas"))["strategy"] == "least-lag"
        await client.note("kept", "more")
        for name in ("one", "two"):
            await client.caught_up("kept", name)
        forge(server, "kept-one.db", "one")
        await client.read_from("kept", {"one"})
        server.stop()


async def test_a_promotion_of_a_project_that_files_name_survives_a_restart(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP).start()
    try:
        async with aiohttp.ClientSession() as session:
            client = Client(session, server)
            await client.done("POST", "/api/v1/tags", {"label": "before"})
            await client.replica("default", "near")
            await client.caught_up("default", "near")
            await client.done("POST", "/api/projects/default/replicas/near/promote")
            server.stop()
            server.start()
            [project] = [p for p in (await client.done("GET", "/api/projects")) if p["name"] == "default"]
            assert project["uriMasked"].endswith("default-near.db")
            await client.done("POST", "/api/v1/tags", {"label": "after"})
            await client.caught_up("default", "former-1")
            with closing(sqlite3.connect(server.directory / "octonet.db")) as database:
                labels = database.execute("SELECT label FROM tags ORDER BY label").fetchall()
            assert labels == [("after",), ("before",)]
    finally:
        server.kill()


async def test_a_promoted_replica_is_the_database_and_the_former_one_a_replica(client: Client, server: Server) -> None:
    await client.project("moved")
    await client.note("moved", "0")
    await client.replica("moved", "near")
    await client.caught_up("moved", "near")
    told = await client.done("POST", "/api/projects/moved/replicas/near/promote")
    assert (told["promoted"], told["former"], [row["name"] for row in told["replicas"]]) == (
        "near", "former-1", ["former-1"],
    )  # fmt: skip
    [project] = [p for p in (await client.done("GET", "/api/projects")) if p["name"] == "moved"]
    assert project["uriMasked"].endswith("moved-near.db")
    _, position = await client.note("moved", "1")
    assert await client.texts("moved", position) == ["0", "1"]
    former = await client.caught_up("moved", "former-1")
    assert former["uriMasked"].endswith("moved.db")
    with closing(sqlite3.connect(server.directory / "moved.db")) as database:
        assert database.execute("SELECT text FROM notes ORDER BY text").fetchall() == [("0",), ("1",)]
    await client.done("POST", "/api/projects/moved/replicas/former-1/promote")
    assert await client.texts("moved", (await client.note("moved", "2"))[1]) == ["0", "1", "2"]


async def test_a_replica_that_is_no_fold_of_the_log_is_parked_and_comes_back_when_it_is_mended(
    client: Client, server: Server
) -> None:
    await client.project("parked")
    await client.note("parked", "0")
    await client.replica("parked", "near")
    await client.caught_up("parked", "near")
    with closing(sqlite3.connect(server.directory / "parked-near.db", timeout=60)) as database:
        [(digest,)] = database.execute("SELECT digest FROM octonet_checkpoint").fetchall()
        with database:
            database.execute("UPDATE octonet_checkpoint SET digest = x'00'")
        await client.note("parked", "1")
        async with asyncio.timeout(WITHIN):
            while (found := await client.status("parked", "near"))["status"] != "error":
                await asyncio.sleep(0.05)
        assert "another history" in found["error"]
        assert await client.texts("parked") == ["0", "1"]
        with database:
            database.execute("UPDATE octonet_checkpoint SET digest = ?", (digest,))
    await client.caught_up("parked", "near")
