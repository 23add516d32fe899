"""`/api/audit`: who did what in a project, when, through which door, from where, and what came of it.

Whoever may change a project sees its records, and whoever may read any project; those of the system project, keys,
people and projects among them, only whoever may do everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from octonet.access.principal import Visitor
from octonet.admin.audit_search import Asked, parse
from octonet.admin.audit_trail import AuditTrail, Page, Trail
from octonet.admin.authority import Authority, LetIn, Meant
from octonet.admin.http import nowhere, ok, only, query, steps
from octonet.admin.rights import BYPASS
from octonet.kernel.errors import Denied, invalid
from octonet.kernel.ids import DEFAULT_PROJECT, SYSTEM_PROJECT, ProjectName
from octonet.transport import HttpDoor, Incoming, Reply

NDJSON: Final = "application/x-ndjson"
_ANY: Final = "project:read:any"
_OWN: Final = "project:update"

_encode_lines = msgspec.json.Encoder().encode_lines


class AuditDoor:
    """`let_in` is the reception's; `trail_of` finds the records of a project, or raises `NotFound`."""

    def __init__(
        self,
        trail: AuditTrail,
        trail_of: Callable[[ProjectName], Trail],
        let_in: LetIn,
        meant: Meant,
        authority: Authority,
    ) -> None:
        self._trail = trail
        self._trail_of = trail_of
        self._let_in = let_in
        self._meant = meant
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/audit": self.serve}

    async def serve(self, incoming: Incoming) -> Reply:
        """A page of records."""
        by = await self._let_in(incoming)
        if steps(incoming) != [""]:
            raise nowhere(incoming)
        only(incoming, "GET")
        asked = parse(query(incoming), NDJSON in incoming.headers.get("accept", ""))
        project = self._project(incoming, asked)
        await self._check(by, project)
        page = await self._trail.page(self._trail_of(project), asked)
        return _lines(page) if asked.ndjson else _envelope(page)

    def _project(self, incoming: Incoming, asked: Asked) -> ProjectName:
        if asked.project != SYSTEM_PROJECT:
            return self._meant(incoming, asked.project)
        # No path and no header leads there: it is named like this, or not at all.
        if incoming.project != DEFAULT_PROJECT or "x-project" in incoming.headers:
            raise invalid("?project", "and the path or X-Project name different projects", code="PROJECT_CONFLICT")
        return SYSTEM_PROJECT

    async def _check(self, by: Visitor, project: ProjectName) -> None:
        if project == SYSTEM_PROJECT:
            await self._authority.check(by, BYPASS)
        elif not (await self._authority.among(by, _OWN, [project]) or await self._authority.among(by, _ANY, [project])):
            raise Denied(f"this takes the permission {_OWN!r} in the project, or {_ANY!r}")


def _envelope(page: Page) -> Reply:
    metadata: dict[str, object] = {"count": len(page.records), "more": page.more}
    if page.cursor is not None:
        metadata["cursor"] = page.cursor
    return ok(page.records, metadata=metadata)


def _lines(page: Page) -> Reply:
    headers = {"Cache-Control": "no-store", "Octonet-More": "true" if page.more else "false"}
    if page.cursor is not None:
        headers["Octonet-Cursor"] = page.cursor
    return Reply(_encode_lines(page.records), headers=headers, content_type=NDJSON)
