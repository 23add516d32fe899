"""Health, of the door as a whole and of each service: told to everybody, as HTTP's is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from grpc_health.v1 import health_pb2

from octonet.gateway import Gateway
from octonet.kernel.errors import NotFound
from octonet.kernel.ids import ProjectName
from transports.engine.caller import project_of
from transports.engine.grpc.core_file import SERVICE as OPERATIONS
from transports.engine.grpc.entrance import Call, parsed

SERVICE: Final = "grpc.health.v1.Health"
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
_OF_ENTITY: Final = re.compile(r"(?:octonet\.v1|mostajs)\.(\w+)Service", re.ASCII)
_OF_ALL: Final = ("", SERVICE, OPERATIONS)
_LOOK: Final = 1.0
"""Seconds between two looks of those who watch; all who watch a project look together."""


class Health:
    """Serving while the project is `ready`, until the door closes."""

    def __init__(self, gateway: Gateway, ready: Callable[[ProjectName], Awaitable[bool]]) -> None:
        self._gateway = gateway
        self._ready = ready
        self._closing = asyncio.Event()
        self._looking: dict[ProjectName, asyncio.Task[bool]] = {}

    def close(self) -> None:
        """From now on nothing is served."""
        self._closing.set()

    async def check(self, content: bytes, call: Call) -> bytes:
        """How one service is. Raises `NotFound` for one that there is not."""
        project = _project(call)
        status = self._status(_service(content), project, await self._ready(project))
        if status == _UNKNOWN:
            raise NotFound("there is no such service", code="UNKNOWN_SERVICE")
        return _told(status)

    async def watch(self, content: bytes, call: Call) -> None:
        """The same, now and when it changes."""
        service, project = _service(content), _project(call)
        status = self._status(service, project, await self._ready(project))
        await call.write(_told(status))
        while not self._closing.is_set():
            ready = await self._next(project)
            before, status = status, self._status(service, project, ready)
            if status != before:
                await call.write(_told(status))

    async def list(self, _: bytes, call: Call) -> bytes:
        """How all services of a project are."""
        project = _project(call)
        names = [f"{package}.{name}Service" for name in self._gateway.entities(project) for package in _PACKAGES]
        ready = await self._ready(project)
        statuses = {name: {"status": self._status(name, project, ready)} for name in (*_OF_ALL, *names)}
        told: bytes = health_pb2.HealthListResponse(statuses=statuses).SerializeToString()
        return told

    def _status(self, service: str, project: ProjectName, ready: bool) -> int:
        found = _OF_ENTITY.fullmatch(service)
        known = service in _OF_ALL or (found is not None and found[1] in self._gateway.entities(project))
        serving = ready and not self._closing.is_set()
        status: int = _UNKNOWN if not known else _SERVING if serving else _NOT_SERVING
        return status

    async def _next(self, project: ProjectName) -> bool:
        """How the project is a moment later."""
        looking = self._looking.get(project)
        if looking is None or looking.done():
            looking = self._looking[project] = asyncio.create_task(self._look(project))
        # One who leaves does not end it for the others.
        return await asyncio.shield(looking)

    async def _look(self, project: ProjectName) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                await self._closing.wait()
        return not self._closing.is_set() and await self._ready(project)


_PACKAGES: Final = ("octonet.v1", "mostajs")


def _project(call: Call) -> ProjectName:
    return project_of(call.incoming)


def _service(content: bytes) -> str:
    asked = health_pb2.HealthCheckRequest()
    asked.CopyFrom(parsed(health_pb2.HealthCheckRequest, content))
    name: str = asked.service
    return name


def _told(status: int) -> bytes:
    told: bytes = health_pb2.HealthCheckResponse(status=status).SerializeToString()
    return told
