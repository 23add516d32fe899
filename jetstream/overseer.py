"""Sees who is connected to nats-server, and cuts clients off: what only its system account can do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from nats.errors import Error as NatsError

from jetstream import subjects
from jetstream.connection import Connection, connect
from jetstream.endpoint import Endpoint

log = logging.getLogger("octonet.nats")

_PAGE: Final = 1024
_SILENCE: Final = 0.25
"""Seconds without an answer after which no further server answers."""
_WITHIN: Final = 2.0


class _Client(msgspec.Struct, frozen=True):
    cid: int
    authorized_user: str = ""
    issuer_key: str = ""


class _Clients(msgspec.Struct, frozen=True):
    connections: tuple[_Client, ...] | None = ()


class _Server(msgspec.Struct, frozen=True):
    id: str


class _Told(msgspec.Struct, frozen=True):
    server: _Server
    data: _Clients | None = None


_told = msgspec.json.Decoder(_Told)
_encode = msgspec.json.Encoder().encode


class Overseer:
    """A connection to the system account, made when it is first needed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = msgspec.structs.replace(
            endpoint, user=endpoint.system_user, password=endpoint.system_password, credentials="", nkey=""
        )
        self._client: Connection | None = None
        self._connecting = asyncio.Lock()

    @property
    def able(self) -> bool:
        """Whether we have a part in the system account."""
        return bool(self._endpoint.user)

    async def cut_off(self, user: str) -> None:
        """End every connection of a user. Raises `Unavailable`; what a server does not do is logged."""
        while True:
            ended = 0
            async for server, client in self._clients({"user": user}):
                if client.authorized_user == user:
                    ended += 1
                    await self._request(subjects.kick(server), _encode({"cid": client.cid}))
            # A page at a time.
            if ended < _PAGE:
                return

    async def users(self) -> set[str]:
        """Who is connected that was vouched for, by name. Raises `Unavailable`."""
        found: set[str] = set()
        offset = 0
        while True:
            page = [client async for _, client in self._clients({"offset": offset})]
            found |= {client.authorized_user for client in page if client.issuer_key and client.authorized_user}
            if len(page) < _PAGE:
                return found
            offset += _PAGE

    async def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            await self._client.close()

    async def _clients(self, wanted: dict[str, object]) -> AsyncIterator[tuple[str, _Client]]:
        """The clients that are wanted, with the server that each is at."""
        client = await self._connected()
        inbox = client.new_inbox()
        try:
            subscription = await client.subscribe(inbox)
            try:
                await client.publish(subjects.CONNECTIONS, _encode({"auth": True, "limit": _PAGE, **wanted}), inbox)
                patience = _WITHIN
                with contextlib.suppress(TimeoutError):
                    while True:
                        message = await subscription.next_msg(patience)
                        patience = _SILENCE
                        told = _told.decode(message.data)
                        for one in (told.data.connections or ()) if told.data is not None else ():
                            yield told.server.id, one
            finally:
                await client.leave(subscription)
        except (NatsError, msgspec.MsgspecError) as problem:
            log.warning("NATS: its clients cannot be seen: %s", problem or type(problem).__name__)

    async def _request(self, subject: str, body: bytes) -> None:
        client = await self._connected()
        try:
            await client.request(subject, body, timeout=_WITHIN)
        except (NatsError, TimeoutError) as problem:
            log.warning("NATS: a client was not cut off: %s", problem or type(problem).__name__)

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._client is None:
                self._client = await connect(self._endpoint, "octonet-overseer")
            return self._client
