"""What holds at every door alike, whatever it listens on: requests are counted, and the limits of a server hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.office import Office, chief, staffed
from tests.conformance.clients import DOORS, enter
from tests.running import Server

WITHIN = 60.0
ASKED = 3
OWN_PORTS = {"MOSTA_NET_GRPC_ENABLED": "true", "MOSTA_NET_ARROW_ENABLED": "true"}
TAGS = {"op": "findAll", "entity": "Tag"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = staffed(tmp_path_factory.mktemp("doors") / "data", **OWN_PORTS)
    with found:
        yield found
    assert "Traceback" not in found.log()


@pytest.fixture
async def root(server: Server) -> Office:
    return await chief(server)


async def counted(root: Office, door: str) -> float:
    """The requests of a door that the figures tell of."""
    told = await (await root.raw("GET", "/metrics")).text()
    samples = [sample for family in text_string_to_metric_families(told) for sample in family.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name == "octonet_http_requests_total" and sample.labels["transport"] == door
    )


@pytest.mark.parametrize("door", sorted({*DOORS} - {"ws"}))
async def test_requests_are_counted_under_the_name_of_their_door(server: Server, root: Office, door: str) -> None:
    key, before = await root.key(), await counted(root, door)
    async with enter(door, server, key) as call:
        for _ in range(ASKED):
            assert (await call(TAGS))[0] == "ok"
    async with asyncio.timeout(WITHIN):
        while await counted(root, door) < before + ASKED:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("door", ["arrow", "grpc", "nats"])
async def test_a_limit_that_is_set_at_run_time_holds_beside_http_too(server: Server, root: Office, door: str) -> None:
    key = await root.key()
    async with enter(door, server, key) as call, asyncio.timeout(WITHIN):
        assert (await call(TAGS))[0] == "ok"
        assert await root.status("PUT", "/api/performance/rate-limit", {"perProject": 1}) == 200
        try:
            while (await call(TAGS))[0] != "RATE_LIMIT":
                pass
        finally:
            while await root.status("PUT", "/api/performance/rate-limit", {"perProject": 0}) != 200:
                pass
        while (await call(TAGS))[0] != "ok":
            pass
