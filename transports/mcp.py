"""MCP: every operation as a tool that a language model can call, entities as resources."""

from __future__ import annotations

from collections.abc import Mapping

from octonet.gateway import Gateway
from octonet.transport import Either, HttpDoor, HttpSettings, Stream
from transports.engine.mcp.agent import AGENT, Agent
from transports.engine.mcp.door import Door, wants_stream

_NAME = "mcp"


class Mcp:
    """The MCP door."""

    name = _NAME
    default_path = "/mcp"
    needs = "mcp"

    def __init__(self) -> None:
        self._doors: list[Door] = []

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""
        door = Door(gateway, _NAME, settings.public_url)
        self._doors.append(door)
        either = Either(door.serve, Stream(door.listen), wants_stream)
        return {settings.path or self.default_path: either, AGENT: Agent(door).serve}

    async def close(self) -> None:
        """Let those go who listen."""
        for door in self._doors:
            door.close()


TRANSPORT = Mcp()
