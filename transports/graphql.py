"""GraphQL: a schema made of the entities, executed over HTTP, WebSocket and server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from octonet.gateway import Gateway
from octonet.transport import HttpDoor, HttpSettings
from transports.engine.graphql.door import Door
from transports.engine.graphql.exchange import NAME


class Graphql:
    """The GraphQL door."""

    name = NAME
    default_path = "/graphql"
    needs = "strawberry"

    def __init__(self) -> None:
        self._doors: list[Door] = []

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""
        door = Door(gateway, settings)
        self._doors.append(door)
        return {settings.path or self.default_path: door.both()}

    async def close(self) -> None:
        """End every socket and stream; clients connect anew, and go on where they were."""
        await asyncio.gather(*(door.close() for door in self._doors))
        self._doors.clear()


TRANSPORT = Graphql()
