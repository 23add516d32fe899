"""Conditions over REST as its clients write them, and that a key outlives everything but the log."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import aiohttp
import pytest

from octonet.access.sealing import derived, project_key
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.position import Position, Positions
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> object:
    found = Server(tmp_path_factory.mktemp("conditions"), SHOP)
    with found:
        yield found


async def _put(session: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with session.put(path, json={"label": "other"}, headers=named) as reply:
        told = await reply.json()
        return reply.status, told.get("error", {}).get("code", "")


async def test_if_match_speaks_as_http_does(server: Server) -> None:
    async with aiohttp.ClientSession(server.url) as session:
        async with session.post("/api/v1/Tag", json={"id": "t", "label": "one"}) as reply:
            assert reply.headers["ETag"] == '"1"'
        path = "/api/v1/Tag/t"
        assert await _put(session, path, If_Match='"7"') == (412, "VERSION_MISMATCH")
        assert await _put(session, path, If_Match='W/"1"') == (412, "VERSION_MISMATCH")
        assert await _put(session, "/api/v1/Tag/none", If_Match="*") == (412, "VERSION_MISMATCH")
        for wrong in ("one", '"1", "2"', '"one"', ""):
            assert await _put(session, path, If_Match=wrong) == (400, "INVALID_VERSION")
        async with session.get(path) as reply:
            assert reply.headers["ETag"] == '"1"'
        assert await _put(session, path, If_Match='"1"') == (200, "")
        async with session.get(path) as reply:
            assert reply.headers["ETag"] == '"2"'
            assert (await reply.json())["data"]["label"] == "other"
        async with session.post("/api/v1/Tag", json={"label": "x"}, headers={"If-Match": '"1"'}) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "UNKNOWN_MEMBER")


async def test_a_position_of_another_installation_is_refused(server: Server, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        with Server(tmp_path, SHOP) as other:
            async with session.post(f"{other.url}/api/v1/Tag", json={"label": "elsewhere"}) as reply:
                foreign = reply.headers["Octonet-Position"]
        for path in ("/api/v1/Tag", "/api/v1/Tag?limit=1", "/api/v1/Tag/t", "/api/v1/Tag/count"):
            async with session.get(server.url + path, headers={"Octonet-Min-Position": foreign}) as reply:
                assert (reply.status, (await reply.json())["error"]["code"]) == (400, "INVALID_POSITION")
        async with session.get(f"{server.url}/events", headers={"Last-Event-ID": foreign}) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "INVALID_POSITION")


async def test_a_position_that_is_not_reached_yet_is_waited_for_and_then_refused(server: Server) -> None:
    key = project_key(server.directory / "keys", DEFAULT_PROJECT)
    future = Positions(DEFAULT_PROJECT, derived(key, "positions")).encode(Position(10_000_000, 0))
    async with aiohttp.ClientSession(server.url) as session:
        async with session.get("/api/v1/Tag/t", headers={"Octonet-Min-Position": future}) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (503, "POSITION_NOT_REACHED")
            assert int(reply.headers["Retry-After"]) > 0
        async with session.get("/events", headers={"Last-Event-ID": future}) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "INVALID_POSITION")


async def test_a_command_that_no_message_can_hold_is_refused_and_disturbs_nobody(server: Server) -> None:
    async with aiohttp.ClientSession(server.url) as session:

        async def create(label: str, bytes: int) -> tuple[int, str]:
            body = io.BytesIO(json.dumps({"slug": label, "body": "x" * bytes}).encode())
            headers = {"Content-Type": "application/json"}
            async with session.post("/api/v1/notes", data=body, headers=headers) as reply:
                return reply.status, (await reply.json()).get("error", {}).get("code", "")

        told = await asyncio.gather(create("large", 9_000_000), *(create(f"small {n}", 10) for n in range(20)))
        assert told == [(413, "COMMAND_TOO_LARGE"), *[(201, "")] * 20]
        async with session.get("/api/v1/notes/count") as reply:
            assert (await reply.json())["data"] == 20


@pytest.mark.parametrize("lost", [False, True], ids=["after a kill", "after the database is lost, too"])
def test_a_key_is_known_again(tmp_path: Path, lost: bool) -> None:
    server = Server(tmp_path, SHOP)

    async def ask(label: str) -> tuple[int, str, str]:
        headers = {"Idempotency-Key": "the-same"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.url}/api/v1/Tag", json={"label": label}, headers=headers) as reply,
        ):
            return reply.status, reply.headers.get("Octonet-Position", ""), await reply.text()

    server.start()
    first = asyncio.run(ask("one"))
    assert first[0] == 201
    server.kill()
    if lost:
        for file in tmp_path.glob("octonet.db*"):
            file.unlink()
    server.start()
    assert asyncio.run(ask("one")) == first
    status, _, text = asyncio.run(ask("two"))
    assert (status, "IDEMPOTENCY_KEY_REUSED" in text) == (409, True)
    server.stop()
