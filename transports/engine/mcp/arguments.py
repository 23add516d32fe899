"""Reads a tool's arguments into a `Request`: the members that every door knows, and the spellings of the reference,
which has every JSON value as text and the options one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.faults import did_you_mean, step
from octonet.kernel.operation import Operation, Raw, Request, Result
from octonet.kernel.schema import EntitySchema, FieldType
from transports.engine import coerce

FIELDS: Final = "fields"
"""The reference's name of `searchFields`."""
SINGLE_OPTIONS: Final = ("sort", "limit", "skip")
"""Options that may stand beside the other arguments."""
_AS_TEXT: Final = frozenset({"filter", "data", "stages", "options"})
_TEXTUAL: Final = (FieldType.STRING, FieldType.TEXT, FieldType.DATE)


def names(operation: type[Operation]) -> tuple[str, ...]:
    """The arguments that an operation takes, those it needs first."""
    members = operation.needs + operation.takes
    found = [FIELDS if name == "searchFields" else name for name in members]
    if "options" in members and operation.result is Result.ROWS:
        found += SINGLE_OPTIONS
    conditions = sorted(operation.accepts() - {"op", "entity", *members})
    return (*found, *conditions)


def read(operation: type[Operation], schema: EntitySchema, arguments: Mapping[str, Raw]) -> Request:
    """The request that a tool's arguments ask for. Raises `Invalid` naming the place."""
    known = names(operation)
    found: dict[str, Raw] = {}
    options: dict[str, Raw] = {}
    for name, value in arguments.items():
        place = step("$", name)
        if name == "searchFields" and FIELDS in known:
            found[name] = value
        elif name not in known:
            hint = did_you_mean(name, known)
            raise invalid(place, f"is not an argument of {operation.op()}{hint}", code="UNKNOWN_MEMBER")
        elif name in SINGLE_OPTIONS:
            options[name] = _json(value, place) if name == "sort" else value
        else:
            found[name] = _json(value, place) if name in _AS_TEXT else value
    if FIELDS in found:
        coerce.merge(found, {"searchFields": found.pop(FIELDS)})
    if isinstance(found.get("value"), str):
        found["value"] = _element(schema, found.get("field"), str(found["value"]))
    return coerce.request(operation.op(), schema.name, _with_options(found, options))


def _with_options(found: dict[str, Raw], options: dict[str, Raw]) -> dict[str, Raw]:
    if not options:
        return found
    given = found.get("options")
    if given is None:
        return {**found, "options": options}
    if not isinstance(given, dict):
        raise invalid("$.options", "must be a JSON object")
    for name in options:
        if name in given:
            raise invalid(step("$", name), f"says a second time what $.options.{name} says")
    return {**found, "options": {**given, **options}}


def _json(value: Raw, place: str) -> Raw:
    """What a text holds; no argument that is read so can itself be text."""
    return coerce.json_text(value, place) if isinstance(value, str) else value


def _element(schema: EntitySchema, field: Raw, text: str) -> Raw:
    """An element of a list that came as text. The reference sends JSON; everybody else sends what they mean. A text
    list's element is JSON only where it stands in quotation marks."""
    declared = schema.fields.get(field) if isinstance(field, str) else None
    of_texts = declared is None or declared.array_of in _TEXTUAL
    if of_texts and not (len(text) > 1 and text[0] == text[-1] == '"'):
        return text
    try:
        found = coerce.json_text(text, "$.value")
    except OctonetError:
        return text
    return text if of_texts and not isinstance(found, str) else found
