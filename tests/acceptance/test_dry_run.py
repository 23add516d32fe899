"""What-if: a command that is tried out tells what would be, and leaves no byte."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import nats
import pytest

from jetstream.server import find_running
from tests.acceptance.office import chief, staffed, with_key
from tests.running import Server

SCHEMAS = Path(__file__).parent / "past.json"
DRY = {"Octonet-Dry-Run": "true"}
Body = dict[str, Any]


class Site:
    """REST at a server."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Body]:
        async with self.session.request(method, f"/api/v1{path}", json=body, headers=headers) as reply:
            return reply.status, await reply.json()

    async def attempt(self, method: str, path: str, body: Any = None, **headers: str) -> Body:
        """Try a command out that would be fine."""
        url = f"/api/v1{path}"
        async with self.session.request(method, url, json=body, headers={**DRY, **headers}) as reply:
            told: Body = await reply.json()
            assert (reply.status, reply.headers["Octonet-Dry-Run"]) == (200, "true"), told
            assert "Octonet-Position" not in reply.headers
            assert "ETag" not in reply.headers
            return told

    async def data(self, path: str) -> Any:
        return (await self.ask("GET", path))[1]["data"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("dry") / "data", SCHEMAS) as found:
        yield found
        assert "Traceback" not in found.log()


@pytest.fixture
async def site(server: Server) -> AsyncIterator[Site]:
    async with aiohttp.ClientSession(server.url) as session:
        yield Site(server, session)


async def _streams(directory: Path) -> dict[str, tuple[int, int, int]]:
    """What each stream holds; signs of life come and go."""
    endpoint = find_running(directory / "nats")
    assert endpoint is not None
    client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)
    try:
        found = await client.jetstream().streams_info()
    finally:
        await client.close()
    lively = ("OCTO_LEASES", "OCTO_WORKERS", "OCTO_RATES")
    return {
        str(info.config.name): (info.state.last_seq, info.state.messages, info.state.bytes)
        for info in found
        if info.config.name not in lively
    }


def _database(directory: Path) -> str:
    """A hash of everything in the database, Octonet's own tables included."""
    connection = sqlite3.connect(f"file:{directory / 'octonet.db'}?mode=ro", uri=True)
    try:
        return sha256("\n".join(connection.iterdump()).encode()).hexdigest()
    finally:
        connection.close()


async def test_a_trial_leaves_no_byte(site: Site) -> None:
    directory = site.server.directory
    await site.ask("POST", "/Person", {"id": "a", "email": "a@a.test", "age": 1})
    await site.ask("POST", "/Note", {"id": "an", "text": "x", "person": "a"})
    _, counted = await site.ask(
        "POST", "/Person", {"id": "b", "email": "b@a.test", "age": 2}, **{"Idempotency-Key": "k"}
    )
    assert counted["status"] == "ok"
    # The feed follows the log.
    before = await _streams(directory)
    while before["OCTO_FACTS_default"][0] < 3:
        before = await _streams(directory)
    rows = _database(directory)
    for method, path, body in (
        ("POST", "/Person", {"id": "new", "email": "c@a.test", "age": 3, "password": "hush"}),
        ("PUT", "/Person/a", {"age": 30}),
        ("POST", "/Person/upsert", {"filter": {"email": "a@a.test"}, "data": {"age": 31}}),
        ("POST", "/Person/a/increment", {"field": "age", "amount": 1}),
        ("PUT", "/Person/bulk", {"filter": {"age": {"$gt": 0}}, "data": {"hobbies": ["x"]}}),
        ("DELETE", "/Person/bulk", {"filter": {"age": {"$gt": 0}}}),
        ("DELETE", "/Person/a", None),
    ):
        assert (await site.attempt(method, path, body, **{"Idempotency-Key": "k2"}))["dryRun"]["facts"]
    status, refused = await site.ask("POST", "/Person", {"id": "a", "email": "z@a.test", "age": 1}, **DRY)
    assert (status, refused["error"]["code"]) == (409, "DUPLICATE_ID")
    assert await _streams(directory) == before
    assert _database(directory) == rows


async def test_a_trial_tells_every_fact_without_secrets(site: Site) -> None:
    await site.ask("POST", "/Person", {"id": "c", "email": "cc@a.test", "age": 1})
    told = await site.attempt("PUT", "/Person/c", {"age": 2, "password": "hush hush"})
    [fact] = told["dryRun"]["facts"]
    assert (fact["entity"], fact["id"], fact["fact"], fact["version"]) == ("Person", "c", "updated", 2)
    assert set(fact["changed"]) == {"age", "password", "updatedAt"}
    assert fact["data"] == told["data"]
    assert "password" not in told["data"]
    assert "hush" not in json.dumps(told)


async def test_a_trial_of_a_deletion_tells_what_would_go_with_it(site: Site) -> None:
    await site.ask("POST", "/Person", {"id": "d", "email": "d@a.test", "age": 1})
    await site.ask("POST", "/Note", {"id": "dn", "text": "x", "person": "d"})
    await site.ask("POST", "/Person", {"id": "e", "email": "e@a.test", "age": 1, "boss": "d"})
    told = await site.attempt("DELETE", "/Person/d")
    assert told["data"] is True
    facts = {(fact["entity"], fact["id"], fact["fact"]) for fact in told["dryRun"]["facts"]}
    assert facts == {("Person", "d", "deleted"), ("Note", "dn", "deleted"), ("Person", "e", "updated")}
    assert (await site.data("/Note/dn"))["person"] == "d"


