"""A way to a server that can be cut: a partition that needs no rights."""

from __future__ import annotations

import asyncio


class Proxy:
    """Stands in front of a port. While it is cut, bytes wait and nothing arrives."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """Where it listens, for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Proxy:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def drop(self) -> None:
        """Break every connection; new ones are welcome."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        """Carry nothing from now on."""
        self._whole.clear()

    def heal(self) -> None:
        """Carry what waited, and go on."""
        self._whole.set()

    async def close(self) -> None:
        """Drop every connection."""
        if self._server is None:
            return
        self._server.close()
        await self.drop()
        # The transports close on the loop's next turns.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying = asyncio.current_task()
        assert carrying is not None
        self._tasks.add(carrying)
        try:
            await self._join(reader, writer)
        except asyncio.CancelledError:
            # asyncio's own server would report the end of a cancelled task as a failure.
            return
        finally:
            self._tasks.discard(carrying)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            return
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._whole.wait()
                sink.write(data)
                await sink.drain()
        except OSError:
            return
        finally:
            sink.close()
