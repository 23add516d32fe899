"""Fan-out: one server, many SSE clients, bursts of creates; deliveries per CPU second of the server."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import aiohttp

from benchmarks.load import BODY
from benchmarks.subjects import Subject

CLIENTS = 200
CREATES = 500
CREATORS = 16


@dataclass(frozen=True)
class FanOut:
    """`delivered` events in all, CPU seconds of the server process, seconds until the last one was there."""

    delivered: int
    cpu: float
    seconds: float

    @property
    def per_cpu_second(self) -> float:
        """The figure that is compared."""
        return self.delivered / self.cpu


async def fan_out(subject: Subject) -> FanOut:
    """Connect, create, count. The CPU of the creates themselves is in the figure."""
    clients = [_Client(subject.port) for _ in range(CLIENTS)]
    await asyncio.gather(*(client.connect() for client in clients))
    cpu, began = subject.cpu(), time.perf_counter()
    async with aiohttp.ClientSession() as session:
        left = iter(range(CREATES))

        async def creator() -> None:
            for _ in left:
                async with session.post(
                    subject.url + "/api/v1/Item", data=BODY, headers={"Content-Type": "application/json"}
                ) as response:
                    await response.read()

        await asyncio.gather(*(creator() for _ in range(CREATORS)))
    deadline = time.perf_counter() + 60
    while min(client.events for client in clients) < CREATES and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    seconds, used = time.perf_counter() - began, subject.cpu() - cpu
    for client in clients:
        client.close()
    delivered = sum(client.events for client in clients)
    assert delivered == CLIENTS * CREATES, f"{subject.name} delivered {delivered} of {CLIENTS * CREATES}"
    return FanOut(delivered, used, seconds)


class _Client(asyncio.Protocol):
    """Counts events as cheaply as can be: the client shares the machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tail = b""
        self.events = 0
        self._ready = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    async def connect(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)
        await self._ready

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"GET /events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        seen = self._tail + data
        self.events += seen.count(b"event: entity.created")
        self._tail = seen[-20:] if not seen.endswith(b"entity.created") else b""
        if not self._ready.done() and b":ok" in seen:
            self._ready.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
