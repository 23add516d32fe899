"""One request at the door, and how it asks the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway, Written
from octonet.kernel.errors import Invalid, NotFound, invalid
from octonet.kernel.ids import ProjectName, Row
from octonet.kernel.operation import Raw, Request
from octonet.project import Project
from octonet.reader import Read
from octonet.transport import Incoming, Reply
from transports.engine.odata import address, model
from transports.engine.odata.conditions import Lookup, Tree
from transports.engine.odata.model import Entity, Model
from transports.engine.odata.negotiation import Format, Preferences
from transports.engine.render import Refused

NO_REFERENCES: Mapping[str, str] = MappingProxyType({})
_encode = msgspec.json.Encoder().encode


class Call(msgspec.Struct, frozen=True):
    """Who asks for what, and how they want it told."""

    gateway: Gateway
    incoming: Incoming
    project: ProjectName
    who: Visitor
    home: Project
    root: str
    """The path of the service, without a slash at its end."""
    version: str
    format: Format
    wishes: Preferences
    references: Mapping[str, str] = NO_REFERENCES
    """What ``$1`` and the like stand for: the addresses of what other requests of a batch make."""
    coming: frozenset[tuple[str, str]] = frozenset()
    """Entity and id of rows that earlier requests of the same change set make."""

    @property
    def model(self) -> Model:
        """The project's types."""
        return model.of(self.home.schemas)

    @property
    def query(self) -> str:
        """The query string."""
        return self.incoming.target.partition("?")[2]

    @property
    def path(self) -> str:
        """The path of the request as it was sent."""
        return self.incoming.target.partition("?")[0]

    async def read(self, op: str, entity: Entity, **members: Raw) -> Read:
        """Ask a query. Raises as `Gateway.execute` does."""
        found = await self.gateway.execute(self.project, Request(op, entity.schema.name, **members), self.who)
        assert isinstance(found, Read)
        return found

    async def write(self, request: Request) -> Written:
        """Carry out a command."""
        found = await self.gateway.execute(self.project, request, self.who)
        assert isinstance(found, Written)
        return found

    async def row(self, entity: Entity, id: str, columns: list[str]) -> Row | None:
        """Some columns of one row."""
        options = {"select": columns, "versions": True}
        return (await self.read("findOne", entity, filter={"id": id}, options=options)).answer.row

    async def resolved(self, tree: Tree) -> Tree:
        """The filter with what must be looked up first in its place. Raises `Invalid`, code TOO_MANY_ROWS."""
        return {name: await self._resolved(part) for name, part in tree.items()}

    async def _resolved(self, part: object) -> object:
        if isinstance(part, Lookup):
            return await self._look_up(part)
        if isinstance(part, dict):
            return await self.resolved(part)
        if isinstance(part, list):
            return [await self._resolved(each) for each in part]
        return part

    async def _look_up(self, lookup: Lookup) -> list[Raw]:
        most = self.home.limits.maximum_page
        entity = self.model.entities[lookup.entity]
        options = {"select": [lookup.column], "limit": most}
        where = await self.resolved(lookup.where)
        answer = (await self.read("findAll", entity, filter=where, options=options)).answer
        if answer.cursor is not None:
            sentence = f"the condition on {lookup.entity} is met by more than {most} rows: narrow it"
            raise invalid("$filter", sentence, code="TOO_MANY_ROWS")
        found = {row[lookup.column] for row in answer.rows or [] if isinstance(row[lookup.column], str)}
        return sorted(found, key=str)

    def headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Those of every answer."""
        return {"OData-Version": self.version, **(more or {})}

    def json(self, told: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """An answer in the format that was asked for."""
        return Reply(_encode(told), status, self.headers(headers), self.format.content_type)

    def empty(self, headers: Mapping[str, str] | None = None) -> Reply:
        """An answer without a body."""
        return Reply(b"", 204, self.headers(headers))

    def context(self, fragment: str) -> dict[str, object]:
        """The first member of an answer, unless it is wanted bare."""
        return {} if self.format.metadata == "none" else {"@odata.context": f"{self.root}/$metadata#{fragment}"}

    def address_of(self, entity: Entity, id: str) -> str:
        """Of a row, from the root of the host."""
        return f"{self.root}/{address.spelled(entity, id)}"

    def number(self, value: int) -> int | str:
        """A 64-bit integer as the format wants it."""
        return str(value) if self.format.ieee else value


def refuse_method(method: str, allowed: str) -> Refused:
    """405."""
    return Refused(405, "METHOD_NOT_ALLOWED", f"{method} is not possible here; {allowed} are", {"Allow": allowed})


def reference(entity_id: str, call: Call) -> tuple[Entity, str]:
    """The row that an address in a body or an option names: absolute, from the host's root, or from the service's.
    Raises `Invalid`, code INVALID_REFERENCE."""
    entity_id = call.references.get(entity_id, entity_id)
    text = entity_id.partition("://")[2].partition("/")[2] if "://" in entity_id else entity_id
    path = text if text.startswith("/") else f"/{text}"
    path = path.removeprefix(call.root) if path.startswith(f"{call.root}/") else path
    try:
        found = address.parse(path, call.model, {})
    except (Invalid, NotFound):
        found = None
    if found is None or found.key is None or found.steps or found.tail or found.held is not None:
        raise invalid("@odata.id", "must be the address of a row, such as authors('x')", code="INVALID_REFERENCE")
    return found.entity, found.key
