"""Closing the stream that a log is kept in, when somebody asks and when it has grown: the log goes on in another."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from commands.engine.lane import Lane
from jetstream.log import JetStreamLog
from jetstream.owner_requests import OwnerRequests
from octonet.kernel.errors import OctonetError, Unavailable

log = logging.getLogger("octonet")

_LOOK: Final = 30.0
_encode = msgspec.json.Encoder().encode


class Rotated(msgspec.Struct, frozen=True):
    """The answer to whoever asked: why it was not done, empty when it was."""

    problem: str = ""


class Rotator:
    """Of one lane. `most`: bytes that a stream may have before the log goes on in another; 0 for any number."""

    def __init__(self, lane: Lane, stream: JetStreamLog, requests: OwnerRequests, process: str, most: int) -> None:
        self._lane = lane
        self._stream = stream
        self._requests = requests
        self._process = process
        self._most = most

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._requests.serve(self._process, self._answer))
            if self._most:
                tasks.create_task(self._watch())

    async def _answer(self, body: bytes) -> bytes:
        try:
            await self._lane.rotate()
            return _encode(Rotated())
        except OctonetError as problem:
            return _encode(Rotated(problem=problem.message))

    async def _watch(self) -> None:
        while True:
            await self._lane.owned.wait()
            try:
                if await self._stream.size() >= self._most:
                    await self._lane.rotate()
            except Unavailable as problem:
                log.info("the size of %s is looked at later: %s", self._stream.name, problem)
            await asyncio.sleep(_LOOK)
