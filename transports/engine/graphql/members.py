"""The arguments of a field as the members of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from graphql import ArgumentNode, ValueNode, VariableNode

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
_Formed: TypeAlias = Callable[[object], Raw]


class Taken(msgspec.Struct, frozen=True):
    """What a field's arguments may be, and how each is read."""

    arguments: Mapping[str, Argument]
    readers: Mapping[str, Reader]
    schema: EntitySchema | None
    """Whose columns a filter speaks of."""


class _Given(msgspec.Struct, frozen=True):
    """An argument that a document gives."""

    name: str
    member: str
    """The field of the request, or the option."""
    option: bool
    """Whether it is one of the options."""
    variable: str
    """The variable that it is; empty where the document has a value."""
    node: ValueNode
    read: Reader
    present: bool
    """Whether it cannot be null."""
    nullable: bool
    """Whether null says anything."""
    formed: _Formed | None
    """Makes the member of the value, where that is another thing."""

    def checked(self, value: object) -> object:
        """The value as it is meant. Raises `ValidationError`."""
        try:
            return self.read(value)
        except Misfit as misfit:
            raise refusal(misfit, f"$.{self.name}") from None


class Members(msgspec.Struct, frozen=True):
    """The arguments of one field of a document, ready to be read with any variables."""

    given: tuple[_Given, ...]
    schema: EntitySchema | None
    """Whose columns a filter speaks of."""
    arguments: Mapping[str, Argument]

    @classmethod
    def of(cls, taken: Taken, nodes: Sequence[ArgumentNode]) -> Members:
        """Those of these nodes."""
        return cls(tuple(_given(taken, node) for node in nodes), taken.schema, taken.arguments)

    def read(self, variables: Mapping[str, object]) -> dict[str, Raw]:
        """The members by the names of the request's fields, options in an object of their own. Raises `Invalid`."""
        found: dict[str, Raw] = {}
        options: dict[str, Raw] = {}
        for given in self.given:
            name = given.variable
            value = variables.get(name, msgspec.UNSET) if name else literal(given.node, variables)
            if not name or (value is None and given.present):
                # Else it was read as what its variable is declared to be, which fits here: the document is valid.
                value = given.checked(value)
            if value is msgspec.UNSET or (value is None and not given.nullable):
                continue
            into = options if given.option else found
            if given.member in into:
                raise invalid(f"$.{given.name}", f"says a second time what {self._other(given)!r} says")
            into[given.member] = value if given.formed is None else given.formed(value)
        if options:
            found["options"] = options
        return found

    def _other(self, given: _Given) -> str:
        member = self.arguments[given.name].member
        return next(a.name for a in self.arguments.values() if a.member == member and a.name != given.name)


NOTHING: Final = Members((), None, {})
"""Of a field without arguments."""


def _given(taken: Taken, node: ArgumentNode) -> _Given:
    name = node.name.value
    argument = taken.arguments[name]
    option = argument.member.startswith(_OPTION)
    return _Given(
        name=name,
        member=argument.member[len(_OPTION) :] if option else coerce.field(argument.member),
        option=option,
        variable=node.value.name.value if isinstance(node.value, VariableNode) else "",
        node=node.value,
        read=taken.readers[name],
        present=argument.type.endswith("!"),
        nullable=name in _NULL_IS_A_VALUE,
        formed=_former(taken, argument),
    )


def _former(taken: Taken, argument: Argument) -> _Formed | None:
    path = f"$.{argument.member}"
    match argument.form:
        case Form.JSON_TEXT | Form.JSON:
            return lambda value: coerce.json_text(value, path) if isinstance(value, str) else value
        case Form.WHERE:
            schema = taken.schema
            assert schema is not None
            return lambda value: filters.where(schema, value)
        case Form.ORDER:
            return filters.order
        case _:
            return None
