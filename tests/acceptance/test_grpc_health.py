"""Health over gRPC: what probes and balancing clients ask for, of the door as a whole and of each service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from tests.acceptance.grpc_site import OPEN, SHOP, Status, address, entered, error
from tests.acceptance.roles import WITHIN, work
from tests.running import Process, Server

TAGS = "octonet.v1.TagService"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "data", SHOP, **OPEN)


def asked(service: str) -> bytes:
    found: bytes = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    return found


def status(answer: bytes) -> int:
    found: int = health_pb2.HealthCheckResponse.FromString(answer).status
    return found


async def checked(channel: Any, service: str = TAGS) -> int:
    return status(await channel.unary_unary("/grpc.health.v1.Health/Check")(asked(service)))


def watched(channel: Any, service: str = TAGS) -> Any:
    return channel.unary_stream("/grpc.health.v1.Health/Watch")(asked(service))


async def test_health_is_told_of_each_service_and_changes_at_the_end(server: Server) -> None:
    with server:
        async with grpc.aio.insecure_channel(address(server)) as channel:
            for service in ("", TAGS, "mostajs.CustomerService", "grpc.health.v1.Health"):
                assert await checked(channel, service) == SERVING
            assert (await error(checked(channel, "octonet.v1.NobodyService")))[0] is Status.NOT_FOUND
            listed = health_pb2.HealthListResponse.FromString(
                await channel.unary_unary("/grpc.health.v1.Health/List")(b"")
            )
            assert {"octonet.v1.OrderService", "mostajs.OrderService", ""} <= set(listed.statuses)
            assert {each.status for each in listed.statuses.values()} == {SERVING}
            stream = watched(channel)
            assert status(await stream.read()) == SERVING
            async with entered(server) as shop:
                facts = shop.watch("Tag")
                await facts.initial_metadata()
                assert await asyncio.to_thread(server.stop) == 0
                assert (await error(facts.read()))[:2] == (Status.UNAVAILABLE, "UNAVAILABLE")
            assert status(await stream.read()) == NOT_SERVING
        assert "Traceback" not in server.log()


async def test_a_project_without_tables_is_not_served_until_a_worker_has_made_them(server: Server) -> None:
    server.start("--no-worker")
    worker: Process | None = None
    try:
        async with grpc.aio.insecure_channel(address(server)) as channel:
            assert await checked(channel) == NOT_SERVING
            streams = [watched(channel), watched(channel, "")]
            for stream in streams:
                assert status(await stream.read()) == NOT_SERVING
            worker = await asyncio.to_thread(work, server)
            async with asyncio.timeout(WITHIN):
                for stream in streams:
                    assert status(await stream.read()) == SERVING
            assert await checked(channel) == SERVING
    finally:
        assert worker is None or worker.stop() == 0
        assert server.stop() == 0
    assert "Traceback" not in server.log()


async def test_one_who_stops_watching_ends_it_for_nobody_else(server: Server) -> None:
    with server:
        async with grpc.aio.insecure_channel(address(server)) as channel:
            first, second = watched(channel), watched(channel)
            assert [status(await stream.read()) for stream in (first, second)] == [SERVING, SERVING]
            first.cancel()
            assert await asyncio.to_thread(server.stop) == 0
            assert status(await second.read()) == NOT_SERVING
