"""Tells a client that listens when its list of tools or resources changed, and when a row that it watches did."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import ListenHandler, ResourcesListChanged, ResourceUpdated, ServerEvent, ToolsListChanged

from octonet.kernel.errors import Exhausted, OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.position import Position
from projections.engine.hub import Subscription
from projections.engine.live import Interest, Live
from transports.engine.mcp.toolbox import Toolbox
from transports.engine.mcp.view import View

log = logging.getLogger("octonet.mcp")

Context: TypeAlias = ServerRequestContext[Any, Any]
_MOST: Final = 1024
"""Clients that may listen at a time."""
_MOST_OF_ONE: Final = 100
"""And of those, under one key: whoever shows none must not keep everybody else out."""
_MOST_WATCHED: Final = 1000
"""Resources that one of them may watch."""
_LOOK: Final = 1.0
"""Seconds between two looks at the lists."""
_SCHEME: Final = "entity://"


class Listening:
    """Everybody who listens."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._open: set[_Ear] = set()
        self._looking: asyncio.Task[None] | None = None

    async def listen(
        self, view: View, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Serve one who listens, until they leave. Raises `Exhausted` when too many do already, and as
        `Gateway.visit` does."""
        if len(self._open) >= _MOST:
            raise Exhausted("too many clients listen already")
        if sum(ear.view.who.principal is view.who.principal for ear in self._open) >= _MOST_OF_ONE:
            raise Exhausted("too many clients listen under this key already")
        await view.gateway.visit(view.project, view.who)
        uris = params.notifications.resource_subscriptions or []
        if len(uris) > _MOST_WATCHED:
            raise Exhausted(f"a client can watch {_MOST_WATCHED} resources")
        ear = _Ear(view, uris)
        ear.version = self._toolbox.version(view)
        handler = ListenHandler(ear)
        ear.close = handler.close
        await ear.watch()
        unwatch = view.who.principal.watch(handler.close)
        self._open.add(ear)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            return await handler(context, params)
        finally:
            unwatch()
            ear.leave()
            self._open.discard(ear)

    def close(self) -> None:
        """Say to everybody that there will be no more."""
        for ear in list(self._open):
            ear.close()

    async def _look(self) -> None:
        """Find out whose lists changed, for as long as anybody listens."""
        while self._open:
            await asyncio.sleep(_LOOK)
            # Many listen under one key, and see the same.
            versions: dict[tuple[ProjectName, int], str] = {}
            for ear in list(self._open):
                seen = ear.view.project, id(ear.view.who.principal)
                if seen not in versions:
                    versions[seen] = self._toolbox.version(ear.view)
                ear.compare(versions[seen])
                try:
                    await ear.mend()
                except OctonetError as problem:
                    log.info("one who watched rows is let go: %s", problem)
                    ear.close()


class _Ear:
    """One who listens: the bus of the SDK's handler, and a subscriber of a project's facts."""

    def __init__(self, view: View, uris: list[str]) -> None:
        self.view = view
        self.version = ""
        """Of the lists that it knows."""
        self._uris = uris
        self._listener: Callable[[ServerEvent], None] | None = None
        self._subscription: Subscription | None = None
        self._severed = False
        self.close: Callable[[], None] = lambda: None

    async def watch(self) -> None:
        """Listen to the facts of the entities whose rows are watched. Raises as `Gateway.enter` does."""
        entities = frozenset(_entities(self._uris))
        if entities:
            home = await self.view.home()
            known = frozenset(name for name in entities if name in home.schemas.entities)
            self._subscription = await home.hub.join(Interest(known), _addresses, self, None) if known else None

    def compare(self, version: str) -> None:
        """Tell it where its lists are others now."""
        if version != self.version:
            self.version = version
            self.tell(ToolsListChanged())
            self.tell(ResourcesListChanged())

    async def mend(self) -> None:
        """Listen again, where the project came back as another; what was missed meanwhile may be anything."""
        if self._severed:
            self._severed = False
            await self.watch()
            for uri in self._uris:
                self.tell(ResourceUpdated(uri))

    def leave(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._subscription.leave()

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        self._listener = listener

        def unsubscribe() -> None:
            self._listener = None

        return unsubscribe

    async def publish(self, event: ServerEvent) -> None:
        self.tell(event)

    def tell(self, event: ServerEvent) -> None:
        """Tell it, as far as it was asked for."""
        if self._listener is not None:
            self._listener(event)

    def send(self, frames: bytes, last: Position) -> None:
        """See `Subscriber`; a frame is the address of a row."""
        for uri in frames.decode().split("\n"):
            self.tell(ResourceUpdated(uri))

    async def drained(self) -> None:
        """See `Subscriber`: the handler closes one who does not read."""

    def cut(self, reason: str) -> None:
        """See `Subscriber`."""
        self._severed = True


def _entities(uris: list[str]) -> Iterator[str]:
    return (uri.removeprefix(_SCHEME).partition("/")[0] for uri in uris if uri.startswith(_SCHEME))


def _addresses(found: list[Live]) -> bytes:
    return "\n".join(f"{_SCHEME}{live.entity}/{quote(live.id, safe='')}" for live in found).encode()
