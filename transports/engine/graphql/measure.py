"""How large a document really is, fragments unfolded: looked at before anything expensive is done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from octonet.kernel.errors import Invalid, invalid
from transports.engine.graphql.settings import GraphqlSettings

META: Final = ("__schema", "__type")
_TOO_LARGE: Final = "DOCUMENT_TOO_LARGE"


def check(document: DocumentNode, limits: GraphqlSettings) -> None:
    """Raises `Invalid` with code DOCUMENT_TOO_LARGE naming the limit that is passed."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            _Walk(fragments, limits).whole(node)


class _Walk:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], limits: GraphqlSettings) -> None:
        self._fragments = fragments
        self._limits = limits
        self._aliases = 0
        self._seen = 0

    def whole(self, operation: OperationDefinitionNode) -> None:
        roots = sum(1 for _ in self._fields(operation.selection_set, 0))
        if roots > self._limits.roots:
            raise _passed(f"asks for {roots} fields at the root, more than {self._limits.roots}")
        for field in self._fields(operation.selection_set, 0):
            self._field(field, 1)

    def _field(self, field: FieldNode, depth: int) -> None:
        if field.alias is not None:
            self._aliases += 1
            if self._aliases > self._limits.aliases:
                raise _passed(f"has more than {self._limits.aliases} aliases")
        # What is told of the types has depths of its own, and a rule of its own.
        depth = 0 if field.name.value in META else depth
        if depth > self._limits.depth:
            raise _passed(f"is nested more than {self._limits.depth} levels deep")
        if field.selection_set is not None:
            for inner in self._fields(field.selection_set, 0):
                self._field(inner, depth + 1 if depth else 0)

    def _fields(self, selections: SelectionSetNode, spreads: int) -> Iterator[FieldNode]:
        if spreads > self._limits.depth:
            raise _passed(f"spreads fragments more than {self._limits.depth} levels deep")
        for node in selections.selections:
            self._seen += 1
            if self._seen > self._limits.fields:
                raise _passed(f"selects more than {self._limits.fields} fields")
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set, spreads + 1)
            elif isinstance(node, FragmentSpreadNode) and node.name.value in self._fragments:
                yield from self._fields(self._fragments[node.name.value].selection_set, spreads + 1)


def _passed(what: str) -> Invalid:
    return invalid("$.query", f"the document {what}", code=_TOO_LARGE)
