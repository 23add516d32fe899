"""`/try`: a form, and the sandbox that it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec

from octonet.admin.http import answer, body, nowhere, only, steps
from octonet.admin.sandboxes import DAILY, PERMISSIONS, Made, Sandboxes
from octonet.transport import HttpDoor, Incoming, Reply


class _Wish(msgspec.Struct, frozen=True):
    alias: str | None = None


class SandboxDoor:
    """`origin` tells where a request comes from; `public` is this server's address as browsers know it, empty: as each
    request names it."""

    def __init__(self, sandboxes: Sandboxes, origin: Callable[[Incoming], str], public: str) -> None:
        self._sandboxes = sandboxes
        self._origin = origin
        self._public = public.rstrip("/")

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/try": self.serve}

    async def serve(self, incoming: Incoming) -> Reply:
        """Make a sandbox."""
        if steps(incoming) != [""]:
            raise nowhere(incoming)
        only(incoming, "POST")
        wish = body(incoming, _Wish) if incoming.body else _Wish()
        made = await self._sandboxes.make(wish.alias, self._origin(incoming))
        return answer({"status": "ok", "data": self._told(incoming, made)}, HTTPStatus.CREATED)

    def _told(self, incoming: Incoming, made: Made) -> dict[str, object]:
        base = self._public or f"http://{incoming.headers.get('host', 'localhost')}"
        collection = next((entity.collection for entity in made.project.schemas.entities.values()), "")
        first = f"{base}/{made.project.name}/api/v1/{collection}"
        return {
            "alias": made.alias,
            "projectSlug": made.project.name,
            "apiKey": made.key,
            "prefix": made.prefix,
            "permissions": {"projects": [made.project.name], **PERMISSIONS},
            "expiresAt": made.expires,
            "quota": {"reqPerDay": DAILY},
            "collection": collection,
            "exampleCurl": f'curl -H "X-API-Key: {made.key}" {first}',
            "mcpUrl": f"{base}/{made.project.name}/mcp",
            "rateLimitRemaining": made.left,
            "message": "Keep the key: it is shown this once. The sandbox goes when nobody uses it for a while.",
        }
