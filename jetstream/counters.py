"""Numbers that several processes add to, kept by the broker: exact without a lease, a lock or a log."""

from __future__ import annotations

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from jetstream import subjects
from jetstream.api import ApiError, publish
from jetstream.connection import Connection
from jetstream.topology import StreamLimits, ensure, rate_stream
from octonet.kernel.errors import Unavailable

_PATIENCE = 1.0
"""Seconds for an answer: it is about this second only."""


class Counters:
    """Counts the uses of keys by seconds."""

    def __init__(self, client: Connection, limits: StreamLimits) -> None:
        self._client = client
        self._limits = limits

    async def add(self, key: str, second: int, amount: int) -> int:
        """Add to a key's number for a second (since 1970); returns what it is now. Raises `Unavailable`."""
        try:
            try:
                return await self._add(key, second, amount)
            except NoRespondersError:
                # The stream went with the memory of a broker that restarted.
                await ensure(self._client, rate_stream(self._limits))
                return await self._add(key, second, amount)
        except (ApiError, NatsError, TimeoutError) as problem:
            raise Unavailable(f"uses of keys cannot be counted: {problem or type(problem).__name__}") from problem

    async def _add(self, key: str, second: int, amount: int) -> int:
        header = {"Nats-Incr": f"+{amount}"}
        return int((await publish(self._client, subjects.rate(key, second), b"", header, _PATIENCE)).val)
