"""No room on NATS: writes are refused with a sentence, reads go on, and writes come back by themselves."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jetstream.api import ApiError, call, publish
from jetstream.connection import Connection, connect
from jetstream.server import LEAST_STORE, find_running
from jetstream.topology import StreamLimits, ensure, project_streams
from octonet.kernel.ids import DEFAULT_PROJECT
from tests.acceptance.checker import violations
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", SHOP, OCTONET_NATS_MAX_STORE=str(LEAST_STORE)) as found:
        yield found


class Answer(msgspec.Struct, frozen=True):
    status: int
    body: Any
    retry_after: str | None = None


async def _ask(server: Server, path: str, body: Any = None) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}{path}", data, {"Content-Type": "application/json"})

    def exchange() -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return Answer(reply.status, json.load(reply))
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, json.load(refused), refused.headers["Retry-After"])

    return await asyncio.to_thread(exchange)


async def _write(server: Server, label: str) -> Answer:
    return await _ask(server, "/api/v1/tags", {"id": label.replace(" ", "-"), "label": label})


async def _written(server: Server, label: str) -> None:
    """Written in the end, without anybody's help."""
    for _ in range(300):
        last = await _write(server, label)
        if last.status in (201, 409):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"writes did not come back: {last}")


async def _reads_go_on(server: Server, ids: set[str]) -> None:
    found = await _ask(server, "/api/v1/tags?limit=1000")
    assert found.status == 200
    assert {row["id"] for row in found.body["data"]} == ids


async def _enter(server: Server) -> Connection:
    endpoint = find_running(server.directory / "nats")
    assert endpoint is not None
    return await connect(endpoint)


async def _fill(client: Connection) -> None:
    while True:
        await publish(client, "ballast", b"x" * 1_000_000, {})


async def _whole(server: Server) -> None:
    """The relay of the facts may still be on its way."""
    endpoint = find_running(server.directory / "nats")
    assert endpoint is not None
    for _ in range(300):
        wrong = await violations(endpoint, server.directory / "octonet.db", SHOP, [])
        if not wrong:
            return
        await asyncio.sleep(0.2)
    assert wrong == []


async def test_a_full_disk_refuses_writes_for_as_long_as_it_is_full(server: Server) -> None:
    client = await _enter(server)
    await _written(server, "before")
    await ensure(client, {"name": "BALLAST", "subjects": ["ballast"], "storage": "file"})
    with pytest.raises(ApiError, match="insufficient resources"):
        await _fill(client)
    for number in range(3):
        refused = await _write(server, f"refused {number}")
        assert (refused.status, refused.retry_after) == (503, "1")
        assert refused.body["error"]["code"] == "NO_ROOM"
        assert "no room" in refused.body["error"]["message"]
    # Longer than a lease lives without renewal, which needs room, too.
    await asyncio.sleep(5)
    assert (await _write(server, "refused 3")).status == 503
    await _reads_go_on(server, {"before"})
    await call(client, "STREAM.PURGE.BALLAST", {})
    await client.close()
    await _written(server, "after")
    await _reads_go_on(server, {"before", "after"})
    await _whole(server)


async def test_a_full_log_holds_back_what_was_recorded_and_decides_it_once_there_is_room(server: Server) -> None:
    client = await _enter(server)
    await _written(server, "before")
    log = next(one for one in project_streams(DEFAULT_PROJECT, StreamLimits()) if one["name"] == "OCTO_LOG_default")
    await ensure(client, log | {"max_bytes": 1})
    recorded = await _write(server, "recorded")
    assert (recorded.status, recorded.body["error"]["code"]) == (504, "OUTCOME_UNKNOWN")
    assert "no room" in recorded.body["error"]["message"]
    for number in range(3):
        refused = await _write(server, f"refused {number}")
        assert (refused.status, refused.retry_after) == (503, "1")
        assert "maximum bytes exceeded" in refused.body["error"]["message"]
    await _reads_go_on(server, {"before"})
    await ensure(client, log | {"max_bytes": -1})
    await client.close()
    await _written(server, "after")
    await _reads_go_on(server, {"before", "recorded", "after"})
    await _whole(server)


async def test_a_project_that_has_used_up_its_quota_refuses_writes_until_it_is_raised(tmp_path: Path) -> None:
    quota = 64 * 1024
    with Server(tmp_path / "data", SHOP, OCTONET_QUOTA=str(quota)) as server:
        ids: set[str] = set()
        while len(ids) < 1000 and (last := await _write(server, f"tag {len(ids)}")).status == 201:
            ids.add(last.body["data"]["id"])
        assert 10 < len(ids) < 1000
        refused = await _write(server, "refused")
        assert (refused.status, refused.body["error"]["code"]) == (503, "NO_ROOM")
        await _reads_go_on(server, ids)
    with Server(tmp_path / "data", SHOP, OCTONET_QUOTA=str(16 * quota)) as server:
        await _written(server, "after")
        await _whole(server)
