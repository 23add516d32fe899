"""The registry of scopes: what may be named in a key's permissions. Whoever owns a scope registers it; the values of a
dynamic one are asked of its owner each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from octonet.access.principal import INSIDER, Visitor
from octonet.gateway import Gateway, Read, Written
from octonet.kernel.errors import Conflict, NotFound, validation
from octonet.kernel.ids import SYSTEM_PROJECT, JsonValue, Row
from octonet.kernel.operation import Raw, Request

_SCOPE, _VALUE = "ApiKeyScope", "ApiKeyScopeValue"
_MOST = 1000


class Scope(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A scope to register."""

    name: str
    label: str
    description: str | None = None
    icon: str | None = None
    cardinality: Literal["low", "high"] = "low"
    module_source: str | None = None


class Value(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """One value of a static scope."""

    value: str
    label: str | None = None
    sort_order: int = 0
    metadata: dict[str, Raw] | None = None


class Scopes:
    """The registry. `dynamic`: the owners of dynamic scopes by name, each telling its values as they are now."""

    def __init__(self, gateway: Gateway, dynamic: Mapping[str, Callable[[], list[str]]]) -> None:
        self._gateway = gateway
        self._dynamic = dynamic

    async def every(self, by: Visitor) -> list[Row]:
        """All scopes, each with its values in order."""
        scopes = await self._rows(by, _SCOPE, {"name": 1})
        values = await self._rows(by, _VALUE, {"sortOrder": 1})
        return [{**scope, "values": self._values(str(scope["name"]), values)} for scope in scopes]

    async def register(self, by: Visitor, scope: Scope) -> Row:
        """Add a scope. Raises `Conflict` when its name is taken."""
        if not scope.name.isidentifier():
            raise validation("$.name", "must be letters, digits and underscores, no digit first")
        data = {**msgspec.to_builtins(scope), "id": scope.name}
        return await self._write(by, Request("create", _SCOPE, data=data))

    async def put(self, by: Visitor, scope: str, value: Value) -> Row:
        """Add a value to a static scope, or change it."""
        await self._check_static(by, scope)
        data = {**msgspec.to_builtins(value), "scopeName": scope}
        where = {"scopeName": scope, "value": value.value}
        return await self._write(by, Request("upsert", _VALUE, filter=where, data=data))

    async def remove(self, by: Visitor, scope: str, value: str) -> None:
        """Take a value away. Keys that name it keep it. Raises `NotFound`."""
        await self._check_static(by, scope)
        wish = Request("findOne", _VALUE, filter={"scopeName": scope, "value": value})
        found = await self._run(by, wish)
        assert isinstance(found, Read)
        if found.answer.row is None:
            raise NotFound(f"scope {scope!r} has no value {value!r}")
        await self._run(by, Request("delete", _VALUE, found.answer.row["id"]))

    def _values(self, scope: str, stored: list[Row]) -> list[JsonValue]:
        if scope in self._dynamic:
            return [{"value": value, "label": value} for value in self._dynamic[scope]()]
        return [row for row in stored if row["scopeName"] == scope]

    async def _check_static(self, by: Visitor, scope: str) -> None:
        if scope in self._dynamic:
            raise Conflict(f"the values of scope {scope!r} are those of its owner", code="DYNAMIC_SCOPE")
        found = await self._run(by, Request("count", _SCOPE, filter={"name": scope}))
        assert isinstance(found, Read)
        if not found.answer.count:
            raise NotFound(f"there is no scope {scope!r}")

    async def _rows(self, by: Visitor, entity: str, sort: dict[str, Raw]) -> list[Row]:
        found = await self._run(by, Request("findAll", entity, options={"limit": _MOST, "sort": sort}))
        assert isinstance(found, Read)
        return found.answer.rows or []

    async def _write(self, by: Visitor, request: Request) -> Row:
        done = await self._run(by, request)
        assert isinstance(done, Written)
        assert done.data is not None
        row: Row = msgspec.json.decode(done.data)
        return row

    async def _run(self, by: Visitor, request: Request) -> Read | Written:
        return await self._gateway.execute(SYSTEM_PROJECT, request, Visitor(INSIDER, by.actor))