async def test_of_very_many_facts_the_first_are_told_and_all_are_counted(site: Site) -> None:
    text = "x" * 1000
    await asyncio.gather(*(site.ask("POST", "/Note", {"id": f"m{n}", "text": text, "rank": 77}) for n in range(1500)))
    body = {"filter": {"rank": 77}, "data": {"text": "y" * 1000}}
    told = await site.attempt("PUT", "/Note/bulk", body)
    assert told["metadata"]["count"] == told["dryRun"]["count"] == 1500
    assert 0 < len(told["dryRun"]["facts"]) <= 1500
    assert await site.data("/Note/count?filter=" + json.dumps({"text": text})) == 1500


async def test_trials_among_writes_change_nothing_of_them(site: Site) -> None:
    await site.ask("POST", "/Person", {"id": "f", "email": "f@a.test", "age": 0})

    async def write(number: int) -> None:
        status, _ = await site.ask("POST", "/Person/f/increment", {"field": "age", "amount": 1})
        assert status == 200
        if number % 3 == 0:
            await site.attempt("POST", "/Person/f/increment", {"field": "age", "amount": 1000})
            await site.attempt("DELETE", "/Person/f")

    await asyncio.gather(*(write(number) for number in range(300)))
    assert (await site.data("/Person/f"))["age"] == 300


async def test_any_process_can_ask_and_without_an_owner_nothing_is_told(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SCHEMAS).start("--no-worker")
    worker = None
    try:
        async with aiohttp.ClientSession(server.url) as session:
            site = Site(server, session)
            status, told = await site.ask("POST", "/Person", {"id": "a", "age": 1}, **DRY)
            assert (status, told["error"]["code"]) == (503, "NO_OWNER")
            worker = server.launch("work")
            assert worker.output.until(lambda line: "owns the lane" in line, 60) is not None
            while (found := await site.ask("POST", "/Person", {"id": "a", "age": 1}, **DRY))[0] == 503:
                await asyncio.sleep(0.02)
            assert found[1]["data"]["age"] == 1
            # The database of this process comes a little later than the owner.
            while (read := await site.ask("GET", "/Person/a"))[0] == 503:
                await asyncio.sleep(0.02)
            assert read[1]["data"] is None
    finally:
        if worker is not None:
            worker.kill()
        server.kill()


@pytest.mark.parametrize("value", ["yes", "TRUE", "1", ""])
async def test_what_a_trial_is_not_sure_to_be_is_refused(site: Site, value: str) -> None:
    status, told = await site.ask("POST", "/Team", {"id": "unsure", "name": "x"}, **{"Octonet-Dry-Run": value})
    assert (status, told["error"]["code"]) == (400, "INVALID_DRY_RUN")
    assert await site.data("/Team/unsure") is None


async def test_a_command_that_says_it_is_no_trial_is_carried_out(site: Site) -> None:
    status, _ = await site.ask("POST", "/Team", {"id": "sure", "name": "x"}, **{"Octonet-Dry-Run": "false"})
    assert status == 201
    assert await site.data("/Team/sure") == {"id": "sure", "name": "x"}


async def test_no_door_carries_out_what_was_only_to_be_tried(site: Site) -> None:
    session = site.session
    mutation = {"query": 'mutation { createTeam(input: {id: "dry", name: "x"}) { id } }'}
    async with session.post("/graphql", json=mutation, headers=DRY) as reply:
        told = await reply.json()
        assert told["data"] == {"createTeam": {"id": "dry"}}
        assert told["extensions"]["dryRun"]["createTeam"]["facts"][0]["fact"] == "created"
    call = {"jsonrpc": "2.0", "id": 1, "method": "Team.create", "params": {"data": {"id": "dry", "name": "x"}}}
    async with session.post("/rpc", json=call, headers=DRY) as reply:
        assert (await reply.json())["result"]["dryRun"]["count"] == 1
    async with session.post("/trpc/Team.create", json={"data": {"id": "dry", "name": "x"}}, headers=DRY) as reply:
        assert (await reply.json())["result"]["data"]["dryRun"]["count"] == 1
    async with session.post("/odata/teams", json={"id": "dry", "name": "x"}, headers=DRY) as reply:
        assert (reply.status, reply.headers["Octonet-Dry-Run"]) == (200, "true")
    part = {"id": "1", "method": "POST", "url": "teams", "body": {"id": "dry", "name": "x"},
            "headers": {"content-type": "application/json"}}  # fmt: skip
    group = [{**part, "id": id, "atomicityGroup": "g", "body": {"id": f"dry{id}", "name": "x"}} for id in "12"]
    for requests, status in (([part], 200), (group, 400)):
        async with session.post("/odata/$batch", json={"requests": requests}, headers=DRY) as reply:
            answers = (await reply.json())["responses"]
            assert {answer["status"] for answer in answers} == {status}, answers
    assert await site.data("/Team/count?filter=" + json.dumps({"id": {"$in": ["dry", "dry1", "dry2"]}})) == 0
    assert await site.data("/Team/dry") is None


async def test_a_trial_needs_what_the_command_needs(tmp_path: Path) -> None:
    with staffed(tmp_path / "data") as server:
        root = await chief(server)
        reader = with_key(server, await root.key(operations=["read"]))
        writer = with_key(server, await root.key(operations=["write"]))
        row = {"label": "x"}
        assert await reader.status("POST", "/api/v1/Tag", row, Octonet_Dry_Run="true") == 403
        assert await root.without("Cookie").status("POST", "/api/v1/Tag", row, Octonet_Dry_Run="true") == 401
        assert await writer.status("POST", "/api/v1/Tag", row, Octonet_Dry_Run="true") == 200
        assert await writer.status("DELETE", "/api/v1/Tag/bulk", {"filter": row}, Octonet_Dry_Run="true") == 403
