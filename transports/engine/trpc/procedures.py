"""Procedures: what a path names, and its input as the members of a request."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from octonet.kernel.errors import NotFound, invalid
from octonet.kernel.operation import Operation, Query, Raw, Request
from transports.engine import coerce

WATCH: Final = "watch"
"""The subscription: of one entity behind its name, of a whole project alone."""
_OPTIONS: Final[Mapping[str, str]] = {
    name: name for name in ("sort", "limit", "skip", "select", "exclude", "includeDeleted")
} | {"cursor": "after"}
"""Members that stand in the input itself for those of `options`, as the reference has them."""
_TEXTS: Final = frozenset({"filter", "data", "sort", "stages"})
"""Members that may come as JSON text."""


class Kind(StrEnum):
    """How a client asks for a procedure."""

    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"


class Procedure(msgspec.Struct, frozen=True):
    """One procedure."""

    path: str
    entity: str
    """Empty: of the whole project."""
    operation: type[Operation] | None
    """None for the subscription."""

    @property
    def kind(self) -> Kind:
        """How it is asked for."""
        if self.operation is None:
            return Kind.SUBSCRIPTION
        return kind(self.operation)


def kind(operation: type[Operation]) -> Kind:
    """How a client asks for an operation."""
    return Kind.QUERY if issubclass(operation, Query) else Kind.MUTATION


def find(catalog: Mapping[str, type[Operation]], path: str) -> Procedure:
    """The procedure that a path names; whether there is such an entity, the gateway says. Raises `NotFound`."""
    entity, _, name = path.rpartition(".")
    operation = catalog.get(name)
    if name != WATCH and (operation is None or not entity):
        raise NotFound(f"no procedure is called {path[:200]!r}", code="UNKNOWN_OP")
    return Procedure(path, entity, operation)


def request(procedure: Procedure, content: Raw) -> Request:
    """The request that the input of an operation makes. Raises `Invalid` naming the member."""
    operation = procedure.operation
    assert operation is not None
    return coerce.request(operation.op(), procedure.entity, coerce.members(operation, _gathered(members(content))))


def members(content: Raw) -> dict[str, Raw]:
    """The members of an input; it may be left out, or be wrapped in ``{"input": …}``."""
    if content is msgspec.UNSET or content is None:
        return {}
    if isinstance(content, dict) and content.keys() == {"input"}:
        content = content["input"]
    if not isinstance(content, dict):
        raise invalid("$", "must be a JSON object")
    return content


def _gathered(content: dict[str, Raw]) -> dict[str, Raw]:
    found: dict[str, Raw] = {}
    options: dict[str, Raw] = {}
    for name, value in content.items():
        read = coerce.json_text(value, f"$.{name}") if name in _TEXTS and isinstance(value, str) else value
        if name in _OPTIONS:
            options[_OPTIONS[name]] = read
        else:
            found[name] = read
    return coerce.merge(found, {"options": options}) if options else found
