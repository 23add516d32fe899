"""The arguments of a field as the members of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from graphql import ArgumentNode, VariableNode

from octonet.kernel.errors import invalid
from octonet.kernel.operation import Raw
from octonet.kernel.schema import EntitySchema
from octonet.kernel.value_types import Misfit
from transports.engine import coerce
from transports.engine.graphql import filters
from transports.engine.graphql.roots import Argument, Form
from transports.engine.graphql.values import Reader, literal, refusal

_OPTION: Final = "options."
_NULL_IS_A_VALUE: Final = frozenset({"element"})


class Taken(msgspec.Struct, frozen=True):
    """What a field's arguments may be, and how each is read."""

    arguments: Mapping[str, Argument]
    readers: Mapping[str, Reader]
    schema: EntitySchema | None
    """Whose columns a filter speaks of."""


def read(taken: Taken, nodes: tuple[ArgumentNode, ...], variables: Mapping[str, object]) -> dict[str, Raw]:
    """The members, options in an object of their own. Raises `Invalid`."""
    found: dict[str, Raw] = {}
    options: dict[str, Raw] = {}
    for node in nodes:
        name = node.name.value
        argument = taken.arguments[name]
        value = _value(taken, argument, node, variables)
        if value is msgspec.UNSET or (value is None and name not in _NULL_IS_A_VALUE):
            continue
        member = argument.member
        into = found
        if member.startswith(_OPTION):
            member, into = member[len(_OPTION) :], options
        if member in into:
            raise invalid(f"$.{name}", f"says a second time what {_other(taken, argument)!r} says")
        into[member] = _formed(taken, argument, value)
    if options:
        found["options"] = options
    return found


def _value(taken: Taken, argument: Argument, node: ArgumentNode, variables: Mapping[str, object]) -> object:
    value = literal(node.value, variables)
    if value is msgspec.UNSET:
        return value
    if isinstance(node.value, VariableNode) and (value is not None or not argument.type.endswith("!")):
        # It was read as what its variable is declared to be, which fits here: the document is valid.
        return value
    try:
        return taken.readers[argument.name](value)
    except Misfit as misfit:
        raise refusal(misfit, f"$.{argument.name}") from None


def _formed(taken: Taken, argument: Argument, value: object) -> Raw:
    match argument.form:
        case Form.JSON_TEXT:
            assert isinstance(value, str)
            return coerce.json_text(value, f"$.{argument.member}")
        case Form.JSON if isinstance(value, str):
            return coerce.json_text(value, f"$.{argument.member}")
        case Form.WHERE:
            assert taken.schema is not None
            return filters.where(taken.schema, value)
        case Form.ORDER:
            return filters.order(value)
        case _:
            return value


def _other(taken: Taken, argument: Argument) -> str:
    return next(a.name for a in taken.arguments.values() if a.member == argument.member and a.name != argument.name)
