"""What an operator sees: figures of every process, how requests are served, and requests as they are answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.office import Office, chief, staffed, with_key
from tests.running import Server

TAG = "/api/v1/Tag"
PROCESSES = 2
WITHIN = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = staffed(tmp_path_factory.mktemp("observation") / "data")
    found.start("--processes", str(PROCESSES))
    yield found
    found.stop()


@pytest.fixture
async def root(server: Server) -> Office:
    return await chief(server)


async def figures(office: Office) -> dict[str, Metric]:
    """Of both processes: one that is too busy to answer at once is left out of an answer."""
    async with asyncio.timeout(WITHIN):
        while True:
            reply = await office.raw("GET", "/metrics")
            assert (reply.status, reply.content_type) == (200, "text/plain")
            found = {family.name: family for family in text_string_to_metric_families(await reply.text())}
            if len(_processes(found)) == PROCESSES:
                return found
            await asyncio.sleep(0.05)


def _processes(found: dict[str, Metric]) -> set[str]:
    return {sample.labels["process"] for sample in found["octonet_up_seconds"].samples}


async def performance(office: Office) -> tuple[dict[str, Any], int]:
    """Of both processes, too; and how often they were asked."""
    async with asyncio.timeout(WITHIN):
        asked = 0
        while True:
            asked += 1
            status, told = await office.ask("GET", "/api/performance")
            assert status == 200
            if told["processes"] == PROCESSES:
                return told, asked
            await asyncio.sleep(0.05)


def total(found: dict[str, Metric], family: str, suffix: str = "", **labels: str) -> float:
    """Over every process."""
    samples = found[family].samples if family in found else []
    return sum(s.value for s in samples if s.name == family + suffix and labels.items() <= s.labels.items())


async def test_figures_are_told_by_every_process(server: Server, root: Office) -> None:
    async with asyncio.timeout(WITHIN):
        while total(found := await figures(root), "octonet_project_ready", project="default") < PROCESSES:
            await asyncio.sleep(0.05)
    assert len(_processes(found)) == 2
    assert total(found, "octonet_nats_connected") == 2
    assert total(found, "octonet_lane_owned", project="default") == 1
    assert total(found, "octonet_project_ready", project="default") == 2


async def test_what_is_written_shows_in_the_figures(server: Server, root: Office) -> None:
    program = with_key(server, await root.key())
    before = await figures(root)
    for number in range(5):
        await program.done("POST", TAG, {"label": f"figure-{number}"})
    assert (await program.code("POST", TAG, {"label": "figure-0"}))[0] == 409
    after = await figures(root)

    def grown(family: str, suffix: str = "", **labels: str) -> float:
        return total(after, family, suffix, **labels) - total(before, family, suffix, **labels)

    def told() -> bool:
        """Facts are told behind the reply."""
        last, entry = (
            total(after, "octonet_stream_last", stream="OCTO_LOG_default"),
            total(after, "octonet_log_entry", project="default"),
        )
        return last == entry and grown("octonet_facts", "_total", project="default") >= 5

    async with asyncio.timeout(WITHIN):
        while not told():
            await asyncio.sleep(0.05)
            after = await figures(root)
    assert grown("octonet_commands", "_total", project="default", verdict="applied") == 5
    assert grown("octonet_commands", "_total", project="default", verdict="rejected") == 1
    assert grown("octonet_facts", "_total", project="default") == 5
    assert grown("octonet_http_requests", "_total", transport="rest", status="201") == 5
    assert grown("octonet_http_request_seconds", "_count", transport="rest") == 6
    assert grown("octonet_batch_commands", "_sum", project="default") == 6
    assert grown("octonet_log_entry", project="default") > 0
    assert total(after, "octonet_stream_last", stream="OCTO_LOG_default") == total(
        after, "octonet_log_entry", project="default"
    )
    assert total(after, "octonet_stream_limit_bytes", stream="OCTO_CMD_default") > 0


async def test_performance_adds_up_all_processes(server: Server, root: Office) -> None:
    program = with_key(server, await root.key())
    before, _ = await performance(root)
    for _ in range(20):
        await program.ask("GET", TAG)
    after, asked = await performance(root)
    assert after["processes"] == 2
    # The look before is counted, and of those after it all but the last.
    assert after["perProject"]["default"]["requests"] - before["perProject"]["default"]["requests"] == 20 + asked
    assert after["totalErrors"] == 0
    assert 0 < after["p50"] <= after["p99"]
    assert after["uptime"] > 0
    assert after["rateLimiting"] == {"perClient": 0, "perProject": 0, "rejected": 0}


async def test_a_limit_set_at_run_time_holds_on_every_process(server: Server, root: Office) -> None:
    program = with_key(server, await root.key())
    assert await root.ask("PUT", "/api/performance/rate-limit", {"perClient": 1}) == (
        200,
        {"ok": True, "perClient": 1, "perProject": 0},
    )
    try:
        async with asyncio.timeout(WITHIN):  # until both processes have heard of it
            statuses: list[int] = []
            while statuses.count(429) <= 10:
                statuses = await asyncio.gather(*(program.status("GET", TAG) for _ in range(20)))
        assert set(statuses) <= {200, 429}
        assert (await performance(root))[0]["rateLimiting"]["rejected"] > 0
    finally:
        assert await root.status("PUT", "/api/performance/rate-limit", {"perClient": 0}) == 200
    while 429 in await asyncio.gather(*(program.status("GET", TAG) for _ in range(20))):
        pass


@pytest.mark.parametrize("wish", [{"perClient": -1}, {"perClient": "9"}, {"perHour": 9}, [1]])
async def test_a_limit_that_is_none_is_refused(root: Office, wish: Any) -> None:
    status, told = await root.ask("PUT", "/api/performance/rate-limit", wish)
    assert (status in (400, 422), "error" in told) == (True, True)


async def test_the_live_log_tells_every_request_and_no_secret(server: Server, root: Office) -> None:
    key = await root.key()
    program = with_key(server, key)
    async with (
        aiohttp.ClientSession(server.url, headers=root.headers, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.get("/api/live-log", timeout=aiohttp.ClientTimeout(2 * WITHIN)) as stream,
    ):
        assert stream.content_type == "text/event-stream", await stream.text()
        assert json.loads((await stream.content.readline())[6:]) == {"type": "connected"}
        seen: list[dict[str, Any]] = []

        async def ask() -> None:
            while True:  # each on a connection of its own: both processes are asked before long
                await program.ask("GET", f"{TAG}?filter=%7B%22label%22%3A%22hidden-word%22%7D")
                await program.ask("GET", f"{TAG}/of-the-reference?apikey={key}")
                await asyncio.sleep(0.02)

        asking = asyncio.create_task(ask())
        text = b""
        try:
            async with asyncio.timeout(WITHIN):
                while len(seen) < 40:
                    line = await stream.content.readline()
                    text += line
                    if line.startswith(b"data: "):
                        seen.append(json.loads(line[6:]))
        finally:
            asking.cancel()
    told = [line for line in seen if line["url"] == TAG]
    assert told[0] | {"time": "", "ms": 0} == {
        "type": "request",
        "time": "",
        "transport": "rest",
        "method": "GET",
        "url": TAG,
        "status": 200,
        "ms": 0,
    }
    assert b"hidden-word" not in text
    assert key.encode() not in text


@pytest.mark.parametrize("path", ["/metrics", "/api/performance", "/api/live-log"])
async def test_whoever_may_not_see_it_is_refused(server: Server, root: Office, path: str) -> None:
    assert (await Office(server).raw("GET", path)).status == 401
    reader = with_key(server, await root.key(operations=["read"], projects=["default"]))
    assert (await reader.raw("GET", path)).status == 403
    person = await root.person("subscriber")
    assert (await person.raw("GET", path)).status == 403
