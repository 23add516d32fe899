"""The monitor: replicas, rules and what happens to them, for whoever may do everything, and nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.acceptance.office import Office, chief, staffed, with_key
from tests.acceptance.replica_client import NOTE
from tests.running import Server

_WITHIN = 60.0
_KINDS = {
    "replica.added",
    "replica.state",
    "replica.promoted",
    "replica.removed",
    "rule.added",
    "rule.sync.start",
    "rule.sync.done",
    "rule.removed",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = staffed(tmp_path_factory.mktemp("monitor") / "data", OCTONET_DATABASE_HOSTS="*").start()
    yield found
    found.kill()


@pytest.fixture
async def root(server: Server) -> Office:
    return await chief(server)


async def _made(root: Office, *projects: str) -> None:
    for name in projects:
        assert await root.status("POST", "/api/projects", {"name": name, "schemas": [NOTE]}) == 201


async def _told(root: Office, path: str) -> Any:
    status, told = await root.ask("GET", f"/monitor/api/{path}")
    assert status == 200, told
    return told


async def _at_work(root: Office) -> bool:
    """Whether the replica is followed and the rule carried out, which both begin a little later than they are there."""
    [near] = (await _told(root, "replicas"))["seen"]
    [copy] = (await _told(root, "rules"))["rules"]
    return (near["status"], copy["state"]) == ("connected", "running")


async def test_the_figures_are_those_of_the_replicas_and_rules(root: Office) -> None:
    await _made(root, "seen", "other")
    wish = {"name": "near", "uri": "sqlite:///seen-near.db"}
    assert await root.status("POST", "/api/projects/seen/replicas", wish) == 201
    assert await root.status("PUT", "/api/projects/seen/read-routing", {"strategy": "least-lag"}) == 200
    rule = {"name": "copy", "source": "seen", "target": "other", "mode": "cdc"}
    assert await root.status("POST", "/api/replicas/rules", rule) == 201
    async with asyncio.timeout(_WITHIN):
        while not await _at_work(root):
            await asyncio.sleep(0.05)
    replicas = await _told(root, "replicas")
    [near] = replicas["seen"]
    assert (near["name"], near["dialect"], near["status"], near["role"]) == ("near", "sqlite", "connected", "slave")
    assert replicas["other"] == []
    [copy] = (await _told(root, "rules"))["rules"]
    assert (copy["name"], copy["mode"], copy["state"], copy["stats"]["errors"]) == ("copy", "cdc", "running", 0)
    routing = await _told(root, "routing")
    assert (routing["seen"], routing["other"]) == ("least-lag", "round-robin")
    health = await _told(root, "health")
    assert health["ok"] is True
    assert health["ts"].endswith("Z")
    figures = await (await root.raw("GET", "/metrics")).text()
    assert 'rule="copy"} 1' in figures
    assert "octonet_rule_lag_seconds" in figures


async def test_what_happens_is_streamed_as_it_does_and_kept(root: Office, server: Server) -> None:
    await _made(root, "tale", "twin")
    heard: list[dict[str, Any]] = []
    opened = asyncio.Event()
    key = with_key(server, await root.key())
    ticket = (await key.done("POST", "/api/auth/ticket"))["ticket"]
    listening = asyncio.create_task(_listen(server, f"?ticket={ticket}", heard, opened))
    try:
        await asyncio.wait_for(opened.wait(), _WITHIN)
        for name in ("one", "two"):
            wish = {"name": name, "uri": f"sqlite:///tale-{name}.db"}
            assert await root.status("POST", "/api/projects/tale/replicas", wish) == 201
        assert await root.status("POST", "/api/projects/tale/replicas/one/promote", {}) == 200
        assert await root.status("DELETE", "/api/projects/tale/replicas/two") == 200
        rule = {"name": "tell", "source": "tale", "target": "twin", "mode": "snapshot"}
        assert await root.status("POST", "/api/replicas/rules", rule) == 201
        assert await root.status("POST", "/api/replicas/rules/tell/sync", {}) == 200
        assert await root.status("DELETE", "/api/replicas/rules/tell") == 200
        async with asyncio.timeout(_WITHIN):
            while not {event["type"] for event in heard} >= _KINDS:
                await asyncio.sleep(0.05)
    finally:
        listening.cancel()
    by_kind = {event["type"]: event["about"] for event in heard}
    assert by_kind["replica.promoted"]["replica"] == "one"
    assert by_kind["replica.removed"]["replica"] == "two"
    assert by_kind["rule.sync.done"]["stats"]["errors"] == 0
    kept = (await _told(root, "events"))["events"]
    assert len(kept) <= 200
    assert all(event in kept for event in heard)


async def test_nothing_secret_is_told_and_only_to_those_who_may_do_everything(root: Office, server: Server) -> None:
    await _made(root, "quiet")
    paths = ("health", "replicas", "rules", "routing", "events", "stream")
    reader = with_key(server, await root.key(operations=["read"]))
    person = await root.person()
    for path in paths:
        assert await Office(server).status("GET", f"/monitor/api/{path}") == 401
        for who in (reader, person):
            assert await who.code("GET", f"/monitor/api/{path}") == (403, "FORBIDDEN")
    wish = {"name": "far", "dialect": "postgres", "uri": "postgresql://me:hush@127.0.0.1:1/nowhere"}
    assert await root.status("POST", "/api/projects/quiet/replicas", wish) == 503
    for path in paths[:-1]:
        assert "hush" not in json.dumps(await _told(root, path))
    assert (await root.code("POST", "/monitor/api/replicas", {}))[0] >= 400
    assert await root.code("GET", "/monitor/api/nothing") == (404, "NOT_FOUND")
    assert await root.status("GET", "/monitor/api/stream?ticket=ticket_wrong") == 401


async def test_the_page_needs_nothing_from_elsewhere_and_tells_nothing_by_itself(server: Server) -> None:
    reply = await Office(server).raw("GET", "/monitor")
    text = await reply.text()
    assert reply.status == 200
    assert "http" not in text.replace("<!doctype html>", "").replace("httpequiv", "")
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert 'lang="en"' in text
    assert 'role="status" aria-live="polite"' in text
    assert text.count('scope="col"') == text.count("<th ")


async def _listen(server: Server, query: str, heard: list[dict[str, Any]], opened: asyncio.Event) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/monitor/api/stream{query}") as reply:
        assert reply.status == 200, await reply.text()
        async for line in reply.content:
            if line.startswith(b"data: "):
                told = json.loads(line[6:])
                if told["type"] == "connected":
                    opened.set()
                else:
                    heard.append(told)
