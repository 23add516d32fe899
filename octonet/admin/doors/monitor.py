"""`/monitor`: replicas and rules as they are and what happens to them, for whoever sees to the installation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import msgspec
from aiohttp import web

from octonet.access.principal import Visitor
from octonet.admin.authority import Authority
from octonet.admin.doors.live_log import STREAM_HEADERS
from octonet.admin.doors.replicas import shown as shown_replica
from octonet.admin.doors.rules import shown as shown_rule
from octonet.admin.http import answer, nowhere, only, query, steps
from octonet.admin.monitor_page import page
from octonet.admin.projects import Projects
from octonet.admin.reception import Entrance
from octonet.admin.replicas import Replicas
from octonet.admin.rights import BYPASS
from octonet.admin.rules import Rules
from octonet.clock import now
from octonet.kernel.instant import iso
from octonet.kernel.replica import Routing
from octonet.transport import HttpDoor, Incoming, Reply, Stream

_encode: Final = msgspec.json.Encoder().encode


class Told(Protocol):
    """One event."""

    @property
    def type(self) -> str:
        """Its kind, as `replica.added`."""
        ...


class Events(Protocol):
    """What happened."""

    @property
    def kept(self) -> Sequence[Told]:
        """The last of it, oldest first."""
        ...

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[Told | None]]:
        """What happens from now on; None now and then while nothing does."""
        ...


class MonitorDoor:
    """For whoever may do everything."""

    def __init__(
        self,
        projects: Projects,
        replicas: Replicas,
        rules: Rules,
        events: Events,
        entrance: Entrance,
        authority: Authority,
    ) -> None:
        self._projects = projects
        self._replicas = replicas
        self._rules = rules
        self._events = events
        self._entrance = entrance
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/monitor": self.page, "/monitor/api": self.serve, "/monitor/api/stream": Stream(self.stream)}

    async def page(self, incoming: Incoming) -> Reply:
        """The page, in which nothing is told of anything: what it shows it asks for, as whoever looks at it."""
        if steps(incoming) != [""]:
            raise nowhere(incoming)
        only(incoming, "GET", "HEAD")
        return page()

    async def serve(self, incoming: Incoming) -> Reply:
        """The figures."""
        by = await self._entrance.let_in(incoming)
        only(incoming, "GET")
        await self._authority.check(by, BYPASS)
        match steps(incoming):
            case ["health"]:
                return answer({"ok": True, "ts": iso(now())})
            case ["replicas"]:
                return answer(await self._replicas_told(by))
            case ["rules"]:
                rules = await self._rules.specified(by)
                stats = await self._rules.all_stats(rules)
                told = [{**shown_rule(rule, stats[rule.id]), "stats": stats[rule.id]} for rule in rules]
                return answer({"rules": told})
            case ["routing"]:
                return answer(await self._routing_told(by))
            case ["events"]:
                return answer({"events": self._events.kept})
            case _:
                raise nowhere(incoming)

    async def stream(self, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        """Events as they come, until the client leaves."""
        asked = query(incoming)
        ticket = asked.get("ticket", "")
        by = await (self._entrance.by_ticket(incoming, ticket) if ticket else self._entrance.let_in(incoming))
        if steps(incoming) != [""]:
            raise nowhere(incoming)
        only(incoming, "GET")
        await self._authority.check(by, BYPASS)
        response = web.StreamResponse(headers={**STREAM_HEADERS, **incoming.shared})
        async with self._events.watch() as events:
            await response.prepare(request)
            await response.write(b'event: connected\ndata: {"type":"connected"}\n\n')
            async for event in events:
                # Without a revocation in between: whoever may no longer see this is sent away soon.
                if event is None:
                    await self._authority.check(by, BYPASS)
                    await response.write(b":\n\n")
                else:
                    await response.write(b"event: %s\ndata: %s\n\n" % (event.type.encode(), _encode(event)))
        return response

    async def _replicas_told(self, by: Visitor) -> dict[str, object]:
        found: dict[str, object] = {}
        rows = await self._replicas.specified(by)
        for project in await self._projects.wanted(by):
            own = [row for row in rows if row.project == project.name]
            told = await self._replicas.told(project.name) if own else {}
            found[project.name] = [shown_replica(row, project, told.get(row.id)) for row in own]
        return found

    async def _routing_told(self, by: Visitor) -> dict[str, str]:
        said = await self._replicas.routing(by)
        return {p.name: said.get(p.name, Routing.ROUND_ROBIN).value for p in await self._projects.wanted(by)}
