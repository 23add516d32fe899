"""Asking every process of an installation about itself: whoever is there answers, and nobody is waited for by name."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from jetstream import subjects
from jetstream.connection import Connection

log = logging.getLogger("octonet.nats")

_SILENCE = 0.15
"""Seconds without an answer after which there will be none."""
_WITHIN = 1.0


class Gathering:
    """One question, by its name."""

    def __init__(self, client: Connection, what: str) -> None:
        self._client = client
        self._subject = subjects.asked(what)

    async def answer(self, make: Callable[[bytes], bytes]) -> None:
        """Answer from now on, with what `make` makes of the question."""

        async def on_message(message: Msg) -> None:
            body = make(message.data)
            if message.reply:
                try:
                    await self._client.publish(message.reply, body)
                except NatsError as problem:
                    log.info("an answer on %s was not sent: %s", self._subject, problem)

        await self._client.subscribe(self._subject, cb=on_message)

    async def ask(self, question: bytes = b"") -> list[bytes]:
        """The answers of all that there are, this process among them; none when NATS is away."""
        found: asyncio.Queue[bytes] = asyncio.Queue()

        async def on_message(message: Msg) -> None:
            found.put_nowait(message.data)

        inbox = self._client.new_inbox()
        answers: list[bytes] = []
        try:
            subscription = await self._client.subscribe(inbox, cb=on_message)
            try:
                await self._client.publish(self._subject, question, reply=inbox)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_WITHIN):
                        while True:
                            answers.append(await asyncio.wait_for(found.get(), _SILENCE if answers else _WITHIN))
            finally:
                await self._client.leave(subscription)
        except NatsError as problem:
            log.info("nobody could be asked on %s: %s", self._subject, problem)
        return answers

    async def tell(self, message: bytes) -> None:
        """Say something to all of them, at most once."""
        with contextlib.suppress(NatsError):
            await self._client.publish(self._subject, message)
