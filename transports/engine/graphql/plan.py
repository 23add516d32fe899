"""What a document asks for, worked out once: calls of operations, and how their rows become the answer.

An answer is made in the shape in which it goes out, every object under the keys that the document gives its fields. So
nothing of it has to be resolved field by field; where something is odd, the engine completes the same objects by the
book (`completion`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Final, TypeAlias

import msgspec
from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    ValueNode,
)

from octonet.kernel.ids import Row
from octonet.kernel.operation import Raw
from octonet.kernel.schema import VERSION_COLUMN
from transports.engine.graphql.members import NOTHING, Members, Taken
from transports.engine.graphql.roots import QUERY, Kind, Root
from transports.engine.graphql.shape import Branch, Leaf, Shape
from transports.engine.graphql.values import literal

TYPENAME: Final = "__typename"
_META: Final = ("__schema", "__type")
_FAMILY: Final = 10
"""Rows that a list below a row is taken to have."""
_PAGES: Final = (Kind.ROWS, Kind.CONNECTION)


class Rows(msgspec.Struct, frozen=True):
    """How rows of an entity become objects."""

    shape: Shape
    keys: tuple[str, ...]
    """All keys, in order."""
    leaves: tuple[tuple[str, str], ...]
    """Key and column of each field that stands in the row."""
    required: Callable[[Row], tuple[object, ...]] | None
    """The values that must not be null, all at once; None where all may be. Raises `KeyError` for a row that was read
    with fewer columns."""
    types: tuple[str, ...]
    """Keys that ask for the type's name."""
    twigs: tuple[Twig, ...]
    needed: frozenset[str]
    """Columns that must be read."""
    weight: int
    """How many rows one of them may bring, by estimate, itself among them."""

    @property
    def plain(self) -> bool:
        """Whether it is values of the row and nothing else."""
        return not self.twigs and not self.types


class Twig(msgspec.Struct, frozen=True):
    """A relation that is followed."""

    key: str
    branch: Branch
    members: Members
    rows: Rows


class Table(msgspec.Struct, frozen=True):
    """How an object that is no row is shown: key, member, and what is below."""

    title: str
    members: tuple[tuple[str, str, Rows | Table | None], ...]

    def rows(self) -> Iterator[Rows]:
        """The rows that are shown anywhere in it."""
        for _, _, below in self.members:
            if isinstance(below, Rows):
                yield below
            elif below is not None:
                yield from below.rows()

    def asks_for(self, *path: str) -> bool:
        """Whether a member at this path is shown."""
        first, *rest = path
        found = [below for _, name, below in self.members if name == first]
        return bool(found) if not rest else any(isinstance(b, Table) and b.asks_for(*rest) for b in found)


Takes: TypeAlias = Callable[[str, str, str], Taken]
"""What the arguments of a field may be: its type, its name, and the entity that it leads to."""
_Below: TypeAlias = Callable[[list[SelectionSetNode]], "Rows | Table"]


class Call(msgspec.Struct, frozen=True):
    """A field of the root. `below` is None where it gives a bare value."""

    key: str
    root: Root
    members: Members
    below: Rows | Table | None
    nodes: tuple[FieldNode, ...]
    """Where it stands in the document."""
    paged: bool
    """Whether it gives as many rows as a page has, and not one."""
    weight: int
    """How many rows one of them may bring, by estimate, itself among them."""
    selects: bool
    """Whether no more columns are to be read than are shown."""
    counts: bool
    """Whether a total is shown."""


class Plan(msgspec.Struct, frozen=True):
    """An operation, worked out."""

    keys: tuple[str, ...]
    """All keys of the answer, in order."""
    calls: tuple[Call, ...]
    types: tuple[str, ...]
    title: str
    lasting: bool
    """Whether it is the same for all values of the variables."""


