"""NATS as the bus of a door: a connection of its own, so that a flood of requests never stands before the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

from nats.errors import Error as NatsError

from jetstream import subjects
from jetstream.callout import Callout
from jetstream.connection import Connection, command, connect
from jetstream.endpoint import Endpoint, plain
from octonet.kernel.bus import SERVICE, BusRequest, Doorman, Receive
from octonet.kernel.errors import Unavailable

log = logging.getLogger("octonet.nats")

_INBOX: Final = "_INBOX"
_HEARD_WITHIN: Final = 30
"""Seconds."""
_ELSEWHERE: Final = "_R_."
"""What the answers to requests from other accounts begin with."""


class NatsBus:
    """Implements `octonet.kernel.bus.Bus`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._found: Connection | None = None
        self._callout: Callout | None = None
        self._receive: Receive | None = None

    @property
    def url(self) -> str:
        """See `Bus`."""
        return plain(self._endpoint.public or self._endpoint.url)

    @property
    def max_message(self) -> int:
        """See `Bus`."""
        return self._client.max_payload

    @property
    def connected(self) -> bool:
        """See `Bus`."""
        return self._found is not None and self._found.is_connected

    def subject(self, project: str, entity: str, op: str) -> str:
        """See `Bus`."""
        return subjects.request(project, entity, op)

    def facts(self, project: str, entity: str) -> list[str]:
        """See `Bus`."""
        return subjects.facts_of(project, entity)

    async def open(self) -> None:
        """See `Bus`."""
        self._found = await connect(self._endpoint, "octonet-requests")

    async def serve(self, operations: Collection[str], receive: Receive) -> None:
        """See `Bus`."""
        self._receive = receive
        for subject in subjects.every_request(operations):
            await self._client.serve(subject, self._take, subjects.REQUESTS)

    async def describe(self, id: str, describe: Callable[[str], bytes]) -> None:
        """See `Bus`. Every process answers for itself."""

        def asked(subject: bytes, reply: bytes, headers: bytes, body: bytes) -> None:
            verb = subject.decode().split(".")[1]
            if self._may_answer(reply):
                self._send(reply, describe(verb), {})

        for verb in ("PING", "INFO", "STATS"):
            for of in ((), (SERVICE,), (SERVICE, id)):
                await self._client.serve(subjects.service(verb, *of), asked)

    async def guard(self, doorman: Doorman) -> None:
        """See `Bus`."""
        if self._endpoint.issuer:
            self._callout = Callout(self._client, self._endpoint, doorman)
            await self._callout.open()
        # The server asks nobody whom it has not heard of yet: whoever came first would stand before the door until that
        # is given up.
        try:
            await self._client.flush(_HEARD_WITHIN)
        except (NatsError, TimeoutError) as problem:
            raise Unavailable("NATS does not answer: nobody would be let in") from problem

    def answer(self, request: BusRequest, body: bytes, headers: Mapping[str, str]) -> None:
        """See `Bus`."""
        self._send(request.reply.encode(), body, headers)

    async def leave(self) -> None:
        """See `Bus`."""
        if self._found is not None:
            await self._found.drain_served()

    async def close(self) -> None:
        """See `Bus`."""
        if self._callout is not None:
            await self._callout.close()
        if self._found is not None:
            await self._found.close()

    @property
    def _client(self) -> Connection:
        if self._found is None:
            raise Unavailable("NATS is not connected yet")
        return self._found

    def _take(self, subject: bytes, reply: bytes, headers: bytes, body: bytes) -> None:
        assert self._receive is not None
        project, entity, op = subjects.asked_for(subject.decode("utf-8", "replace"))
        told = reply.decode("utf-8", "replace") if self._may_answer(reply) else ""
        self._receive(BusRequest(project, entity, op, told, read_headers(headers), bytes(body)))

    def _may_answer(self, reply: bytes) -> bool:
        """Whoever asks names where the answer goes, and we may publish where they may not: to what Octonet itself is
        told, or to JetStream. So only inboxes are answered, and none of our own."""
        if reply.startswith(_ELSEWHERE.encode()):
            return True
        own = self._client.own_inboxes
        return reply.startswith(_INBOX.encode()) and b"." in reply and not reply.startswith(own)

    def _send(self, reply: bytes, body: bytes, headers: Mapping[str, str]) -> None:
        lines = b"".join([b"%b: %b\r\n" % (name.encode(), value.encode()) for name, value in headers.items()])
        try:
            self._client.send(command(reply.decode(), b"", body, lines))
        except NatsError as problem:
            log.info("an answer was not sent: %s", problem or type(problem).__name__)


def read_headers(raw: bytes) -> Mapping[str, str]:
    """Headers as they came, by names in lower case; what is no header is left out."""
    if not raw:
        return _NONE
    found: dict[str, str] = {}
    for line in raw.split(b"\r\n")[1:]:
        name, separator, value = line.partition(b":")
        if separator and name:
            found.setdefault(name.strip().decode("utf-8", "replace").lower(), value.strip().decode("utf-8", "replace"))
    return found


_NONE: Final[Mapping[str, str]] = {}
