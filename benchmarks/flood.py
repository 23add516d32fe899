"""`python -m benchmarks.flood URL RATE SECONDS`: well-formed keys that nobody issued, so many a second, from a process
of its own."""

from __future__ import annotations

import asyncio
import sys
import time

import aiohttp

from octonet.access import keys

_TICK = 0.02


async def flood(url: str, rate: int, seconds: int) -> None:
    """Each key was never seen before, so that each costs a look-up."""
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=64)) as session:

        async def one() -> None:
            text = keys.make(keys.Environment.LIVE).text
            async with session.get("/api/v1/Item", headers={"X-API-Key": text}) as reply:
                assert reply.status == 401

        began = time.perf_counter()
        sent = 0
        async with asyncio.TaskGroup() as group:
            while (passed := time.perf_counter() - began) < seconds:
                while sent < passed * rate:
                    group.create_task(one())
                    sent += 1
                await asyncio.sleep(_TICK)


if __name__ == "__main__":
    asyncio.run(flood(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
