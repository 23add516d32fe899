"""OData 4.01: entity sets, queries and changes for the clients of the office and of SAP."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from octonet.gateway import Gateway
from octonet.transport import HttpDoor, HttpSettings, Incoming, Reply

if TYPE_CHECKING:
    from transports.engine.odata.service import Service

_NAME = "odata"
_ENGINE = "transports.engine.odata.service"


class OData:
    """The OData door."""

    name = _NAME
    default_path = "/odata"
    needs = ""

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""
        return {settings.path or self.default_path: _Door(gateway).serve}

    async def close(self) -> None:
        """Nothing stays open."""


class _Door:
    """The engine is brought by the first request: whoever serves REST alone starts without it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._service: Service | None = None

    async def serve(self, incoming: Incoming) -> Reply:
        """One request."""
        if self._service is None:
            engine = await asyncio.to_thread(importlib.import_module, _ENGINE)
            if self._service is None:
                self._service = engine.Service(self._gateway, _NAME)
        return await self._service.serve(incoming)


TRANSPORT = OData()
