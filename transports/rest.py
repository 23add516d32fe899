"""REST: every operation as a resource, in the spellings of the reference and of its readme."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway, Written
from octonet.kernel.errors import invalid
from octonet.kernel.ids import DEFAULT_PROJECT, EntityId, ProjectName
from octonet.kernel.operation import Raw, Request
from octonet.reader import Prepared, Read
from octonet.transport import HttpDoor, HttpSettings, Incoming, Reply
from transports.engine import coerce, conditions, orm_response, routes
from transports.engine.caller import known, project_of, visitor
from transports.engine.describe import Description
from transports.engine.render import Refused
from transports.engine.routes import Content

_NAME = "rest"
_STRICT = "handling=strict"
_MOST_PREPARED = 1024
_LONGEST_PREPARED = 2048
_READ_ONLY = "GET, HEAD, OPTIONS"


class Rest:
    """The REST door."""

    name = _NAME
    default_path = "/api/v1"
    needs = ""

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""
        path = settings.path or self.default_path
        door = _Door(gateway, path)
        return {path: door.serve, "/openapi.json": door.describe}

    async def close(self) -> None:
        """Nothing stays open."""


class _Door:
    def __init__(self, gateway: Gateway, path: str) -> None:
        self._gateway = gateway
        self._catalog = gateway.operations
        self._description = Description(gateway.operations, path)
        self._prepared: dict[tuple[str, str, str], Prepared] = {}

    async def serve(self, incoming: Incoming) -> Reply:
        """One request. A page that was asked for before, word for word, is not parsed again."""
        gateway = self._gateway
        if incoming.below == "/health" and not gateway.has_entity(project_of(incoming), "health"):
            return _overview(incoming.method, None, gateway.entities(project_of(incoming)))
        # Hardly anybody must be looked at more closely.
        who = known(gateway, incoming, _NAME) or await visitor(gateway, incoming, _NAME)
        if "?" in incoming.target:
            prepared = self._prepared.get(_key(incoming))
            conditional = conditions.named(incoming.headers)
            if prepared is not None and incoming.method == "GET" and gateway.is_current(prepared) and not conditional:
                return self._answer(incoming, await gateway.ask(prepared, who), 200)
        method = "GET" if incoming.method == "HEAD" else incoming.method
        pairs = coerce.query_pairs(incoming.target)
        project = project_of(incoming, pairs.pop("project", None))
        below = coerce.segments(incoming.below)
        in_path = self._names_project(project, below)
        if in_path:
            project = ProjectName(below.pop(0))
        if len(below) == 3 and below[2] == routes.HISTORY and method == "GET":
            return await self._history(incoming, project, below, pairs, who)
        if not below:
            names = list((await gateway.enter(project, who)).schemas.entities)
            return _overview(method, project if in_path else None, names)
        if method == "OPTIONS":
            await gateway.enter(project, who)
            return _options(routes.allow(self._catalog, below))
        route = routes.find(self._catalog, method, below)
        return await self._run(incoming, project, below[0], route, pairs, who)

    async def describe(self, incoming: Incoming) -> Reply:
        """The OpenAPI document of the project."""
        if incoming.method not in ("GET", "HEAD"):
            raise Refused(405, "METHOD_NOT_ALLOWED", "the description can only be read", {"Allow": "GET, HEAD"})
        project = project_of(incoming)
        home = await self._gateway.enter(project, await visitor(self._gateway, incoming, _NAME))
        return Reply(self._description.document(project, home.schemas))

    def _names_project(self, project: ProjectName, below: list[str]) -> bool:
        """Whether the first segment names another project, rather than an entity of this one."""
        if not below or project != DEFAULT_PROJECT or not self._gateway.serves(below[0]):
            return False
        return not self._gateway.has_entity(DEFAULT_PROJECT, below[0])

    async def _history(
        self, incoming: Incoming, project: ProjectName, below: list[str], pairs: Mapping[str, str], who: Visitor
    ) -> Reply:
        """The versions of a row, the newest first."""
        for name in pairs:
            if name not in ("limit", "cursor"):
                raise invalid(f"?{name}", "is not a parameter of a history", code="UNKNOWN_PARAMETER")
        limit = coerce.integer(pairs["limit"], "?limit") if "limit" in pairs else None
        found = await self._gateway.history(project, below[0], EntityId(below[1]), who, limit, pairs.get("cursor"))
        strict = _STRICT in incoming.headers.get("prefer", "").lower()
        if strict and not found.versions and "cursor" not in pairs:
            message = f"there never was a {below[0]} with this id"
            raise Refused(404, "NOT_FOUND", message, {"Preference-Applied": _STRICT})
        metadata: dict[str, object] = {"count": len(found.versions)}
        if found.cursor is not None:
            metadata["cursor"] = found.cursor
        body = msgspec.json.encode({"status": "ok", "data": found.versions, "metadata": metadata})
        return Reply(body, headers={"Preference-Applied": _STRICT} if strict else {})

    async def _run(
        self,
        incoming: Incoming,
        project: ProjectName,
        entity: str,
        route: routes.Route,
        pairs: Mapping[str, str],
        who: Visitor,
    ) -> Reply:
        wish = _request(incoming, entity, route, pairs)
        if conditions.named(incoming.headers):
            wish = conditions.add(wish, route.operation, incoming.headers)
        elif pairs and incoming.method == "GET":
            prepared = self._gateway.prepare(project, wish, who)
            if prepared is not None:
                self._keep(_key(incoming), prepared)
                return self._answer(incoming, await self._gateway.ask(prepared, who), route.status)
        return self._answer(incoming, await self._gateway.execute(project, wish, who), route.status)

    def _keep(self, key: tuple[str, str, str], prepared: Prepared) -> None:
        if len(self._prepared) >= _MOST_PREPARED:
            del self._prepared[next(iter(self._prepared))]
        if len(key[0]) <= _LONGEST_PREPARED:
            self._prepared[key] = prepared

    @staticmethod
    def _answer(incoming: Incoming, result: Read | Written, status: int) -> Reply:
        strict = _STRICT in incoming.headers.get("prefer", "").lower()
        if strict and orm_response.missing(result):
            message = f"no {result.schema.name} is like that"
            raise Refused(404, "NOT_FOUND", message, {"Preference-Applied": _STRICT})
        headers: dict[str, str] = {}
        if isinstance(result, Written):
            headers |= conditions.told(result)
            status = 200 if result.trial is not None else status
        if result.version and not (isinstance(result, Written) and result.trial is not None):
            headers["ETag"] = conditions.etag(result.version)
        if strict:
            headers["Preference-Applied"] = _STRICT
        return Reply(orm_response.encode(result), status, headers)


def _key(incoming: Incoming) -> tuple[str, str, str]:
    """What a prepared page depends on: the address, and the project as path and header name it."""
    return incoming.target, incoming.project, incoming.headers.get("x-project", "")


def _request(incoming: Incoming, entity: str, route: routes.Route, pairs: Mapping[str, str]) -> Request:
    op = route.operation.op()
    content = route.content
    if not pairs:
        if content is Content.NOTHING:
            return Request(op, entity, msgspec.UNSET if route.id is None else route.id)
        if content is Content.ENTITY:
            id: Raw = msgspec.UNSET if route.id is None else route.id
            return Request(op, entity, id, data=coerce.body(incoming))
    found: dict[str, Raw] = {}
    if content is Content.ENTITY:
        found["data"] = coerce.body(incoming)
    elif content is Content.MEMBERS:
        found = coerce.members(route.operation, coerce.body(incoming))
    coerce.merge(found, coerce.parameters(route.operation, pairs))
    if route.id is not None:
        if "id" in found:
            raise invalid("$.id", "is already in the address")
        found["id"] = route.id
    return coerce.request(op, entity, found)


def _overview(method: str, project: ProjectName | None, names: list[str]) -> Reply:
    """The names of a project's entities, as answered where a path stops short of one."""
    if method == "OPTIONS":
        return _options(_READ_ONLY)
    if method not in ("GET", "HEAD"):
        raise Refused(405, "METHOD_NOT_ALLOWED", f"only {_READ_ONLY} are possible here", {"Allow": _READ_ONLY})
    told: dict[str, object] = {"status": "ok", "data": names}
    if project is not None:
        told |= {"project": project, "schemas": names}
    return Reply(msgspec.json.encode(told))


def _options(allowed: str) -> Reply:
    return Reply(status=204, headers={"Allow": allowed})


TRANSPORT = Rest()
