"""REST: every operation as a resource, in the spellings of the reference and of its readme."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from octonet.gateway import Gateway, Prepared, Read, Written
from octonet.kernel.errors import invalid
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.operation import Raw, Request
from octonet.kernel.schema import Schemas
from octonet.transport import Handler, HttpSettings
from transports.engine import coerce, orm_response, render, routes
from transports.engine.caller import BELOW, PROJECT, actor, project_of
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

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, Handler]:
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

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request. A page that was asked for before, word for word, is not parsed again."""
        if "?" in request.raw_path:
            prepared = self._prepared.get(_key(request))
            if prepared is not None and request.method == "GET" and self._is_current(prepared):
                return self._answer(request, await self._gateway.ask(prepared), 200)
        method = "GET" if request.method == "HEAD" else request.method
        pairs = coerce.query_pairs(request.raw_path)
        project = project_of(request, pairs.pop("project", None))
        schemas = self._gateway.project(project).schemas
        below = coerce.segments(request[BELOW])
        if below and schemas.find(below[0]) is None:
            if project == DEFAULT_PROJECT and self._is_project(below[0]):
                project = ProjectName(below.pop(0))
                schemas = self._gateway.project(project).schemas
                if not below:
                    return _overview(method, project, schemas)
            elif below[0] == "health":
                return _overview(method, None, schemas)
        if not below:
            return _overview(method, None, schemas)
        if method == "OPTIONS":
            return _options(routes.allow(self._catalog, below))
        return await self._run(request, project, below[0], routes.find(self._catalog, method, below), pairs)

    async def describe(self, request: web.BaseRequest) -> web.StreamResponse:
        """The OpenAPI document of the project."""
        if request.method not in ("GET", "HEAD"):
            raise Refused(405, "METHOD_NOT_ALLOWED", "the description can only be read", {"Allow": "GET, HEAD"})
        project = project_of(request)
        return render.reply(self._description.document(project, self._gateway.project(project).schemas))

    def _is_project(self, name: str) -> bool:
        return not name.startswith("_") and name in self._gateway.projects()

    async def _run(
        self,
        request: web.BaseRequest,
        project: ProjectName,
        entity: str,
        route: routes.Route,
        pairs: Mapping[str, str],
    ) -> web.StreamResponse:
        wish = await _request(request, entity, route, pairs)
        if pairs and request.method == "GET":
            prepared = self._gateway.prepare(project, wish)
            if prepared is not None:
                self._keep(_key(request), prepared)
                return self._answer(request, await self._gateway.ask(prepared), route.status)
        return self._answer(request, await self._gateway.execute(project, wish, actor(request, _NAME)), route.status)

    def _is_current(self, prepared: Prepared) -> bool:
        """Whether the project is still the one that the query was checked against."""
        return self._gateway.project(prepared.home.name) is prepared.home

    def _keep(self, key: tuple[str, str, str], prepared: Prepared) -> None:
        if len(self._prepared) >= _MOST_PREPARED:
            del self._prepared[next(iter(self._prepared))]
        if len(key[0]) <= _LONGEST_PREPARED:
            self._prepared[key] = prepared

    @staticmethod
    def _answer(request: web.BaseRequest, result: Read | Written, status: int) -> web.StreamResponse:
        strict = _STRICT in request.headers.get("Prefer", "").lower()
        if strict and orm_response.missing(result):
            message = f"no {result.schema.name} is like that"
            raise Refused(404, "NOT_FOUND", message, {"Preference-Applied": _STRICT})
        extra = {"Octonet-Position": result.position} if isinstance(result, Written) else None
        if strict:
            extra = {**(extra or {}), "Preference-Applied": _STRICT}
        return render.reply(orm_response.encode(result), status, extra)


def _key(request: web.BaseRequest) -> tuple[str, str, str]:
    """What a prepared page depends on: the address, and the project as path and header name it."""
    return request.raw_path, request.get(PROJECT, DEFAULT_PROJECT), request.headers.get("X-Project", "")


async def _request(request: web.BaseRequest, entity: str, route: routes.Route, pairs: Mapping[str, str]) -> Request:
    op = route.operation.op()
    content = route.content
    if not pairs:
        if content is Content.NOTHING:
            return Request(op, entity, msgspec.UNSET if route.id is None else route.id)
        if content is Content.ENTITY:
            id: Raw = msgspec.UNSET if route.id is None else route.id
            return Request(op, entity, id, data=await coerce.body(request))
    found: dict[str, Raw] = {}
    if content is Content.ENTITY:
        found["data"] = await coerce.body(request)
    elif content is Content.MEMBERS:
        found = coerce.members(route.operation, await coerce.body(request))
    coerce.merge(found, coerce.parameters(route.operation, pairs))
    if route.id is not None:
        if "id" in found:
            raise invalid("$.id", "is already in the address")
        found["id"] = route.id
    return coerce.request(op, entity, found)


def _overview(method: str, project: ProjectName | None, schemas: Schemas) -> web.Response:
    """The names of a project's entities, as answered where a path stops short of one."""
    if method == "OPTIONS":
        return _options(_READ_ONLY)
    if method != "GET":
        raise Refused(405, "METHOD_NOT_ALLOWED", f"only {_READ_ONLY} are possible here", {"Allow": _READ_ONLY})
    names = list(schemas.entities)
    told: dict[str, object] = {"status": "ok", "data": names}
    if project is not None:
        told |= {"project": project, "schemas": names}
    return render.reply(msgspec.json.encode(told))


def _options(allowed: str) -> web.Response:
    return web.Response(status=204, headers={"Allow": allowed, "Server": "octonet"})


TRANSPORT = Rest()
