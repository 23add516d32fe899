"""GraphQL's own rules for documents, each of which names the stable code of what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final, cast

from graphql import GraphQLError, specified_rules
from graphql.validation import (
    ASTValidationRule,
    FieldsOnCorrectTypeRule,
    KnownArgumentNamesRule,
    NoSchemaIntrospectionCustomRule,
    ValidationContext,
    ValuesOfCorrectTypeRule,
)

from transports.engine.graphql.roots import MUTATION, QUERY, SUBSCRIPTION

CODE: Final = "code"
_FIELD: Final = "UNKNOWN_FIELD"
_CODES: Final[Mapping[type[ASTValidationRule], str]] = {
    FieldsOnCorrectTypeRule: _FIELD,
    KnownArgumentNamesRule: "UNKNOWN_MEMBER",
    ValuesOfCorrectTypeRule: "VALIDATION_ERROR",
    NoSchemaIntrospectionCustomRule: "INTROSPECTION_DISABLED",
}
_ROOTS: Final = (QUERY, MUTATION, SUBSCRIPTION)


@cache
def rules(introspection: bool) -> tuple[type[ASTValidationRule], ...]:
    """All that a document must obey."""
    found = specified_rules if introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
    return tuple(_coded(rule, _CODES[rule]) if rule in _CODES else rule for rule in found)


class _Naming:
    """A rule's view of the document, except that what it reports is given a code."""

    def __init__(self, context: ValidationContext, code: str) -> None:
        self._context = context
        self._code = code

    def __getattr__(self, name: str) -> object:
        return getattr(self._context, name)

    def report_error(self, error: GraphQLError) -> None:
        """Report it, with its code."""
        code = self._code
        if code == _FIELD:
            parent = self._context.get_parent_type()
            # A field of a root type is an operation on an entity.
            code = "ENTITY_NOT_FOUND" if parent is not None and parent.name in _ROOTS else code
        error.extensions = {CODE: code}
        self._context.report_error(error)


def _coded(rule: type[ASTValidationRule], code: str) -> type[ASTValidationRule]:
    def begin(self: ASTValidationRule, context: ValidationContext) -> None:
        rule.__init__(self, cast(ValidationContext, _Naming(context, code)))

    return type(rule.__name__, (rule,), {"__init__": begin})
