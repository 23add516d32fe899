"""`make cluster`: the stage without anybody who breaks it, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

from tests import postgres
from tests.chaos.stage import Stage
from tests.running import FLIGHTS


async def main() -> None:
    """Start, tell where, wait, stop in good order."""
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    with tempfile.TemporaryDirectory(prefix="octonet-cluster-") as directory:
        print("starting three nats-servers, PostgreSQL, two workers and three doors …", flush=True)
        stage = Stage(Path(directory), FLIGHTS / "schemas.json")
        try:
            await stage.start()
            for door in stage.doors:
                print(f"  doors    {door.url}/api/v1")
            print(f"  NATS     {stage.endpoint.url}")
            print(f"  rows     {stage.uri}")
            print("Ctrl-C stops all of it, and nothing of it stays.", flush=True)
            await stop.wait()
            print("stopping …", flush=True)
            await stage.stop()
        finally:
            await stage.remove()


if __name__ == "__main__":
    if why := postgres.missing():
        raise SystemExit(why)
    asyncio.run(main())
