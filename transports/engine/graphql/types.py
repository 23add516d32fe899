"""Builds a project's types with Strawberry, from the shapes of its entities."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryObjectDefinition, get_object_definition
from strawberry.types.field import StrawberryField

from octonet.kernel import columns, value_plan
from octonet.kernel.schema import EntitySchema, FieldType, RelationKind
from transports.engine.graphql import filters
from transports.engine.graphql.roots import MUTATION, QUERY, SUBSCRIPTION, Argument, Root, branch_arguments
from transports.engine.graphql.scalars import NAMED, SCALARS
from transports.engine.graphql.shape import Shape, scalar

_LIST = re.compile(r"\[(.+)]")


@strawberry.enum(description="How a column is sorted.")
class Direction(StrEnum):
    """How a column is sorted."""

    ASC = "ASC"
    DESC = "DESC"


@strawberry.enum(description="What happened to a row.")
class EventKind(StrEnum):
    """What happened to a row."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"


def build(shapes: Mapping[str, Shape], roots: Iterable[Root]) -> strawberry.Schema:
    """The schema. Nothing in it resolves anything: it checks documents, and completes what was fetched for them."""
    return _Builder(shapes).schema(list(roots))


class _Builder:
    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = shapes
        self._annotations: dict[str, StrawberryAnnotation] = {}
        self._known: dict[str, object] = {**NAMED, "Direction": Direction, "EventKind": EventKind}

    def schema(self, roots: list[Root]) -> strawberry.Schema:
        self._page_info()
        for name, comparisons in filters.COMPARISONS.items():
            self._input(name, {member: (type_, text) for member, (type_, text) in comparisons.items()}, "")
        for shape in self._shapes.values():
            self._entity(shape)
        for shape in self._shapes.values():
            self._branches(shape)
        self._events()
        homes = {home: self._home(home, [root for root in roots if root.home == home])
                 for home in (QUERY, MUTATION, SUBSCRIPTION)}  # fmt: skip
        config = StrawberryConfig(auto_camel_case=False, disable_field_suggestions=True, scalar_map=dict(SCALARS))
        return strawberry.Schema(homes[QUERY], homes[MUTATION], homes[SUBSCRIPTION], config=config)

    def _entity(self, shape: Shape) -> None:
        title = shape.title
        self._output(title, {leaf.name: leaf.type for leaf in shape.leaves.values()}, f"A row of {title}.")
        self._input(f"{title}Input", dict(_written(shape.schema)), "What is written; an update leaves out what stays.")
        self._input(f"{title}Order", {
            name: ("Direction", "") for name, column in columns.of(shape.schema).columns.items()
            if column.type not in (FieldType.JSON, FieldType.ARRAY)
        }, "One column to sort by.")  # fmt: skip
        where = filters.members(shape.schema)
        self._input(f"{title}Where", {name: (type_, "") for name, type_ in where.columns.items()}, "A filter.")
        for junction in (where.all, where.any):
            self._grow(f"{title}Where", junction, f"[{title}Where!]")
        self._output(f"{title}Edge", {"cursor": "String!", "node": f"{title}!"}, "")
        self._output(f"{title}Connection", {
            "edges": f"[{title}Edge!]!", "nodes": f"[{title}!]!", "pageInfo": "PageInfo!", "totalCount": "BigInt!",
        }, "A page of rows.")  # fmt: skip
        self._output(f"{title}Event", {**_EVENT, "row": title}, "Something that happened to a row.")

    def _branches(self, shape: Shape) -> None:
        for branch in shape.branches.values():
            target = self._shapes[branch.relation.target]
            if branch.many:
                arguments = branch_arguments(target).values()
                self._grow(shape.title, branch.name, f"[{target.title}!]!", arguments)
            else:
                self._grow(shape.title, branch.name, target.title)

    def _page_info(self) -> None:
        self._output("PageInfo", {"hasNextPage": "Boolean!", "hasPreviousPage": "Boolean!", "startCursor": "String",
                                  "endCursor": "String"}, "Where a page stands.")  # fmt: skip

    def _events(self) -> None:
        self._output("Event", {**_EVENT, "entity": "String!", "row": "JSON"}, "Something that happened to a row.")

    def _home(self, home: str, roots: list[Root]) -> type:
        fields = [self._field(root.name, root.type, root.arguments.values(), root.text) for root in roots]
        return create_type(home, fields or [self._field("none", "Boolean", (), "There are no entities.")])

    def _output(self, name: str, fields: Mapping[str, str], text: str) -> None:
        made = [self._field(field, type_) for field, type_ in fields.items()]
        self._known[name] = create_type(name, made, description=text or None)

    def _input(self, name: str, fields: Mapping[str, tuple[str, str]], text: str) -> None:
        made = [self._member(field, type_, said) for field, (type_, said) in fields.items()]
        self._known[name] = create_type(name, made, is_input=True, description=text or None)

    def _grow(self, name: str, field: str, type_: str, arguments: Iterable[Argument] = ()) -> None:
        """One more field for a type, which may be of that very type."""
        definition = get_object_definition(self._known[name], strict=True)
        make = self._member if definition.is_input else self._field
        grown: StrawberryObjectDefinition = definition
        grown.fields.append(make(field, type_) if definition.is_input else self._field(field, type_, arguments))

    def _field(self, name: str, type_: str, arguments: Iterable[Argument] = (), text: str = "") -> StrawberryField:
        made = StrawberryField(f"{name}_", name, self._annotated(type_), description=text or None)
        made.arguments = [
            StrawberryArgument(one.name, one.name, self._annotated(one.type),
                               description=one.text or None)
            for one in arguments
        ]  # fmt: skip
        return made

    def _member(self, name: str, type_: str, text: str = "") -> StrawberryField:
        annotation = self._annotated(type_)
        return StrawberryField(f"{name}_", name, annotation, default=strawberry.UNSET, description=text or None)

    def _annotated(self, type_: str) -> StrawberryAnnotation:
        """One for each type: to look into one is most of the work there is."""
        found = self._annotations.get(type_)
        if found is None:
            found = self._annotations[type_] = StrawberryAnnotation(self._annotation(type_))
        return found

    def _annotation(self, type_: str) -> object:
        """A type as GraphQL spells it, as Strawberry's annotations do."""
        required = type_.endswith("!")
        bare = type_.removesuffix("!")
        inside = _LIST.fullmatch(bare)
        found = list[self._annotation(inside[1])] if inside else self._known[bare]  # type: ignore[misc]
        return found if required else found | None  # type: ignore[operator]


_EVENT: Final = {
    "kind": "EventKind!", "op": "String!", "id": "ID!", "version": "BigInt!", "position": "String!", "at": "DateTime!",
}  # fmt: skip


def _written(schema: EntitySchema) -> Iterable[tuple[str, tuple[str, str]]]:
    """What a write may name: type, and whether a create needs it."""
    yield "id", ("ID", "A fresh one where it is not given.")
    plan = value_plan.of(schema)
    links = {r.name for r in schema.relations.values() if r.kind is RelationKind.MANY_TO_MANY}
    needed = {key for _, keys in plan.required for key in keys}
    for key, (column, _, _) in plan.slots.items():
        type_ = "[ID!]" if key in links else scalar(schema.columns[column], schema)
        yield key, (type_, "Needed to create." if key in needed else "")