class Planner:
    """Works out one operation."""

    def __init__(
        self,
        shapes: Mapping[str, Shape],
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, object],
        takes: Takes,
    ) -> None:
        self._takes = takes
        self._shapes = shapes
        self._fragments = fragments
        self._variables = variables
        self._lasting = True

    def plan(self, title: str, roots: Mapping[str, Root], selections: SelectionSetNode) -> Plan:
        """The plan of an operation; `roots` are the fields of its root type."""
        keys: list[str] = []
        types: list[str] = []
        calls: list[Call] = []
        for key, nodes in self._fields([selections]).items():
            name = nodes[0].name.value
            keys.append(key)
            if name == TYPENAME:
                types.append(key)
            elif name not in _META:
                calls.append(self._call(key, roots[name], nodes))
        return Plan(tuple(keys), tuple(calls), tuple(types), title, self._lasting)

    def _call(self, key: str, root: Root, nodes: list[FieldNode]) -> Call:
        below = self._below(root, nodes)
        return Call(
            key=key,
            root=root,
            members=self._members(root.home, nodes[0], root.entity),
            below=below,
            nodes=tuple(nodes),
            paged=root.kind in _PAGES,
            weight=1 + sum(selection.weight - 1 for selection in selections(below)),
            selects=root.home == QUERY and root.kind in (Kind.ROW, *_PAGES),
            counts=root.kind is Kind.CONNECTION and isinstance(below, Table) and below.asks_for("totalCount"),
        )

    def _members(self, home: str, node: FieldNode, entity: str) -> Members:
        return Members.of(self._takes(home, node.name.value, entity), node.arguments) if node.arguments else NOTHING

    def _below(self, root: Root, nodes: list[FieldNode]) -> Rows | Table | None:
        inner = _inner(nodes)
        match root.kind:
            case Kind.ROW | Kind.ROWS:
                return self._rows(self._shapes[root.entity], inner)
            case Kind.CONNECTION:
                return self._connection(self._shapes[root.entity], inner)
            case Kind.EVENTS if root.entity:
                shape = self._shapes[root.entity]
                return self._table(f"{shape.title}Event", inner, {"row": lambda nodes: self._rows(shape, nodes)})
            case Kind.EVENTS:
                return self._table("Event", inner, {})
            case _:
                return None

    def _connection(self, shape: Shape, inner: list[SelectionSetNode]) -> Table:
        def rows(nodes: list[SelectionSetNode]) -> Rows:
            return self._rows(shape, nodes)

        def edges(nodes: list[SelectionSetNode]) -> Table:
            return self._table(f"{shape.title}Edge", nodes, {"node": rows})

        def info(nodes: list[SelectionSetNode]) -> Table:
            return self._table("PageInfo", nodes, {})

        return self._table(f"{shape.title}Connection", inner, {"edges": edges, "nodes": rows, "pageInfo": info})

    def _table(self, title: str, inner: list[SelectionSetNode], below: Mapping[str, _Below]) -> Table:
        members: list[tuple[str, str, Rows | Table | None]] = []
        for key, nodes in self._fields(inner).items():
            name = nodes[0].name.value
            make = below.get(name)
            members.append((key, name, None if make is None else make(_inner(nodes))))
        return Table(title, tuple(members))

    def _rows(self, shape: Shape, inner: list[SelectionSetNode]) -> Rows:
        leaves: list[tuple[str, Leaf]] = []
        types: list[str] = []
        twigs: list[Twig] = []
        fields = self._fields(inner)
        for key, nodes in fields.items():
            name = nodes[0].name.value
            if name == TYPENAME:
                types.append(key)
            elif name in shape.leaves:
                leaves.append((key, shape.leaves[name]))
            else:
                branch = shape.branches[name]
                target = self._shapes[branch.relation.target]
                below = self._rows(target, _inner(nodes))
                members = self._members(shape.title, nodes[0], branch.relation.target)
                twigs.append(Twig(key, branch, members, below))
        required = list(dict.fromkeys(leaf.column for _, leaf in leaves if leaf.required))
        needed = {leaf.column for _, leaf in leaves} | {column for twig in twigs for column in _needed(twig.branch)}
        return Rows(
            shape=shape,
            keys=tuple(fields),
            leaves=tuple((key, leaf.column) for key, leaf in leaves),
            required=_picker(required) if required else None,
            types=tuple(types),
            twigs=tuple(twigs),
            needed=frozenset(needed),
            weight=1 + sum((_FAMILY if twig.branch.many else 1) * twig.rows.weight for twig in twigs),
        )

    def _fields(self, selections: list[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """The fields by their keys, fragments unfolded: none of our types has several kinds."""
        found: dict[str, list[FieldNode]] = {}
        seen: set[str] = set()
        for each in selections:
            self._gather(each, found, seen)
        return found

    def _gather(self, selections: SelectionSetNode, found: dict[str, list[FieldNode]], seen: set[str]) -> None:
        for node in selections.selections:
            if not self._wanted(node.directives):
                continue
            if isinstance(node, FieldNode):
                key = node.name.value if node.alias is None else node.alias.value
                found.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                self._gather(node.selection_set, found, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                self._gather(self._fragments[node.name.value].selection_set, found, seen)

    def _wanted(self, directives: tuple[DirectiveNode, ...] | None) -> bool:
        for directive in directives or ():
            self._lasting = False
            condition = bool(literal(_condition(directive), self._variables))
            if condition is (directive.name.value == "skip"):
                return False
        return True


def selections(below: Rows | Table | None) -> list[Rows]:
    """The rows that are shown directly below a field."""
    return [below] if isinstance(below, Rows) else list(below.rows()) if isinstance(below, Table) else []


def reading(columns: Iterable[str]) -> dict[str, Raw]:
    """The options that read these columns; the version of a row is none of them."""
    named = set(columns)
    versioned = VERSION_COLUMN in named
    found: dict[str, Raw] = {"select": sorted(named - {VERSION_COLUMN})}
    return {**found, "versions": True} if versioned else found


def _picker(columns: list[str]) -> Callable[[Row], tuple[object, ...]]:
    if len(columns) > 1:
        return itemgetter(*columns)
    return lambda row: tuple(row[column] for column in columns)


def _inner(nodes: list[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set is not None]


def _needed(branch: Branch) -> Iterator[str]:
    relation = branch.relation
    if relation.owns_column:
        yield relation.column
    elif relation.through:
        yield relation.name
    else:
        yield "id"


def _condition(directive: DirectiveNode) -> ValueNode:
    (argument,) = directive.arguments or ()
    return argument.value
