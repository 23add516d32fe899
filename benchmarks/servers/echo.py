"""What a request over NATS costs at least: nats-py, which sends back what it gets. Arguments: URL, user, password."""

from __future__ import annotations

import asyncio
import sys

import nats
from nats.aio.msg import Msg

SUBJECT = "echo.row"


async def main() -> None:
    """Until it is ended."""
    url, user, password = sys.argv[1:]
    client = await nats.connect(url, user=user, password=password)

    async def echo(message: Msg) -> None:
        await message.respond(message.data)

    await client.subscribe(SUBJECT, cb=echo)
    await client.flush()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
