"""Lets whoever calls in, answers what is asked most by itself, and leaves the rest to the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import Denied, NotFound, OctonetError, Unauthenticated, invalid
from octonet.kernel.operation import Raw
from octonet.transport import Incoming, Reply
from transports.engine import coerce, render
from transports.engine.caller import actor, known, project_of, shows_nothing, under_trace, visitor
from transports.engine.limits import note
from transports.engine.mcp import bridge, origins, rpc
from transports.engine.mcp.known_reads import KnownReads
from transports.engine.mcp.quick import Quick
from transports.engine.mcp.toolbox import Toolbox
from transports.engine.mcp.view import View
from transports.engine.mcp.visit import Visit
from transports.engine.reply import response

if TYPE_CHECKING:
    from transports.engine.mcp.sdk import Sdk

_POST: Mapping[str, str] = {"Allow": "POST"}


def wants_stream(headers: Mapping[str, str]) -> bool:
    """Whether the answer to a request with these headers goes on: only of who listens."""
    return headers.get("mcp-method") == "subscriptions/listen"


class Door:
    """One path of the MCP door. `public_url`: where browsers find this server, empty where nobody said."""

    def __init__(self, gateway: Gateway, name: str, public_url: str) -> None:
        self.gateway = gateway
        self._name = name
        self._public_url = public_url
        self.toolbox = Toolbox(gateway.operations)
        self._quick = Quick(self.toolbox, KnownReads(gateway))
        self._sdk: Sdk | None = None
        self._loading = asyncio.Lock()

    async def serve(self, incoming: Incoming) -> Reply:
        """One request of either revision."""
        try:
            return await self._serve(incoming)
        except OctonetError as problem:
            return rpc.refusal(problem)

    async def enter(self, incoming: Incoming) -> View:
        """Let somebody in. Raises `Refused` for a page of a foreign origin, else as `Gateway.admit` does, and `Denied`
        for a key that is good for nothing in this project; who shows none is told to show one."""
        origins.check(incoming, self._public_url)
        who = known(self.gateway, incoming, self._name) or await self._visitor(incoming)
        view = View(self.gateway, project_of(incoming), who)
        if not self.gateway.serves(view.project):
            raise NotFound(f"there is no project {view.project!r}", code="UNKNOWN_PROJECT")
        if not view.families:
            if shows_nothing(incoming.headers):
                raise Unauthenticated
            raise Denied(f'API key not authorized for projects="{view.project}"')
        return view

    def close(self) -> None:
        """Let those go who listen."""
        if self._sdk is not None:
            self._sdk.close()

    async def listen(self, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        """One request whose answer goes on."""
        try:
            view, _ = await self._asked(incoming)
        except OctonetError as problem:
            return response(rpc.refusal(problem), closing=False, shared=incoming.shared)
        sdk = self._sdk or await self._load()
        return await bridge.stream(sdk.application, request, incoming, Visit(view, incoming.headers))

    async def _asked(self, incoming: Incoming) -> tuple[View, Raw]:
        """Who asks, and the message."""
        view = await self.enter(incoming)
        if incoming.method != "POST" or incoming.below.strip("/"):
            # Neither revision needs a stream of its own here, and there are no sessions to end.
            raise _elsewhere(incoming)
        message = coerce.json_text(incoming.body)
        _check_id(message)
        return _traced(view, message), message

    async def _serve(self, incoming: Incoming) -> Reply:
        view, message = await self._asked(incoming)
        reply = await self._quick.answer(view, incoming, message)
        if reply is None:
            sdk = self._sdk or await self._load()
            reply = await bridge.whole(sdk.application, incoming, Visit(view, incoming.headers))
            self._quick.learn(incoming.headers, message, reply)
        return reply

    async def _visitor(self, incoming: Incoming) -> Visitor:
        """Whoever shows nothing may do what the public key may."""
        try:
            return await visitor(self.gateway, incoming, self._name)
        except Unauthenticated:
            if not shows_nothing(incoming.headers):
                raise
        found = await self.gateway.admit_public(actor(incoming, self._name))
        if found.principal.limited:
            note(self.gateway, found)
        return found

    async def _load(self) -> Sdk:
        """The SDK, when it is needed for the first time: it takes half a second and 60 MB."""
        async with self._loading:
            if self._sdk is None:
                module = await asyncio.to_thread(_imported)
                self._sdk = module(self.toolbox)
                await self._sdk.open()
            return self._sdk


def _imported() -> type[Sdk]:
    from transports.engine.mcp.sdk import Sdk  # noqa: PLC0415

    return Sdk


def _check_id(message: Raw) -> None:
    """A request whose id is no id is owed an error, and must not be taken for a notification. Raises `Invalid`."""
    if isinstance(message, dict) and "method" in message and "id" in message:
        id = message["id"]
        if not isinstance(id, str) and type(id) is not int:
            raise invalid("$.id", "must be a text or a whole number", code="INVALID_ID")


def _traced(view: View, message: Raw) -> View:
    """The view under the trace that a message names in its `_meta`."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    if not isinstance(meta, dict) or "traceparent" not in meta:
        return view
    return View(view.gateway, view.project, under_trace(view.who, meta["traceparent"]))


def _elsewhere(incoming: Incoming) -> render.Refused:
    if incoming.below.strip("/"):
        return render.Refused(404, "NOT_FOUND", "this door has no parts")
    return render.Refused(405, "METHOD_NOT_ALLOWED", "only POST is possible here", _POST)
