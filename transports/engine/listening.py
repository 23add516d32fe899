"""What one WebSocket client listens to: everything, until it subscribes to something."""

from __future__ import annotations

import msgspec

from octonet.kernel.errors import Exhausted, NotFound, OctonetError, invalid
from octonet.kernel.faults import step
from octonet.kernel.operation import Raw
from octonet.kernel.position import Position
from octonet.project import Project
from projections.engine.live import Interest
from transports.engine import frames, wish
from transports.engine.outlet import Feed, Outlet

_MOST = 100
_MEMBERS = frozenset({"entity", "entities", "filter", "after"})


class Listening:
    """The subscriptions of one connection, numbered from 1."""

    def __init__(self, project: Project, outlet: Outlet) -> None:
        self._project = project
        self._outlet = outlet
        self._default: Feed | None = None
        self._joined: dict[str, Feed] = {}
        self._numbered = 0

    def token(self, at: Position) -> str:
        """A position as clients hold it."""
        return self._project.positions.encode(at)

    async def to_everything(self, after: Position | None) -> str:
        """Listen to all facts of the project; returns the position from which on."""
        self._default = await self._join("", Interest(), after)
        return self.token(self._default.last)

    async def subscribe(self, content: dict[str, Raw]) -> dict[str, str]:
        """Obey a subscribe message; returns what to tell the client, before it is told any fact."""
        for name in content:
            if name not in _MEMBERS:
                raise invalid(step("$", name), "is not a member of a subscribe message", code="UNKNOWN_MEMBER")
        if len(self._joined) >= _MOST:
            raise Exhausted(f"a connection can have {_MOST} subscriptions")
        schemas = self._project.schemas
        interest = wish.interest(schemas, _entities(content), content.get("filter", msgspec.UNSET))
        after = wish.after(self._project.positions, content.get("after", msgspec.UNSET))
        number = str(self._numbered + 1)
        joined = await self._join(number, interest, after)
        self._numbered += 1
        self._joined[number] = joined
        self._leave_everything()
        return {"status": "ok", "subscription": number, "position": self.token(joined.last)}

    def unsubscribe(self, content: dict[str, Raw]) -> None:
        """Obey an unsubscribe message. One that names no subscription ends the listening to everything."""
        for name in content:
            if name != "subscription":
                raise invalid(step("$", name), "is not a member of an unsubscribe message", code="UNKNOWN_MEMBER")
        number = content.get("subscription")
        if number is not None:
            joined = self._joined.pop(number, None) if isinstance(number, str) else None
            if joined is None:
                raise NotFound("this connection has no such subscription", code="UNKNOWN_SUBSCRIPTION")
            self._leave(joined)
        self._leave_everything()

    def leave(self) -> None:
        """Stop listening to anything."""
        self._leave_everything()
        for joined in self._joined.values():
            self._leave(joined)
        self._joined.clear()

    async def _join(self, name: str, interest: Interest, after: Position | None) -> Feed:
        feed = self._outlet.feed()
        try:
            await feed.join(self._project.hub, interest, frames.websocket_encoder(name), after)
        except OctonetError:
            self._outlet.feeds.remove(feed)
            raise
        return feed

    def _leave_everything(self) -> None:
        if self._default is not None:
            self._leave(self._default)
            self._default = None

    def _leave(self, feed: Feed) -> None:
        feed.leave()
        self._outlet.feeds.remove(feed)


def _entities(content: dict[str, Raw]) -> list[str]:
    if "entity" in content and "entities" in content:
        raise invalid("$.entities", "says a second time what 'entity' is")
    found = content.get("entities", [content["entity"]] if "entity" in content else [])
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise invalid("$.entities", "must be names of entities")
    return found
