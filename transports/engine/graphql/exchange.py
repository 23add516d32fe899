"""The door for whole requests, by the specification of GraphQL over HTTP."""

from __future__ import annotations

import asyncio
import gc
import importlib
from typing import TYPE_CHECKING, Final

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import Kind, OctonetError
from octonet.kernel.ids import ProjectName
from octonet.transport import Incoming, Reply
from transports.engine import coerce, conditions, render
from transports.engine.caller import known, project_of, visitor
from transports.engine.graphql import accept, page, wanted
from transports.engine.graphql.problems import Unacceptable, all_of, is_of_request
from transports.engine.graphql.settings import GraphqlSettings
from transports.engine.graphql.wanted import Wanted

if TYPE_CHECKING:
    from transports.engine.graphql.service import Answer, Ready, Service

NAME: Final = "graphql"
_MOST_READY: Final = 1024
_LONGEST_READY: Final = 2048
_FORMS: Final = (accept.RESPONSE, accept.LEGACY)
_TYPES: Final = {form: f"{form}; charset=utf-8" for form in _FORMS}
_encode = msgspec.json.Encoder().encode


class Engine:
    """The engine: loaded with the first request, beside the loop, because nobody should wait for it who does not use
    it."""

    def __init__(self, gateway: Gateway, settings: GraphqlSettings) -> None:
        self._gateway = gateway
        self._settings = settings
        self._loading: asyncio.Task[Service] | None = None
        self.loaded: Service | None = None

    async def service(self) -> Service:
        """It, as soon as it is there."""
        if self.loaded is None:
            if self._loading is None:
                self._loading = asyncio.create_task(asyncio.to_thread(self._load))
            self.loaded = await asyncio.shield(self._loading)
            # What was loaded stays: no collection has to look through it.
            gc.freeze()
        return self.loaded

    def _load(self) -> Service:
        module = importlib.import_module("transports.engine.graphql.service")
        made: Service = module.Service(self._gateway, self._settings)
        return made


class Exchanges:
    """Answers whole requests."""

    def __init__(self, gateway: Gateway, engine: Engine, settings: GraphqlSettings) -> None:
        self._gateway = gateway
        self._engine = engine
        self._settings = settings
        self._ready: dict[tuple[bytes, ProjectName, str, str], Ready] = {}

    async def serve(self, incoming: Incoming) -> Reply:
        """One request."""
        form = accept.form(incoming.headers.get("accept", ""))
        try:
            if incoming.below.strip("/"):
                raise render.Refused(404, "NOT_FOUND", "the GraphQL door has no parts")
            if incoming.method in ("GET", "HEAD"):
                return await self._get(incoming, form)
            if incoming.method == "OPTIONS":
                return Reply(status=204, headers={"Allow": "GET, HEAD, POST, OPTIONS"})
            if incoming.method != "POST":
                raise wanted.not_possible(incoming.method)
            return await self._post(incoming, form)
        except OctonetError as problem:
            return self.refusal(problem, form)

    async def _post(self, incoming: Incoming, form: str) -> Reply:
        headers = incoming.headers
        who = known(self._gateway, incoming, NAME) or await visitor(self._gateway, incoming, NAME)
        key = (incoming.body, incoming.project, headers.get("x-project", ""), headers.get("content-type", ""))
        service = self._engine.loaded
        if service is not None and not conditions.named(headers) and form:
            ready = self._ready.get(key)
            if ready is not None and service.is_current(ready) and "?" not in incoming.target:
                return _reply(await service.again(ready, who), form)
        _check_form(form)
        request = wanted.of_body(incoming.body, headers.get("content-type", ""))
        pairs = coerce.query_pairs(incoming.target) if "?" in incoming.target else {}
        if pairs:
            wanted.check_around(pairs)
        answer = await self._execute(incoming, who, request, pairs.get("project"), safe=False)
        if answer.ready is not None and not pairs and len(incoming.body) <= _LONGEST_READY:
            if len(self._ready) >= _MOST_READY:
                del self._ready[next(iter(self._ready))]
            self._ready[key] = answer.ready
        return _reply(answer, form)

    async def _get(self, incoming: Incoming, form: str) -> Reply:
        pairs = coerce.query_pairs(incoming.target)
        asks = "query" in pairs or "extensions" in pairs or "documentId" in pairs
        header = incoming.headers.get("accept", "")
        if not asks and self._settings.page and accept.best(header, (*_FORMS, accept.PAGE)) == accept.PAGE:
            return page.reply()
        who = known(self._gateway, incoming, NAME) or await visitor(self._gateway, incoming, NAME)
        _check_form(form)
        request = wanted.of_address(pairs)
        return _reply(await self._execute(incoming, who, request, pairs.get("project"), safe=True), form)

    async def _execute(
        self, incoming: Incoming, who: Visitor, request: Wanted, project: str | None, *, safe: bool
    ) -> Answer:
        home = self._gateway.look(project_of(incoming, project), who)
        demands = wanted.demands(incoming.headers, request)
        service = self._engine.loaded or await self._engine.service()
        try:
            return await service.execute(home, who, request, demands, safe=safe)
        except OctonetError as problem:
            raise (_NotExecuted(problem) if is_of_request(problem) else problem) from None

    def _status(self, problem: OctonetError, form: str) -> int:
        if form == accept.LEGACY:
            # What was an answer before there were media types for one: clients read it whatever it says.
            return 200
        parsed = not isinstance(problem, Unacceptable) or problem.parsed
        return 422 if self._settings.strict_status and parsed else 400

    def refusal(self, problem: OctonetError, form: str) -> Reply:
        """The reply to what was not executed."""
        form = form or accept.RESPONSE
        status = render.status_of(problem)
        headers: dict[str, str] = {}
        if isinstance(problem, render.Refused):
            headers |= problem.headers
        elif problem.retry_after:
            headers["Retry-After"] = str(problem.retry_after)
        if problem.kind is Kind.UNAUTHENTICATED:
            headers["WWW-Authenticate"] = 'Bearer realm="octonet"'
        if isinstance(problem, _NotExecuted):
            problem = problem.problem
            status = self._status(problem, form)
        return Reply(_encode({"errors": all_of(problem)}), status, headers, _TYPES[form])


class _NotExecuted(OctonetError):
    """A request that is one, for something that cannot be executed."""

    def __init__(self, problem: OctonetError) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _check_form(form: str) -> None:
    if not form:
        offered = " and ".join(_FORMS)
        raise render.Refused(406, "NOT_ACCEPTABLE", f"the answer can be {offered}")


def _reply(answer: Answer, form: str) -> Reply:
    headers = {"Octonet-Position": answer.position} if answer.position else {}
    return Reply(answer.encode(), 200, headers, _TYPES[form])
