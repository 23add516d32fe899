"""The registry of scopes: what may be named in a key's permissions. Whoever owns a scope registers it; the values of a
dynamic one are asked of its owner each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from octonet.access.principal import Visitor
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Conflict, NotFound, validation
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.operation import Raw, Request

_SCOPE, _VALUE = "ApiKeyScope", "ApiKeyScopeValue"


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

    def __init__(self, system: SystemProject, dynamic: Mapping[str, Callable[[], list[str]]]) -> None:
        self._system = system
        self._dynamic = dynamic

    async def every(self, by: Visitor) -> list[Row]:
        """All scopes, each with its values in order."""
        scopes = await self._system.every(by, _SCOPE, sort={"name": 1})
        values = await self._system.every(by, _VALUE, sort={"sortOrder": 1})
        return [{**scope, "values": self._values(str(scope["name"]), values)} for scope in scopes]

    async def register(self, by: Visitor, scope: Scope) -> Row:
        """Add a scope. Raises `Conflict` when its name is taken."""
        if not scope.name.isidentifier():
            raise validation("$.name", "must be letters, digits and underscores, no digit first")
        return await self._system.create(by, _SCOPE, {**msgspec.to_builtins(scope), "id": scope.name})

    async def put(self, by: Visitor, scope: str, value: Value) -> Row:
        """Add a value to a static scope, or change it."""
        await self._check_static(by, scope)
        data = {**msgspec.to_builtins(value), "scopeName": scope}
        where = {"scopeName": scope, "value": value.value}
        row = await self._system.write(by, Request("upsert", _VALUE, filter=where, data=data))
        assert row is not None
        return row

    async def remove(self, by: Visitor, scope: str, value: str) -> None:
        """Take a value away. Keys that name it keep it. Raises `NotFound`."""
        await self._check_static(by, scope)
        row = await self._system.find_one(by, _VALUE, {"scopeName": scope, "value": value})
        if row is None:
            raise NotFound(f"scope {scope!r} has no value {value!r}")
        await self._system.write(by, Request("delete", _VALUE, row["id"]))

    def _values(self, scope: str, stored: list[Row]) -> list[JsonValue]:
        if scope in self._dynamic:
            return [{"value": value, "label": value} for value in self._dynamic[scope]()]
        return [row for row in stored if row["scopeName"] == scope]

    async def _check_static(self, by: Visitor, scope: str) -> None:
        if scope in self._dynamic:
            raise Conflict(f"the values of scope {scope!r} are those of its owner", code="DYNAMIC_SCOPE")
        if not await self._system.count(by, _SCOPE, {"name": scope}):
            raise NotFound(f"there is no scope {scope!r}")
