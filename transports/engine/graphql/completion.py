"""Completes an answer by the book: errors where they belong, and nulls as far up as they must go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    execute,
    get_location,
)

from octonet.kernel.errors import OctonetError
from transports.engine.graphql.document import Operation
from transports.engine.graphql.plan import Plan
from transports.engine.graphql.problems import Problem, fault, told

_MISSING: Final = "VALUE_MISSING"


def settled(plan: Plan, answer: Mapping[str, object]) -> tuple[object, list[Problem]]:
    """Data and errors where operations failed and nothing else is odd: null in their places, or instead of all."""
    data = dict(answer)
    errors: list[Problem] = []
    for call in plan.calls:
        problem = answer.get(call.key)
        if isinstance(problem, OctonetError):
            errors.append({**told(problem, [call.key]), "locations": [_location(node) for node in call.nodes]})
            data[call.key] = None
            if call.root.type.endswith("!"):
                return None, errors
    return data, errors


def _location(node: FieldNode) -> Mapping[str, int]:
    assert node.loc is not None
    place = get_location(node.loc.source, node.loc.start)
    return {"line": place.line, "column": place.column}


def completed(
    schema: GraphQLSchema, operation: Operation, variables: Mapping[str, object], answer: Mapping[str, object]
) -> tuple[object, list[Problem]]:
    """Data and errors. `variables` are those that the client sent, `answer` what was made of the operation."""
    name = operation.node.name.value if operation.node.name else None
    result = execute(
        schema, operation.document, answer, None, dict(variables), name, field_resolver=_pick, hide_suggestions=True
    )
    assert isinstance(result, ExecutionResult)
    return _whole(result.data), [_told(error) for error in result.errors or ()]


def _pick(source: Mapping[str, object], info: GraphQLResolveInfo[None], **_: object) -> object:
    """What is ready under the key of a field. An exception stands for itself."""
    assert info.path is not None
    return source[str(info.path.key)]


def _told(error: GraphQLError) -> Problem:
    problem = error.original_error
    locations = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    if isinstance(problem, OctonetError):
        found = told(problem, error.path or ())
    else:
        found = {**fault(_MISSING, error.message), "path": list(error.path or ())}
    return {**found, "locations": locations} if locations else found


def _whole(value: object) -> object:
    """Numbers as every door writes them: the engine makes a fraction of each."""
    if type(value) is float and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value
