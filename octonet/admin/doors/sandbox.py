"""`/try`: a form, and the sandbox that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

import msgspec

from octonet.access.attempts import household
from octonet.admin.http import answer, body, nowhere, only, steps
from octonet.admin.sandbox_page import error_page, page, result_page
from octonet.admin.sandboxes import DAILY, PERMISSIONS, Made, Sandboxes
from octonet.kernel.errors import Denied, Kind, OctonetError
from octonet.transport import HttpDoor, Incoming, Reply

_FORM: Final = "application/x-www-form-urlencoded"
_OURS: Final = frozenset({"same-origin", "none"})
_STATUS: Final = {Kind.INVALID: 400, Kind.CONFLICT: 409, Kind.EXHAUSTED: 429, Kind.UNAVAILABLE: 503}


class _Wish(msgspec.Struct, frozen=True):
    alias: str | None = None


class SandboxDoor:
    """`public` is this server's address as browsers know it, empty: as each request names it."""

    def __init__(self, sandboxes: Sandboxes, public: str, scheme: str = "http") -> None:
        self._sandboxes = sandboxes
        self._scheme = scheme
        self._public = public.rstrip("/")

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/try": self.serve}

    async def serve(self, incoming: Incoming) -> Reply:
        """The form, or what was asked for by it: as JSON, or as a page where a form was sent."""
        if steps(incoming) != [""]:
            raise nowhere(incoming)
        only(incoming, "GET", "POST")
        if incoming.method == "GET":
            return page()
        if incoming.headers.get("sec-fetch-site", "same-origin") not in _OURS:
            # Whoever reads a page of somebody else's did not ask for a sandbox.
            raise Denied("pages of other origins may not ask for this", code="CSRF")
        if incoming.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
            return await self._by_form(incoming)
        wish = body(incoming, _Wish) if incoming.body else _Wish()
        return answer({"status": "ok", "data": await self._make(incoming, wish.alias)}, HTTPStatus.CREATED)

    async def _by_form(self, incoming: Incoming) -> Reply:
        alias = parse_qs(incoming.body.decode("utf-8", "replace")).get("alias", [""])[0]
        try:
            return result_page(await self._make(incoming, alias))
        except OctonetError as problem:
            told = problem.code, problem.message
            return error_page(_STATUS.get(problem.kind, 500), *told, alias=alias, retry_after=problem.retry_after)

    async def _make(self, incoming: Incoming, alias: str | None) -> dict[str, object]:
        return self._told(incoming, await self._sandboxes.make(alias, household(incoming.address)))

    def _told(self, incoming: Incoming, made: Made) -> dict[str, object]:
        base = self._public or f"{self._scheme}://{incoming.headers.get('host', 'localhost')}"
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
