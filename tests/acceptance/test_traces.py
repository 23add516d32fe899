"""What one request causes, told as one trace; and log lines by which it is found."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
Spans = dict[str, dict[str, Any]]
"""By name."""
CREATED = {"octonet.lane", "octonet.feed", "POST rest"}


class Collector:
    """Takes spans as any collector does."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        told = ExportTraceServiceRequest.FromString(await request.read())
        for resource in told.resource_spans:
            of = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
                    self.spans.append(
                        {
                            "name": span.name,
                            "trace": span.trace_id.hex(),
                            "id": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(),
                            "process": of["service.instance.id"],
                            "failed": span.status.code == 2,
                            "ms": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
                            **attributes,
                        }
                    )
        return web.Response()

    async def until(self, enough: Callable[[Spans], object], trace: str) -> Spans:
        """The spans of a trace, once there are enough."""
        async with asyncio.timeout(60):
            while not enough(found := {span["name"]: span for span in self.spans if span["trace"] == trace}):
                await asyncio.sleep(0.05)
        return found


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    found = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@asynccontextmanager
async def apart(directory: Path, **environment: str) -> AsyncIterator[Server]:
    """Doors and worker, each a process of its own."""
    server = Server(directory / "data", SHOP, program=("-m", "octonet"), OTEL_BSP_SCHEDULE_DELAY="100", **environment)
    await asyncio.to_thread(server.start, "--no-worker")
    worker = server.launch("work")
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession(server.url) as session:
            while (await session.get("/health")).status != 200:
                await asyncio.sleep(0.05)
        yield server
    finally:
        await asyncio.to_thread(worker.stop)
        await asyncio.to_thread(server.stop)


async def post(server: Server, label: str, **headers: str) -> int:
    async with (
        aiohttp.ClientSession(server.url, headers=headers) as session,
        session.post("/api/v1/Tag", json={"label": label}) as reply,
    ):
        return reply.status


async def _follows(session: aiohttp.ClientSession) -> bool:
    """Whether the only replica has come to the end of the log: what it was filled with belongs to no request."""
    async with session.get("/api/projects/default/replicas") as reply:
        [row] = (await reply.json())["replicas"]
        return bool(row["status"] == "connected" and row["lagPositions"] == 0)


async def test_a_write_is_one_trace_from_the_request_to_its_fact(tmp_path: Path, collector: Collector) -> None:
    async with apart(tmp_path, OCTONET_TRACES_URL=collector.url) as server:
        assert await post(server, "one", traceparent=f"00-{TRACE}-{PARENT}-01") == 201
        found = await collector.until(CREATED.issubset, TRACE)
        request, lane, feed = found["POST rest"], found["octonet.lane"], found["octonet.feed"]
        assert (request["parent"], request["http.response.status_code"]) == (PARENT, 201)
        assert {lane["parent"], feed["parent"]} == {request["id"]}
        assert lane["process"] == feed["process"] != request["process"]
        assert (lane["octonet.entity"], lane["octonet.op"], lane["octonet.facts"]) == ("Tag", "create", 1)
        assert lane["octonet.entry"] == feed["octonet.entry"]
        assert 0 < lane["ms"] < request["ms"]


async def test_the_fold_into_a_replica_belongs_to_the_same_trace(tmp_path: Path, collector: Collector) -> None:
    async with apart(tmp_path, OCTONET_TRACES_URL=collector.url) as server:
        async with aiohttp.ClientSession(server.url) as session:
            wish = {"name": "near", "dialect": "sqlite", "uri": "near.db"}
            async with session.post("/api/projects/default/replicas", json=wish) as reply:
                assert reply.status == 201, await reply.text()
            async with asyncio.timeout(60):
                while not await _follows(session):
                    await asyncio.sleep(0.05)
        assert await post(server, "one", traceparent=f"00-{TRACE}-{PARENT}-01") == 201
        found = await collector.until((CREATED | {"octonet.fold"}).issubset, TRACE)
        assert found["octonet.fold"]["parent"] == found["POST rest"]["id"]
        assert found["octonet.fold"]["octonet.entry"] == found["octonet.lane"]["octonet.entry"]


async def test_a_refused_write_is_told_as_failed_and_leaves_no_fact(tmp_path: Path, collector: Collector) -> None:
    async with apart(tmp_path, OCTONET_TRACES_URL=collector.url) as server:
        assert await post(server, "one") == 201
        assert await post(server, "one", traceparent=f"00-{TRACE}-{PARENT}-01") == 409
        found = await collector.until({"octonet.lane", "POST rest"}.issubset, TRACE)
        assert found["octonet.lane"]["failed"]
        assert "octonet.feed" not in found


async def test_what_a_caller_does_not_want_traced_is_not(tmp_path: Path, collector: Collector) -> None:
    async with apart(tmp_path, OCTONET_TRACES_URL=collector.url, OCTONET_TRACES_SHARE="0") as server:
        assert await post(server, "quiet", traceparent=f"00-{TRACE}-{PARENT}-00") == 201
        assert await post(server, "without") == 201
        assert await post(server, "wanted", traceparent=f"00-{TRACE[::-1]}-{PARENT}-01") == 201
        await collector.until(CREATED.issubset, TRACE[::-1])
        assert {span["trace"] for span in collector.spans} == {TRACE[::-1]}


async def test_a_collector_that_is_away_holds_up_nobody(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with apart(tmp_path, OCTONET_TRACES_URL=f"http://127.0.0.1:{unused.getsockname()[1]}") as server:
            assert await post(server, "one") == 201


async def test_log_lines_carry_the_ids_of_their_request(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP, OCTONET_LOG_FORMAT="json", OCTONET_LOG_REQUESTS="true")
    with server:
        trace = f"00-{TRACE}-{PARENT}-01"
        assert await post(server, "one", traceparent=trace, **{"X-Correlation-Id": "order-7"}) == 201
        async with aiohttp.ClientSession(server.url) as session:
            assert (await session.get("/api/v1/Tag?apikey=sk_live_hidden")).status == 400
    lines = [json.loads(line) for line in server.log().splitlines()]
    told = next(line for line in lines if line.get("method") == "POST")
    assert told["logger"] == "octonet.request"
    assert (told["trace_id"], told["span_id"], told["correlation"]) == (TRACE, PARENT, "order-7")
    assert (told["path"], told["status"], told["transport"], told["project"]) == ("/api/v1/Tag", 201, "rest", "default")
    assert "hidden" not in server.log()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"OCTONET_LOG_FORMAT": "xml"}, "OCTONET_LOG_FORMAT is text or json"),
        ({"OCTONET_TRACES_URL": "http://127.0.0.1:1", "OCTONET_TRACES_SHARE": "2"}, "OCTONET_TRACES_SHARE is a share"),
    ],
)
def test_a_setting_that_means_nothing_is_refused_at_the_start(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    server = Server(tmp_path / "data", SHOP, program=("-m", "octonet"), **environment)
    process = server.launch("serve", "--port", "0")
    assert process.reap(30) == 1
    assert sentence in server.log()
