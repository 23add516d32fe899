"""The fields of Query, Mutation and Subscription: every operation of the catalog for every entity, under the
reference's names, with the arguments that its request takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Final

import msgspec

from octonet.kernel.operation import Command, Family, Operation, Result
from octonet.kernel.schema import Schemas
from transports.engine.graphql.shape import Allotment, Shape

QUERY: Final = "Query"
MUTATION: Final = "Mutation"
SUBSCRIPTION: Final = "Subscription"


class Kind(Enum):
    """What a root field gives."""

    ROW = auto()
    ROWS = auto()
    VALUES = auto()
    """Rows of no entity: JSON."""
    COUNT = auto()
    DELETED = auto()
    CONNECTION = auto()
    EVENTS = auto()


class Form(Enum):
    """How an argument becomes a member of a request."""

    PLAIN = auto()
    JSON_TEXT = auto()
    JSON = auto()
    """A value, or the same as JSON text."""
    WHERE = auto()
    ORDER = auto()
    KINDS = auto()
    TOKEN = auto()
    """A position, which is no member of a request."""


class Argument(msgspec.Struct, frozen=True):
    """An argument. `member` is the request's, ``options.sort`` for one of its options."""

    name: str
    type: str
    member: str
    form: Form = Form.PLAIN
    text: str = ""


class Root(msgspec.Struct, frozen=True):
    """One field of a root type. `entity` is empty for what is about all of them."""

    name: str
    home: str
    """The root type."""
    op: str
    entity: str
    kind: Kind
    type: str
    arguments: Mapping[str, Argument]
    text: str = ""
    family: Family = Family.READ
    """What one must be allowed to do, to ask for it."""


_FILTER: Final = Argument("filter", "String", "filter", Form.JSON_TEXT, 'A filter as JSON: {"age":{"$gte":18}}.')
_SORT: Final = Argument("sort", "String", "options.sort", Form.JSON_TEXT, 'Columns and directions as JSON: {"age":-1}.')
_LIMIT: Final = Argument("limit", "Int", "options.limit", text="Rows wanted at most.")
_SKIP: Final = Argument("skip", "Int", "options.skip", text="Rows to leave out first.")
_AFTER: Final = Argument("after", "String", "options.after", text="Where the page before ended.")
_SELECT: Final = (
    Argument("select", "String", "options.select", text="The columns to read, by commas; what is not read is null."),
    Argument("exclude", "String", "options.exclude", text="Columns not to read, by commas."),
)
_DELETED: Final = Argument("includeDeleted", "Boolean", "options.includeDeleted", text="Whether deleted rows are seen.")
_ALL: Final = Argument("all", "Boolean", "options.all", text="Says that every row may be touched.")
_RELATIONS: Final = Argument("relations", "String", "relations", text="Checked; what is populated is what is selected.")
_MEMBERS: Final[Mapping[str, tuple[Argument, ...]]] = {
    "id": (Argument("id", "ID!", "id"),),
    "query": (Argument("query", "String!", "query", text="The text to look for."),),
    "searchFields": (Argument("fields", "String", "searchFields", text="The columns to search, by commas."),),
    "stages": (Argument("stages", "JSON!", "stages", Form.JSON, "The pipeline, or the same as JSON text."),),
    "field": (Argument("field", "String!", "field"),),
    "value": (
        Argument("value", "String", "value", Form.JSON_TEXT, "The element as JSON text."),
        Argument("element", "JSON", "value", text="The element."),
    ),
    "amount": (Argument("amount", "Float!", "amount"),),
    "relations": (_RELATIONS,),
    "asOf": (
        Argument(
            "asOf", "String", "asOf", text="A position, or an ISO-8601 time: the answer is as it was right after."
        ),
    ),
    "dryRun": (Argument("dryRun", "Boolean", "dryRun", text="true: nothing is done, the answer is what would be."),),
    "expectedVersion": (
        Argument("expectedVersion", "Version", "expectedVersion", text="The version the row must have, or * for any."),
    ),
}
_ORDER: Final = ("id", "filter", "data", "query", "searchFields", "stages", "field", "value", "amount", "options")
_KINDS: Final = Argument("kinds", "[EventKind!]", "kinds", Form.KINDS, "The kinds wanted; none: all.")
_RESUME: Final = Argument("after", "String", "after", Form.TOKEN, "The position of the last event that was seen.")


def roots(catalog: Mapping[str, type[Operation]], schemas: Schemas, shapes: Mapping[str, Shape]) -> list[Root]:
    """Every root field. The names of earlier entities win over those of later ones."""
    names = {home: Allotment() for home in (QUERY, MUTATION, SUBSCRIPTION)}
    found: list[Root] = []
    for schema in schemas.entities.values():
        shape = shapes[schema.name]
        for root in (*_operations(catalog, shape), _connection(shape), _events(shape)):
            found.append(msgspec.structs.replace(root, name=names[root.home].take(root.name)))
    name = names[SUBSCRIPTION].take("events")
    entities = Argument("entities", "[String!]", "entities", text="The entities wanted; none: all.")
    arguments = {argument.name: argument for argument in (entities, _KINDS, _RESUME)}
    text = "Everything that happens in the project."
    found.append(Root(name, SUBSCRIPTION, "", "", Kind.EVENTS, "Event!", arguments, text))
    return found


