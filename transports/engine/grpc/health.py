"""Health, of the door as a whole and of each service: told to everybody, as HTTP's is."""

from __future__ import annotations

import asyncio
import re
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


class Health:
    """Serving, until it closes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._closing = asyncio.Event()

    def close(self) -> None:
        """From now on nothing is served."""
        self._closing.set()

    async def check(self, content: bytes, call: Call) -> bytes:
        """How one service is. Raises `NotFound` for one that there is not."""
        status = self._status(_service(content), _project(call))
        if status == _UNKNOWN:
            raise NotFound("there is no such service", code="UNKNOWN_SERVICE")
        return _told(status)

    async def watch(self, content: bytes, call: Call) -> None:
        """The same, now and when it changes."""
        service, project = _service(content), _project(call)
        await call.write(_told(self._status(service, project)))
        await self._closing.wait()
        await call.write(_told(self._status(service, project)))

    async def list(self, _: bytes, call: Call) -> bytes:
        """How all services of a project are."""
        project = _project(call)
        names = [f"{package}.{name}Service" for name in self._gateway.entities(project) for package in _PACKAGES]
        statuses = {name: {"status": self._status(name, project)} for name in (*_OF_ALL, *names)}
        told: bytes = health_pb2.HealthListResponse(statuses=statuses).SerializeToString()
        return told

    def _status(self, service: str, project: ProjectName) -> int:
        found = _OF_ENTITY.fullmatch(service)
        known = service in _OF_ALL or (found is not None and found[1] in self._gateway.entities(project))
        status: int = _UNKNOWN if not known else _NOT_SERVING if self._closing.is_set() else _SERVING
        return status


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
