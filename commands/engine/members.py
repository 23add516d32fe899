"""What commands take from a request: each member present, of the right kind, or refused by name."""

from __future__ import annotations

import msgspec

from octonet.kernel.errors import NotFound, invalid, validation
from octonet.kernel.filter import EVERYTHING, Filter
from octonet.kernel.filter_parse import parse as parse_filter
from octonet.kernel.ids import EntityId, JsonValue, Row
from octonet.kernel.operation import Request, Session
from octonet.kernel.schema import EntitySchema
from octonet.kernel.value_types import Misfit, number
from octonet.kernel.values import entity_id, field_value


def required_id(request: Request) -> EntityId:
    """The id. Refused with MISSING_ID."""
    if request.id is msgspec.UNSET or request.id is None or request.id == "":
        raise invalid("$.id", "is missing", code="MISSING_ID")
    return entity_id(request.id)


def required_data(request: Request) -> dict[str, object]:
    """The data, an object. Refused with MISSING_DATA."""
    if request.data is msgspec.UNSET or request.data is None:
        raise invalid("$.data", "is missing", code="MISSING_DATA")
    if not isinstance(request.data, dict):
        raise invalid("$.data", "must be an object")
    return request.data


def required_field(request: Request) -> str:
    """The field's name. Refused with MISSING_PARAMS."""
    if request.field is msgspec.UNSET or request.field is None:
        raise invalid("$.field", "is missing", code="MISSING_PARAMS")
    if not isinstance(request.field, str):
        raise invalid("$.field", "must be the name of a field")
    return request.field


def required_amount(request: Request) -> int | float:
    """What to add. Refused with MISSING_PARAMS."""
    if request.amount is msgspec.UNSET:
        raise invalid("$.amount", "is missing", code="MISSING_PARAMS")
    return exact_number(request.amount, "$.amount")


def exact_number(value: object, path: str) -> int | float:
    """A number that every client and database carries exactly; an integral one becomes an int."""
    try:
        return number(value)
    except Misfit as misfit:
        raise validation(path, str(misfit)) from None


def required_element(request: Request, schema: EntitySchema, field: str) -> JsonValue:
    """An element of an array field, or the id of a link. Refused with MISSING_PARAMS."""
    if request.value is msgspec.UNSET:
        raise invalid("$.value", "is missing", code="MISSING_PARAMS")
    return field_value(schema, field, request.value)


def required_filter(request: Request, schema: EntitySchema) -> Filter:
    """A filter that says something. Refused with MISSING_PARAMS."""
    where = parse_filter(schema, request.filter)
    if where == EVERYTHING:
        raise invalid("$.filter", "is missing or empty", code="MISSING_PARAMS")
    return where


def sweeping_filter(request: Request, schema: EntitySchema) -> Filter:
    """The filter of a command on many rows. An empty one means everything only with ``options: {"all": true}``."""
    if not _says_all(request.options):
        return _not_empty(parse_filter(schema, request.filter))
    return parse_filter(schema, request.filter)


def _says_all(options: object) -> bool:
    if options is msgspec.UNSET or options is None:
        return False
    if not isinstance(options, dict):
        raise invalid("$.options", "must be an object")
    for name in options:
        if name != "all":
            raise invalid(f"$.options.{name}", 'is not an option here; there is "all"', code="UNKNOWN_OPTION")
    wanted = options.get("all", False)
    if not isinstance(wanted, bool):
        raise invalid("$.options.all", "must be true or false")
    return wanted


def _not_empty(where: Filter) -> Filter:
    if where == EVERYTHING:
        raise invalid(
            "$.filter",
            'is missing or empty, which would mean every row; say options {"all": true} if that is what you want',
            code="FILTER_REQUIRED",
        )
    return where


async def required_row(session: Session, schema: EntitySchema, id: EntityId) -> Row:
    """The live row. Rejected with NOT_FOUND."""
    row = await session.load(schema, id)
    if row is None:
        raise NotFound(f"there is no {schema.name} with the id {id!r}")
    return row
