"""What only the owner of a lane can do, on its way there and back: plain requests, which no stream holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from jetstream.connection import Connection
from octonet.kernel.errors import Unavailable

log = logging.getLogger("octonet.nats")

_PAUSE = 1.0
_HEAD = 1024


class OwnerRequests:
    """Those of one kind; `subject` is where a process of this name listens for them."""

    def __init__(self, client: Connection, subject: Callable[[str], str]) -> None:
        self._client = client
        self._subject = subject
        self.largest = client.max_payload - _HEAD
        """Bytes that a request or an answer may have."""

    async def serve(self, process: str, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Answer what is sent to this process, one request after the other, until cancelled."""

        async def on_message(message: Msg) -> None:
            body = await answer(message.data)
            try:
                await message.respond(body)
            except NatsError as problem:
                log.info("what was asked of a lane is done, and was not told: %s", problem)

        while True:
            try:
                subscription = await self._client.subscribe(self._subject(process), cb=on_message)
            except NatsError as problem:
                log.info("what is asked of a lane is listened for later: %s", problem)
                await asyncio.sleep(_PAUSE)
                continue
            try:
                await asyncio.Event().wait()
            finally:
                await self._client.leave(subscription)

    async def ask(self, process: str, body: bytes, within: float) -> bytes:
        """The answer of a process, in at most so many seconds. Raises `Unavailable`."""
        try:
            return (await self._client.request(self._subject(process), body, timeout=within)).data
        except NoRespondersError as problem:
            raise Unavailable("the worker that decides for this project is not there", code="NO_OWNER") from problem
        except (NatsError, TimeoutError) as problem:
            sentence = "the worker that decides for this project does not answer"
            raise Unavailable(sentence, code="OWNER_SILENT") from problem