def _operations(catalog: Mapping[str, type[Operation]], shape: Shape) -> Iterator[Root]:
    for op, operation in catalog.items():
        command = issubclass(operation, Command)
        kind = _kind(operation)
        arguments = {argument.name: argument for argument in _arguments(operation, shape)}
        text = (operation.__doc__ or "").split("\n", 1)[0]
        home = MUTATION if command else QUERY
        yield Root(_name(op, command, shape.schema.name), home, op, shape.schema.name, kind,
                   _type(kind, operation, shape), arguments, text, operation.family)  # fmt: skip


def _kind(operation: type[Operation]) -> Kind:
    if operation.result is Result.ROWS and "stages" in operation.needs:
        return Kind.VALUES
    return {
        Result.ROW: Kind.ROW,
        Result.ROWS: Kind.ROWS,
        Result.COUNT: Kind.COUNT,
        Result.DELETED: Kind.DELETED,
    }[operation.result]


def _type(kind: Kind, operation: type[Operation], shape: Shape) -> str:
    match kind:
        case Kind.ROWS:
            return f"[{shape.title}!]!"
        case Kind.VALUES:
            return "[JSON!]!"
        case Kind.COUNT:
            return "Int!"
        case Kind.DELETED:
            return "Boolean!"
        case _:
            # A command that names no row makes one.
            makes = issubclass(operation, Command) and "id" not in operation.needs
            return f"{shape.title}!" if makes else shape.title


def _name(op: str, command: bool, entity: str) -> str:
    """The reference's name of an operation: an entity in the plural is its name and an s, without rules of English."""
    low = entity[0].lower() + entity[1:]
    if command:
        return f"{op}{entity}s" if op.endswith("Many") else f"{op}{entity}"
    plain = {"findAll": f"{low}s", "findById": low, "findOne": f"{low}One"}
    return plain.get(op, f"{low}{op[0].upper()}{op[1:]}")


def _arguments(operation: type[Operation], shape: Shape) -> Iterator[Argument]:
    members = {*operation.needs, *operation.takes}
    for member in _ORDER:
        if member not in members:
            continue
        if member == "filter":
            yield from _filters(shape)
        elif member == "data":
            yield Argument("input", f"{shape.title}Input!", "data")
        elif member == "options":
            yield from _options(operation, shape)
        else:
            yield from _MEMBERS[member]
    for member in ("relations", "expectedVersion", "asOf", "dryRun"):
        if member in members or member in operation.accepts():
            yield from _MEMBERS[member]


def _filters(shape: Shape) -> Iterator[Argument]:
    yield _FILTER
    yield Argument("where", f"{shape.title}Where", "filter", Form.WHERE, "The same, typed.")


def _sorts(shape: Shape) -> Iterator[Argument]:
    yield _SORT
    yield Argument("orderBy", f"[{shape.title}Order!]", "options.sort", Form.ORDER, "The same, typed.")


def _options(operation: type[Operation], shape: Shape) -> Iterator[Argument]:
    if issubclass(operation, Command):
        yield _ALL
        return
    if operation.result is Result.ROWS:
        yield from (*_sorts(shape), _LIMIT, _SKIP, _AFTER)
    elif operation.result is Result.ROW and "id" not in operation.needs:
        yield from (*_sorts(shape), _SKIP)
    if operation.result is not Result.COUNT:
        yield from _SELECT
    if shape.schema.soft_delete:
        yield _DELETED


def _connection(shape: Shape) -> Root:
    first = Argument("first", "Int", "options.limit", text="Rows wanted at most.")
    deleted = (_DELETED,) if shape.schema.soft_delete else ()
    taken = (first, _AFTER, *_filters(shape), *_sorts(shape), *deleted, *_MEMBERS["asOf"])
    low = shape.schema.name[0].lower() + shape.schema.name[1:]
    arguments = {argument.name: argument for argument in taken}
    text = "A page of rows that knows where the next one begins."
    return Root(f"{low}sConnection", QUERY, "findAll", shape.schema.name, Kind.CONNECTION,
                f"{shape.title}Connection!", arguments, text)  # fmt: skip


def _events(shape: Shape) -> Root:
    low = shape.schema.name[0].lower() + shape.schema.name[1:]
    arguments = {argument.name: argument for argument in (_KINDS, *_filters(shape), _RESUME)}
    text = "What happens to the rows; a filter looks at the row as it is after."
    return Root(f"{low}Events", SUBSCRIPTION, "", shape.schema.name, Kind.EVENTS, f"{shape.title}Event!",
                arguments, text)  # fmt: skip


def branch_arguments(shape: Shape) -> dict[str, Argument]:
    """The arguments of a relation that leads to a list of these."""
    taken = (*_filters(shape), *_sorts(shape), _LIMIT, _SKIP)
    # What they mean is said where they stand at a root.
    return {argument.name: msgspec.structs.replace(argument, text="") for argument in taken}
