"""The filter language as MongoDB's. A filter that the server would answer otherwise becomes a wider one, and whoever
asks evaluates the rows that it finds once more (`octonet.kernel.filter_match`).

Documents hold a null where a column has no value, and never lack a column.
"""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never

import msgspec

from octonet.kernel.filter import And, Compare, Comparison, Filter, In, IsNull, Like, Or
from octonet.kernel.filter_match import expression
from octonet.kernel.schema import DELETED_AT, ID, EntitySchema

Query: TypeAlias = dict[str, object]

EVERYTHING: Final[Query] = {}
_NOTHING: Final[Query] = {"_id": {"$in": []}}


class Asked(msgspec.Struct, frozen=True):
    """A query; `exact` tells whether it finds no more than the filter does."""

    query: Query
    exact: bool


def asked(where: Filter) -> Asked:
    """The query for a filter over one entity's columns."""
    match where:
        case And(parts):
            return _all([asked(part) for part in parts])
        case Or(parts):
            return _any([asked(part) for part in parts])
        case IsNull(column, wanted):
            return _null(column, wanted)
        case Compare(column, op, value):
            return _compared(field(column), op, value)
        case In(column, values, negated):
            return _among(field(column), values, negated)
        case Like():
            return _like(where)
        case _:
            assert_never(where)


def living(schema: EntitySchema, where: Filter, include_deleted: bool) -> Asked:
    """The query for rows that match and are shown: of their kind, and not soft-deleted unless asked for."""
    parts = [asked(where), Asked(of_its_kind(schema), True)]
    if schema.soft_delete and not include_deleted:
        parts.append(Asked({DELETED_AT: {"$eq": None}}, True))
    return _all(parts)


def of_its_kind(schema: EntitySchema) -> Query:
    """What rows of another discriminator do not meet."""
    if schema.discriminator and schema.discriminator_value:
        return {schema.discriminator: schema.discriminator_value}
    return EVERYTHING


def field(column: str) -> str:
    """Where a column stands in a document."""
    return "_id" if column == ID else column


def _all(parts: list[Asked]) -> Asked:
    asking = [part.query for part in parts if part.query]
    exact = all(part.exact for part in parts)
    if len(asking) == 1:
        return Asked(asking[0], exact)
    return Asked({"$and": asking} if asking else EVERYTHING, exact)


def _any(parts: list[Asked]) -> Asked:
    if not parts:
        return Asked(_NOTHING, True)
    exact = all(part.exact for part in parts)
    if not all(part.query for part in parts):
        return Asked(EVERYTHING, exact)
    return parts[0] if len(parts) == 1 else Asked({"$or": [part.query for part in parts]}, exact)


def _null(column: str, wanted: bool) -> Asked:
    if column == ID:
        return Asked(_NOTHING if wanted else EVERYTHING, True)
    return Asked({column: {"$eq" if wanted else "$ne": None}}, True)


def _compared(name: str, op: Comparison, value: str | int | float | bool) -> Asked:
    if op is Comparison.NE:
        return Asked({name: {"$nin": [value, None]}}, True)
    return Asked({name: {f"${op}": value}}, True)


def _among(name: str, values: tuple[str | int | float | bool, ...], negated: bool) -> Asked:
    if not values:
        return Asked(EVERYTHING if negated else _NOTHING, True)
    return Asked({name: {"$nin": [*values, None]} if negated else {"$in": list(values)}}, True)


def _like(where: Like) -> Asked:
    """Case is folded otherwise by the server than here, and what does not match is nothing it can be asked for."""
    name = field(where.column)
    if where.ignore_case or where.negated:
        return Asked(_null(where.column, False).query, False)
    return Asked({name: {"$regex": f"^{expression(where)}(?![\\s\\S])", "$options": "s"}}, True)
