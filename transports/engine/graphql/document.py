"""Documents: parsed, measured and validated once, then kept as long as there is room."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableDefinitionNode,
    is_input_type,
    parse,
    type_from_ast,
    validate,
)

from octonet.kernel.errors import Invalid, OctonetError, invalid
from octonet.kernel.value_types import Misfit
from transports.engine.graphql import measure, problems
from transports.engine.graphql.measure import META
from transports.engine.graphql.problems import Unacceptable
from transports.engine.graphql.rules import CODE, rules
from transports.engine.graphql.settings import GraphqlSettings
from transports.engine.graphql.values import Reader, Readers, literal, refusal

_MOST_KEPT: Final = 512
_MOST_BYTES: Final = 4 * 1024 * 1024
"""Of the texts of kept documents: what is made of them is some ten times as large."""
_QUICK: Final = 2048
"""Characters of a document that the loop can wait for."""
_MOST_ERRORS: Final = 20


class Variable(msgspec.Struct, frozen=True):
    """A variable that an operation declares."""

    name: str
    read: Reader
    required: bool
    default: object
    """UNSET without."""


class Operation(msgspec.Struct, frozen=True, dict=True):
    """One operation of a valid document."""

    document: DocumentNode
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: tuple[Variable, ...]
    introspective: bool
    """Whether it asks for the schema itself."""
    kind: OperationType
    """Query, mutation or subscription."""

    def values(self, given: Mapping[str, object]) -> dict[str, object]:
        """The variables' values. Raises `ValidationError` for one that does not fit, or is missing."""
        found: dict[str, object] = {}
        for variable in self.variables:
            value = given.get(variable.name, variable.default)
            if value is msgspec.UNSET:
                if variable.required:
                    raise refusal(Misfit("is missing"), f"$.variables.{variable.name}")
                continue
            try:
                found[variable.name] = variable.read(value)
            except Misfit as misfit:
                raise refusal(misfit, f"$.variables.{variable.name}") from None
        return found


class Document(msgspec.Struct, frozen=True):
    """A valid document, its operations by their names; the only one by "" too."""

    operations: Mapping[str, Operation]

    def operation(self, name: str) -> Operation:
        """The one that is meant. Raises `Invalid` with code UNKNOWN_OPERATION_NAME."""
        found = self.operations.get(name)
        if found is None:
            what = f"there is no operation {name!r}" if name else "there are several operations: name one"
            raise invalid("$.operationName", what, code="UNKNOWN_OPERATION_NAME")
        return found


class Documents:
    """The documents of one schema."""

    def __init__(self, schema: GraphQLSchema, limits: GraphqlSettings) -> None:
        self._schema = schema
        self._limits = limits
        self._rules = rules(limits.introspection)
        self._readers = Readers()
        self._kept: dict[str, Document | OctonetError] = {}
        self._size = 0

    def known(self, text: str) -> Document | OctonetError | None:
        """What became of a document that was looked at before."""
        return self._kept.get(text)

    async def read(self, text: str) -> Document:
        """A document. Raises `Unacceptable`, or `Invalid` with code DOCUMENT_TOO_LARGE."""
        found = self._kept.get(text)
        if found is None:
            if len(text) > self._limits.size:
                sentence = f"the document has more than {self._limits.size} characters"
                raise invalid("$.query", sentence, code="DOCUMENT_TOO_LARGE")
            quick = len(text) <= _QUICK
            found = self._look(text) if quick else await asyncio.to_thread(self._look, text)
            self._keep(text, found)
        if isinstance(found, OctonetError):
            raise _anew(found)
        return found

    def _keep(self, text: str, found: Document | OctonetError) -> None:
        if text not in self._kept:
            self._kept[text] = found
            self._size += len(text)
        while len(self._kept) > _MOST_KEPT or self._size > _MOST_BYTES:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            self._size -= len(oldest)

    def _look(self, text: str) -> Document | OctonetError:
        try:
            return self._valid(text)
        except OctonetError as problem:
            return problem

    def _valid(self, text: str) -> Document:
        document = self._parse(text)
        measure.check(document, self._limits)
        errors = validate(self._schema, document, self._rules, _MOST_ERRORS, True, False)
        if errors:
            raise Unacceptable([_told(error, problems.INVALID_DOCUMENT) for error in errors])
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        found = [
            self._operation(document, node, fragments)
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
        ]
        if not found:
            raise Unacceptable([problems.fault(problems.INVALID_DOCUMENT, "the document holds no operation")])
        named = {operation.node.name.value if operation.node.name else "": operation for operation in found}
        return Document({**named, "": found[0]} if len(found) == 1 else named)

    def _parse(self, text: str) -> DocumentNode:
        try:
            return parse(text, max_tokens=self._limits.tokens, allow_empty_selection_sets=False)
        except GraphQLError as error:
            raise Unacceptable([_told(error, problems.PARSE_ERROR)], parsed=False) from None
        except RecursionError:
            raise _nested() from None

    def _operation(
        self, document: DocumentNode, node: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> Operation:
        variables = tuple(self._variable(definition) for definition in node.variable_definitions or ())
        sets = [node.selection_set, *(fragment.selection_set for fragment in fragments.values())]
        introspective = any(_introspects(each) for each in sets)
        return Operation(document, node, fragments, variables, introspective, node.operation)

    def _variable(self, definition: VariableDefinitionNode) -> Variable:
        type_ = type_from_ast(self._schema, definition.type)
        assert is_input_type(type_)
        reader = self._readers.of(type_)
        default = definition.default_value
        required = str(type_).endswith("!")
        value = msgspec.UNSET if default is None else literal(default, {})
        return Variable(definition.variable.name.value, reader, required, value)

    def reader(self, type_: GraphQLInputType) -> Reader:
        """What reads the values of a type."""
        return self._readers.of(type_)


def _anew(problem: OctonetError) -> OctonetError:
    """The same once more: one that is raised keeps hold of everything that was under way."""
    if isinstance(problem, Unacceptable):
        return Unacceptable(problem.problems, parsed=problem.parsed)
    return Invalid(problem.message, code=problem.code, faults=problem.faults)


def _introspects(selections: SelectionSetNode) -> bool:
    for node in selections.selections:
        if isinstance(node, FieldNode) and node.name.value in META:
            return True
        if isinstance(node, InlineFragmentNode) and _introspects(node.selection_set):
            return True
    return False


def _told(error: GraphQLError, code: str) -> problems.Problem:
    extensions = error.extensions or {}
    locations = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    return problems.fault(str(extensions.get(CODE, code)), error.message, locations)


def _nested() -> Invalid:
    return invalid("$.query", "the document is nested too deeply", code="DOCUMENT_TOO_LARGE")
