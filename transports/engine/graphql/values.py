"""Values from documents and variables: read by the rules of GraphQL, told with paths where they do not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec
from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)

from octonet.kernel.errors import Fault, ValidationError
from octonet.kernel.faults import MOST, kind, quote, step
from octonet.kernel.value_types import Misfit
from transports.engine.graphql.scalars import PLAIN, READERS

Reader: TypeAlias = Callable[[object], object]
"""Gives the value as it is meant, or raises `Misfit`."""
_DEEPEST: Final = 64


class UnknownMember(Misfit):
    """Every fault is about a name that is none of the type's."""


class Readers:
    """The readers of a schema's input types, each made when it is first needed."""

    def __init__(self) -> None:
        self._made: dict[str, Reader] = {}

    def of(self, type_: GraphQLInputType) -> Reader:
        """The reader of a type."""
        name = str(type_)
        found = self._made.get(name)
        if found is None:
            # Types refer to each other, and to themselves: what refers to this one meanwhile finds it later.
            later = _Later()
            self._made[name] = later
            found = self._made[name] = later.reader = self._make(type_)
        return found

    def _make(self, type_: GraphQLInputType) -> Reader:
        if isinstance(type_, GraphQLNonNull):
            return _present(self.of(type_.of_type))
        if isinstance(type_, GraphQLList):
            return _list(self.of(type_.of_type))
        if isinstance(type_, GraphQLInputObjectType):
            types = {name: field.type for name, field in type_.fields.items()}
            plain = {name: PLAIN[str(each)] for name, each in types.items() if str(each) in PLAIN}
            return _object(type_.name, {name: self._member(each) for name, each in types.items()}, plain)
        if isinstance(type_, GraphQLEnumType):
            return _enum(type_.name, frozenset(type_.values))
        assert isinstance(type_, GraphQLScalarType)
        return _nullable(READERS[type_.name])

    def _member(self, type_: GraphQLInputType) -> Reader:
        """The reader of what an object holds, where it is not null."""
        return READERS[type_.name] if isinstance(type_, GraphQLScalarType) else self.of(type_)


class _Later:
    """Stands for a reader that is still being made."""

    reader: Reader

    def __call__(self, value: object) -> object:
        return self.reader(value)


def literal(node: ValueNode, variables: Mapping[str, object], depth: int = 0) -> object:
    """The value that a document writes; UNSET for a variable that has none."""
    if isinstance(node, VariableNode):
        return variables.get(node.name.value, msgspec.UNSET)
    if isinstance(node, StringValueNode | EnumValueNode | BooleanValueNode):
        return node.value
    if isinstance(node, IntValueNode):
        return whole(node.value)
    if isinstance(node, FloatValueNode):
        return float(node.value)
    if isinstance(node, ListValueNode):
        items = (literal(item, variables, depth + 1) for item in node.values or ())
        return [None if item is msgspec.UNSET else item for item in items]
    if isinstance(node, ObjectValueNode):
        members = ((field.name.value, literal(field.value, variables, depth + 1)) for field in node.fields or ())
        return {name: member for name, member in members if member is not msgspec.UNSET}
    assert isinstance(node, NullValueNode)
    return None


def whole(digits: str) -> int | float:
    """A whole number as a document writes it; one that nothing could hold becomes the infinity that is refused."""
    return int(digits) if len(digits) <= _DEEPEST else float(digits)


def refusal(misfit: Misfit, path: str) -> ValidationError:
    """The error of a value that does not fit, which stands at a path."""
    code = "UNKNOWN_FIELD" if isinstance(misfit, UnknownMember) else None
    faults = tuple(Fault(path + place, message) for place, message in misfit.faults)
    return ValidationError(f"{faults[0].path}: {faults[0].message}", code=code, faults=faults)


def _present(inner: Reader) -> Reader:
    def read(value: object) -> object:
        if value is None:
            raise Misfit("cannot be null")
        return inner(value)

    return read


def _nullable(inner: Reader) -> Reader:
    return lambda value: None if value is None else inner(value)


def _list(inner: Reader) -> Reader:
    def read(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, list):
            return [inner(value)]
        held: list[object] = []
        try:
            for item in value:
                held.append(inner(item))
        except Misfit as misfit:
            raise type(misfit)(faults=misfit.below(f"[{len(held)}]").faults) from None
        return held

    return read


def _enum(name: str, choices: frozenset[str]) -> Reader:
    def read(value: object) -> object:
        if value is None or (isinstance(value, str) and value in choices):
            return value
        raise Misfit(f"is not a value of {name}")

    return read


def _object(name: str, members: Mapping[str, Reader], plain: Mapping[str, type]) -> Reader:
    """No member of any of our types has to be there, and each may be null. `plain`: the type of a member, where all
    that is of it is kept as it is."""

    def read(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Misfit(f"expected an object of type {name}, not {kind(value)}")
        held = value.copy()
        faults: list[tuple[str, str]] = []
        only_names = True
        for key, item in value.items():
            if type(item) is plain.get(key):
                continue
            reader = members.get(key)
            if reader is None:
                faults.append((step("", key), f"{quote(key)} is not a member of {name}"))
            else:
                try:
                    held[key] = None if item is None else reader(item)
                    continue
                except Misfit as misfit:
                    only_names = only_names and isinstance(misfit, UnknownMember)
                    faults.extend(misfit.below(step("", key)).faults)
            if len(faults) >= MOST:
                break
        if faults:
            raise (UnknownMember if only_names else Misfit)(faults=tuple(faults))
        return held

    return read
