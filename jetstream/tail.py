"""Facts as any program on NATS gets them: a plain subscription."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from octonet.kernel.event import Fact

_FACTS = frozenset(fact.value for fact in Fact)


async def facts(endpoint: Endpoint, subject: str, stop: asyncio.Event) -> AsyncIterator[tuple[str, bytes]]:
    """(subject, body) of each fact from now on, until `stop` is set. Requests have subjects of the same shape."""
    client = await connect(endpoint, "octonet tail")
    queue: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()

    async def ended() -> None:
        await stop.wait()
        queue.put_nowait(None)

    watcher = asyncio.create_task(ended())
    try:
        subscription = await client.subscribe(subject)

        async def pump() -> None:
            async for message in subscription.messages:
                if message.subject.rpartition(".")[2] not in _FACTS:
                    continue
                queue.put_nowait((message.subject, message.data))

        pumping = asyncio.create_task(pump())
        try:
            while (found := await queue.get()) is not None:
                yield found
        finally:
            pumping.cancel()
    finally:
        watcher.cancel()
        await client.close()
