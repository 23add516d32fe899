"""`/health`: whether the process lives, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from octonet.kernel.damage import Damage
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.transport import Exchange, Incoming, Reply
from transports.engine.caller import project_of
from transports.engine.render import Refused


class Health(msgspec.Struct, frozen=True):
    """What `/health` tells of one project."""

    ready: bool
    transports: tuple[str, ...]
    entities: tuple[str, ...]
    reason: str = ""
    """Why it is not ready."""
    unowned: tuple[str, ...] = ()
    """Projects whose commands wait for a worker: of all when the default project is asked for, else of this one."""
    damaged: tuple[Damage, ...] = ()
    """Copies of streams that are not whole, of the same projects: others serve, for as long as they are."""


def exchange(health: Callable[[ProjectName], Awaitable[Health]]) -> Exchange:
    """The door that tells how a project is."""

    async def serve(incoming: Incoming) -> Reply:
        if incoming.method not in ("GET", "HEAD"):
            raise Refused(405, "METHOD_NOT_ALLOWED", "health can only be read", {"Allow": "GET, HEAD"})
        if incoming.below == "/live":
            return Reply(b'{"status":"ok"}')
        if incoming.below:
            raise Refused(404, "NOT_FOUND", f"nothing is served at {incoming.target[:200]!r}")
        project = project_of(incoming)
        found = await health(project)
        told: dict[str, object] = {"status": "ok" if found.ready else "unavailable"}
        if found.reason:
            told["reason"] = found.reason
        if project != DEFAULT_PROJECT:
            told["project"] = project
        told |= {"transports": found.transports, "entities": found.entities}
        if found.unowned:
            told["withoutOwner"] = found.unowned
        if found.damaged:
            told["damaged"] = [
                {"stream": one.stream, "server": one.server, "reason": one.reason} for one in found.damaged
            ]
        return Reply(msgspec.json.encode(told), 200 if found.ready else 503, {"Cache-Control": "no-store"})

    return serve
