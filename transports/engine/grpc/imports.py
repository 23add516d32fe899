"""Many rows from one client, each of which is written or refused on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from octonet.gateway import Written
from octonet.kernel.errors import Kind, OctonetError, invalid
from octonet.kernel.operation import Request
from octonet.kernel.position import START, Position
from transports.engine.grpc import requests
from transports.engine.grpc.calls import POSITION, conditioned
from transports.engine.grpc.entity_file import IMPORT
from transports.engine.grpc.entrance import Call, Entrance, Visit, entity, parsed
from transports.engine.grpc.rows import Fields
from transports.engine.grpc.status import message_of

_AT_ONCE: Final = 256
_MOST_TOLD: Final = 1000
_ENDS_ALL: Final = frozenset({Kind.DENIED, Kind.UNAUTHENTICATED})
_KEY: Final = "idempotency-key"


class Imports:
    """Takes them."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    async def take(self, name: str, sent: AsyncIterator[bytes], call: Call) -> bytes:
        """What became of all that was sent."""
        visit = await self._entrance.visit(call)
        _, gives = visit.described.sent(entity(visit.described, name), IMPORT)
        one = _Import(self._entrance, visit, name)
        await one.run(sent)
        fields = one.fields()
        if fields["position"]:
            call.set_trailing_metadata(((POSITION, str(fields["position"])),))
        return gives(**fields).SerializeToString()


class _Import:
    def __init__(self, entrance: Entrance, visit: Visit, name: str) -> None:
        self._gateway = entrance.gateway
        self._visit = visit
        self._name = name
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._received = self._written = self._rejected = 0
        self._told: list[tuple[int, OctonetError]] = []
        self._position: tuple[Position, str] = (START, "")
        self._over: OctonetError | None = None

    async def run(self, sent: AsyncIterator[bytes]) -> None:
        """Take rows as they come, several at once."""
        async with asyncio.TaskGroup() as tasks:
            async for content in sent:
                await self._room.acquire()
                if self._over is not None:
                    break
                tasks.create_task(self._one(self._received, content))
                self._received += 1
        if self._over is not None:
            raise self._over

    def fields(self) -> Fields:
        """The answer."""
        told = [
            {
                "index": index,
                "code": problem.code,
                "message": message_of(problem),
                "paths": [fault.path for fault in problem.faults],
            }
            for index, problem in sorted(self._told, key=lambda one: one[0])
        ]
        return {
            "received": self._received,
            "written": self._written,
            "rejected": self._rejected,
            "position": self._position[1],
            "rejections": told,
        }

    async def _one(self, index: int, content: bytes) -> None:
        try:
            found = await self._gateway.execute(self._visit.project, self._request(index, content), self._visit.who)
        except OctonetError as problem:
            self._rejected += 1
            if problem.kind in _ENDS_ALL:
                self._over = problem
            if len(self._told) < _MOST_TOLD:
                self._told.append((index, problem))
        else:
            assert isinstance(found, Written)
            self._written += 1
            self._position = max(self._position, (found.outcome.position, found.position))
        finally:
            self._room.release()

    def _request(self, index: int, content: bytes) -> Request:
        described = self._visit.described
        takes, _ = described.sent(self._name, IMPORT)
        message = parsed(takes, content)
        chosen = message.WhichOneof("command")
        if chosen is None:
            raise invalid("$", "says neither create nor upsert")
        operation = self._gateway.operations[chosen]
        found = requests.request(getattr(message, chosen), operation, described.rows[self._name])
        headers = dict(self._visit.headers)
        if _KEY in headers:
            headers[_KEY] = f"{headers[_KEY]}-{index}"
        return conditioned(found, operation, headers)
