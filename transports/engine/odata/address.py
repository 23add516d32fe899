"""Where a path leads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote as percent

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.faults import quote
from octonet.kernel.operation import Operation
from transports.engine import coerce
from transports.engine.odata.lexer import unquoted
from transports.engine.odata.model import NAMESPACE, Entity, Model, Navigation, Property
from transports.engine.odata.problems import nothing, unsupported

_WITH_KEY: Final = re.compile(r"([^()]+)\((.*)\)", re.DOTALL)
_KEY: Final = re.compile(r"\s*(?:id\s*=\s*)?('(?:[^']|'')*')\s*", re.DOTALL)
_MOST: Final = 16
_TAILS: Final = ("$count", "$ref", "$value")


class Step(msgspec.Struct, frozen=True):
    """A navigation, and the key of the row that it is to."""

    navigation: Navigation
    key: str | None = None


class Address(msgspec.Struct, frozen=True):
    """A path from an entity set on."""

    entity: Entity
    """Of the set that it starts from."""
    key: str | None = None
    steps: tuple[Step, ...] = ()
    held: Property | None = None
    """The property that is asked for by itself."""
    tail: str = ""
    """``$count``, ``$ref``, ``$value`` or nothing."""
    operation: type[Operation] | None = None
    """Bound to the set, or to the row."""

    @property
    def single(self) -> bool:
        """Whether it leads to one row at most, rather than to any number."""
        if not self.steps:
            return self.key is not None
        last = self.steps[-1]
        return last.key is not None or not last.navigation.collection


def parse(below: str, model: Model, catalog: Mapping[str, type[Operation]]) -> Address:
    """The address that a path below the service root names. Raises `NotFound`, `Invalid`, and a 501."""
    segments = coerce.segments(below)
    if len(segments) > _MOST:
        raise nothing("the path has too many parts")
    name, key = _split(segments[0])
    found = Address(model.set(name), key)
    entity = found.entity
    rest: Sequence[str] = segments[1:]
    while rest:
        segment, rest = rest[0], rest[1:]
        if found.held is not None or found.tail or found.operation is not None:
            found = _behind_value(found, segment)
        elif segment.startswith("$"):
            found = _tail(found, segment)
        elif segment.startswith(f"{NAMESPACE}."):
            found = msgspec.structs.replace(found, operation=_operation(segment, catalog))
        elif not found.single:
            found = _keyed(found, _segment_key(segment))
        else:
            found, entity = _member(found, entity, segment, model)
    return found


def key_of(text: str) -> str:
    """The key between parentheses: ``'x'`` or ``id='x'``."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise invalid("key", "must be a text in quotes, such as ('x')", code="INVALID_KEY")
    return unquoted(match[1])


def _split(segment: str) -> tuple[str, str | None]:
    match = _WITH_KEY.fullmatch(segment)
    return (segment, None) if match is None else (match[1], key_of(match[2]))


def _segment_key(segment: str) -> str:
    """A key that is a segment of its own."""
    if "(" in segment and ")" in segment:
        raise nothing(f"nothing is called {quote(segment)} here")
    return segment


def _keyed(found: Address, key: str) -> Address:
    if not found.steps:
        return msgspec.structs.replace(found, key=key)
    *before, last = found.steps
    return msgspec.structs.replace(found, steps=(*before, Step(last.navigation, key)))


def _tail(found: Address, segment: str) -> Address:
    if segment not in _TAILS:
        raise unsupported("the path", segment)
    if segment == "$count" and found.single:
        raise nothing("one row is not counted")
    if segment == "$value":
        raise unsupported("the path", "a row as a stream of bytes")
    return msgspec.structs.replace(found, tail=segment)


def _behind_value(found: Address, segment: str) -> Address:
    if segment == "$value" and found.held is not None and not found.tail:
        return msgspec.structs.replace(found, tail=segment)
    if found.held is not None and segment == "$count":
        raise unsupported("the path", "the number of a property's values")
    raise nothing(f"nothing is called {quote(segment)} here")


def _operation(segment: str, catalog: Mapping[str, type[Operation]]) -> type[Operation]:
    name = segment.removeprefix(f"{NAMESPACE}.").removesuffix("()")
    found = catalog.get(name)
    if found is None:
        raise nothing(f"there is no action {quote(segment)}")
    return found


def _member(found: Address, entity: Entity, segment: str, model: Model) -> tuple[Address, Entity]:
    name, key = _split(segment)
    navigation = entity.navigations.get(name)
    if navigation is not None:
        if key is not None and not navigation.collection:
            raise nothing(f"{quote(name)} leads to one row: it takes no key")
        steps = (*found.steps, Step(navigation, key))
        return msgspec.structs.replace(found, steps=steps), model.target(navigation)
    held = entity.properties.get(name)
    if held is None or held.secret or key is not None:
        raise nothing(f"{entity.schema.name} has no property {quote(segment)}")
    return msgspec.structs.replace(found, held=held), entity


def spelled(entity: Entity, id: str) -> str:
    """The address of a row, below the service root."""
    doubled = percent(id.replace("'", "''"), safe="'")
    return f"{entity.set}('{doubled}')"
