"""Replication rules between projects: what they carry, what they refuse, and what they tell."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.office import chief, staffed, with_key
from tests.acceptance.replica_client import SHOP
from tests.acceptance.rule_client import ITEM, SHELF, TAG, WITHIN, RuleClient
from tests.running import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("rules") / "data", SHOP).start()
    yield found
    found.kill()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[RuleClient]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        yield RuleClient(session, server)


async def test_a_cdc_rule_begins_with_what_is_there_and_carries_every_change(client: RuleClient) -> None:
    for name in ("near", "far"):
        await client.place(name)
    shelf = await client.put("near", "shelves", name="top")
    tag = await client.put("near", "tags", label="red")
    first = await client.put("near", "items", text="before", shelf=shelf, tags=[tag], labels=["a", "b"])
    await client.rule("copy", "near", "far")
    await client.alike("near", "far")
    second = await client.put("near", "items", text="after", count=2)
    await client.change("near", "items", first, text="changed", tags=[], shelf=None)
    await client.drop("near", "tags", tag)
    items, _, tags = await client.alike("near", "far")
    assert [row["text"] for row in items] == ["changed", "after"]
    assert tags == []
    await client.drop("near", "items", second)
    await client.drop("near", "shelves", shelf)
    assert await client.alike("near", "far") == [[items[0]], [], []]
    stats = await client.counted("copy", lambda told: _of(told, "Item", "deleted") and told["position"].get("near"))
    assert (stats["ruleName"], stats["errors"], stats["state"]) == ("copy", 0, "running")
    by_entity = {row["collection"]: row for row in stats["details"]}
    assert (by_entity["Item"]["created"], by_entity["Item"]["deleted"]) == (2, 1)
    assert stats["recordsSynced"] == sum(row[k] for row in stats["details"] for k in ("created", "updated", "deleted"))
    assert stats["position"]["near"] > 0


def _of(stats: Any, entity: str, what: str) -> int:
    return sum(row[what] for row in stats["details"] if row["collection"] == entity)


async def test_secrets_travel_and_are_sealed_for_where_they_go(client: RuleClient, server: Server) -> None:
    for name in ("keeps", "gets"):
        await client.place(name)
    await client.rule("secrets", "keeps", "gets")
    await client.put("keeps", "items", text="x", secret="hush hush")
    await client.alike("keeps", "gets")
    for name in ("keeps", "gets"):
        with closing(sqlite3.connect(server.directory / f"{name}.db")) as database:
            assert database.execute("SELECT secret FROM items").fetchall() == [("hush hush",)]


@pytest.mark.parametrize(
    ("resolution", "stays"), [("source-wins", "source"), ("target-wins", "target"), ("timestamp", "target")]
)
async def test_a_row_that_both_have_changed_is_resolved_as_the_rule_says(
    client: RuleClient, resolution: str, stays: str
) -> None:
    source, target = f"src-{resolution}", f"dst-{resolution}"
    for name in (source, target):
        await client.place(name)
    await client.put(source, "shelves", id="one", name="first")
    await client.rule(f"rule-{resolution}", source, target, conflictResolution=resolution)
    await client.alike(source, target)
    await client.done("DELETE", f"/api/replicas/rules/rule-{resolution}")
    await client.change(source, "shelves", "one", name="source")
    await client.change(target, "shelves", "one", name="target")
    await client.rule(f"rule-{resolution}", source, target, conflictResolution=resolution)
    await client.put(source, "shelves", id="two", name="mark")
    async with asyncio.timeout(WITHIN):
        while len(found := await client.rows(target, "shelves")) < 2:
            await asyncio.sleep(0.05)
    assert found[0]["name"] == stays


async def test_a_snapshot_rule_mirrors_when_it_is_asked_to(client: RuleClient) -> None:
    for name in ("origin", "mirror"):
        await client.place(name)
    shelf = await client.put("origin", "shelves", name="top")
    for number in range(20):
        await client.put("origin", "items", text=str(number), shelf=shelf)
    await client.put("mirror", "items", text="only here")
    await client.rule("mirroring", "origin", "mirror", "snapshot")
    assert [row["text"] for row in await client.rows("mirror", "items")] == ["only here"]
    stats = await client.sync("mirroring")
    assert (await client.alike("origin", "mirror"))[0] != []
    by_entity = {row["collection"]: row for row in stats["details"]}
    assert (by_entity["Item"]["created"], by_entity["Item"]["deleted"]) == (20, 1)
    again = await client.sync("mirroring")
    assert (again["recordsSynced"], again["errors"]) == (0, 0)
    assert {row["collection"]: row["skipped"] for row in again["details"]}["Item"] == 20


async def test_a_row_that_is_refused_is_told_and_holds_up_no_other(client: RuleClient) -> None:
    for name in ("whole", "part"):
        await client.place(name)
    await client.rule("some", "whole", "part", collections=["Item", "Tag"])
    shelf = await client.put("whole", "shelves", name="top")
    await client.put("whole", "items", text="refused", shelf=shelf)
    await client.put("whole", "items", text="fine")
    await client.alike("whole", "part", "tags")
    async with asyncio.timeout(WITHIN):
        while [row["text"] for row in await client.rows("part", "items")] != ["fine"]:
            await asyncio.sleep(0.05)
        while (stats := await client.stats("some"))["errors"] != 1:
            await asyncio.sleep(0.05)
    assert "there is no Shelf" in stats["problems"][0]
    # Once what it refers to is there, a run carries it.
    await client.put("part", "shelves", id=shelf, name="top")
    await client.sync("some")
    await client.alike("whole", "part")


async def test_what_was_carried_is_not_carried_anew_after_a_restart(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP).start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        client = RuleClient(session, server)
        try:
            for name in ("a", "b"):
                await client.place(name)
            await client.rule("both", "a", "b", "bidirectional")
            for number in range(20):
                await client.put("a", "shelves", id=f"s{number}", name=str(number))
            await client.alike("a", "b")
            server.kill()
            for file in (tmp_path / "data" / "rules").iterdir():
                file.unlink()
            server.start()
            await client.put("b", "shelves", id="later", name="later")
            await client.alike("a", "b")
            history = await client.done("GET", "/b/api/v1/shelves/s3/history")
            assert [version["version"] for version in history["data"]] == [1]
        finally:
            server.kill()


async def test_a_chain_of_rules_carries_from_end_to_end_and_nothing_comes_back(client: RuleClient) -> None:
    for name in ("alpha", "beta", "gamma", "delta"):
        await client.place(name)
    await client.rule("alpha-beta", "alpha", "beta", "bidirectional")
    await client.rule("beta-gamma", "beta", "gamma", "bidirectional")
    await client.rule("gamma-delta", "gamma", "delta")
    await client.put("alpha", "shelves", id="first", name="of alpha")
    await client.alike("alpha", "delta")
    await client.put("gamma", "shelves", id="last", name="of gamma")
    await client.change("gamma", "shelves", "first", name="by gamma")
    await client.alike("gamma", "alpha")
    await client.alike("gamma", "delta")
    assert [row["name"] for row in await client.rows("beta", "shelves")] == ["by gamma", "of gamma"]
    for name in ("alpha", "beta", "gamma", "delta"):
        history = await client.done("GET", f"/{name}/api/v1/shelves/first/history")
        assert [version["version"] for version in history["data"]] in ([1, 2], [2, 1])


async def test_a_rule_follows_its_projects_through_changes_of_their_schemas(client: RuleClient) -> None:
    for name in ("young", "old"):
        await client.place(name)
    await client.rule("aging", "young", "old")
    await client.put("young", "shelves", id="x", name="x")
    await client.alike("young", "old", "shelves")
    grown = [{**SHELF, "fields": {**SHELF["fields"], "color": {"type": "string", "default": "red"}}}, TAG, ITEM]
    for name in ("old", "young"):
        await client.done("PUT", f"/api/projects/{name}", {"schemas": grown})
    await client.put("young", "shelves", id="y", name="y", color="blue")
    found = (await client.alike("young", "old", "shelves"))[0]
    assert [row["color"] for row in found] == ["red", "blue"]


@pytest.mark.parametrize(
    ("wish", "status", "code", "says"),
    [
        ({"source": "one", "target": "one"}, 409, "RULE_LOOPS", "between two projects"),
        ({"source": "two", "target": "one"}, 409, "RULE_LOOPS", "bidirectional"),
        ({"source": "three", "target": "one"}, 409, "RULE_LOOPS", "there → onward → new|new → there → onward"),
        ({"source": "one", "target": "two"}, 409, "RULE_OVERLAPS", "'there'"),
        ({"source": "one", "target": "none"}, 404, "UNKNOWN_PROJECT", "none"),
        ({"source": "one", "target": "other"}, 422, "VALIDATION_ERROR", "no entity in common"),
        ({"source": "one", "target": "strict"}, 409, "RULE_MISFIT", "$.Shelf.name is a number"),
        ({"source": "two", "target": "strict"}, 409, "RULE_MISFIT", "give it a default"),
        ({"source": "one", "target": "four", "collections": ["Nothing"]}, 422, "VALIDATION_ERROR", "collections[0]"),
        ({"source": "one", "target": "four", "mode": "sometimes"}, 400, "VALIDATION_ERROR", "$.mode"),
        ({"source": "one", "target": "four", "conflictResolution": "x"}, 400, "VALIDATION_ERROR", "conflictResolution"),
        ({"source": "one", "target": "four", "name": "there"}, 409, "RULE_EXISTS", "there"),
        ({"source": "one", "target": "four", "name": "a/b"}, 422, "VALIDATION_ERROR", "$.name"),
        ({"source": "one", "target": "four", "color": "red"}, 400, "VALIDATION_ERROR", "color"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_with_what_to_do(
    client: RuleClient, wish: dict[str, Any], status: int, code: str, says: str
) -> None:
    if (await client.ask("GET", "/one/api/v1/shelves"))[0] != 200:
        for name in ("one", "two", "three", "four"):
            await client.place(name)
        note = {"name": "Other", "collection": "others", "fields": {"text": {"type": "text"}}}
        await client.place("other", [note])
        fields = {"name": {"type": "number", "required": True}, "more": {"type": "text", "required": True}}
        await client.place("strict", [{**SHELF, "fields": fields}])
        await client.rule("there", "one", "two")
        await client.rule("onward", "two", "three")
    before = await client.done("GET", "/api/replicas/rules")
    found = await client.refused(**{"name": "new", "mode": "cdc", **wish})
    assert found[:2] == (status, code), found
    assert any(part in found[2] for part in says.split("|")), found
    after = await client.done("GET", "/api/replicas/rules")
    assert [rule["name"] for rule in after["rules"]] == [rule["name"] for rule in before["rules"]]


async def test_what_is_secret_here_is_not_carried_to_where_it_would_not_be(client: RuleClient) -> None:
    field = {"type": "string", "sensitive": True}
    await client.place("sealed", [{**SHELF, "fields": {**SHELF["fields"], "pin": field}}])
    await client.place("open", [{**SHELF, "fields": {**SHELF["fields"], "pin": {"type": "string"}}}])
    status, code, says = await client.refused(name="leak", source="sealed", target="open", mode="cdc")
    assert (status, code) == (409, "RULE_MISFIT")
    assert "sensitive" in says


async def test_rules_that_are_not_there_are_told_apart(client: RuleClient) -> None:
    for method, path in (("DELETE", "none"), ("POST", "none/sync"), ("GET", "none/stats")):
        status, told = await client.ask(method, f"/api/replicas/rules/{path}", {} if method == "POST" else None)
        assert (status, told["error"]["code"]) == (404, "UNKNOWN_RULE")
    for name in ("idle", "idler"):
        await client.place(name)
    told = await client.rule("off", "idle", "idler", enabled=False)
    assert (told["enabled"], told["state"]) == (False, "disabled")
    status, told = await client.ask("POST", "/api/replicas/rules/off/sync", {})
    assert (status, told["error"]["code"]) == (409, "RULE_DISABLED")
    await client.done("DELETE", "/api/projects/idle")
    assert "off" not in [rule["name"] for rule in (await client.done("GET", "/api/replicas/rules"))["rules"]]


async def test_a_rule_takes_the_permissions_of_both_projects(tmp_path: Path) -> None:
    server = staffed(tmp_path / "data").start()
    try:
        root = await chief(server)
        for name in ("left", "right"):
            assert await root.status("POST", "/api/projects", {"name": name, "schemas": [SHELF]}) == 201
        wish = {"name": "r", "source": "left", "target": "right", "mode": "cdc"}
        half = with_key(server, await root.key(projects=["left"]))
        reader = with_key(server, await root.key(operations=["read"]))
        for who in (half, reader):
            assert await who.code("POST", "/api/replicas/rules", wish) == (403, "FORBIDDEN")
        assert await root.status("POST", "/api/replicas/rules", wish) == 201
        for who in (half, reader):
            assert await who.code("DELETE", "/api/replicas/rules/r") == (403, "FORBIDDEN")
            assert await who.code("POST", "/api/replicas/rules/r/sync", {}) == (403, "FORBIDDEN")
            assert await who.code("GET", "/api/replicas/rules/r/stats") == (403, "FORBIDDEN")
        assert (await half.ask("GET", "/api/replicas/rules")) == (200, {"rules": []})
        assert await reader.code("GET", "/api/replicas/rules") == (403, "FORBIDDEN")
    finally:
        server.kill()
