"""What each type of field accepts, and the one spelling in which it is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from octonet.kernel.faults import MOST, did_you_mean, kind, quote, step
from octonet.kernel.ids import EntityId, JsonValue
from octonet.kernel.schema import Embedded, Field, FieldType

LARGEST: Final = 2**53
"""Numbers beyond this magnitude cannot be carried exactly by every client and database."""
DEEPEST: Final = 32
"""Levels of nesting that a JSON value may have."""
_ID_LENGTH: Final = 64
_CANONICAL_LENGTH: Final = 24
_CANONICAL_MARKS: Final = ("-", "T", ".", "Z")
_SECONDS_LENGTH: Final = 20
_SECONDS_MARKS: Final = ("-", "T", ":", "Z")
_DATE_CHARACTERS = re.compile(r"[0-9TZtWz:.,+\- ]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Misfit(Exception):
    """A value does not fit: (path below the value, sentence) for each thing that is wrong."""

    def __init__(self, message: str = "", faults: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults or (("", message),)

    def below(self, place: str) -> Misfit:
        """The same, told of the value that holds this one at `place`."""
        return Misfit(faults=tuple((place + path, message) for path, message in self.faults))


Check: TypeAlias = Callable[[object], JsonValue]
"""Returns the value as it is kept, or raises `Misfit`."""


def text(value: object) -> str:
    """Any text that every database and encoding can carry."""
    if not isinstance(value, str):
        raise Misfit(f"expected text, not {kind(value)}")
    if "\0" in value:
        raise Misfit("must not hold a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Misfit("must not hold a lone surrogate") from None
    return value


def number(value: object) -> int | float:
    """A finite number within ±2^53; an integral one becomes an int."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int or type(value) is float:
        if -LARGEST <= value <= LARGEST:
            return value
        raise Misfit("must be finite and within ±2^53")
    raise Misfit(f"expected a number, not {kind(value)}")


def boolean(value: object) -> bool:
    """True or false."""
    if value is True or value is False:
        return value
    raise Misfit(f"expected a boolean, not {kind(value)}")


def date(value: object) -> str:
    """A moment in ISO-8601, UTC where it names no offset; kept in UTC to the millisecond, later digits cut off."""
    if not isinstance(value, str):
        raise Misfit(f"expected an ISO-8601 date, not {kind(value)}")
    try:
        moment = datetime.fromisoformat(value)
        if len(value) == _CANONICAL_LENGTH and (value[7], value[10], value[19], value[23]) == _CANONICAL_MARKS:
            return value
        if len(value) == _SECONDS_LENGTH and (value[7], value[10], value[16], value[19]) == _SECONDS_MARKS:
            return f"{value[:19]}.000Z"
        if not _DATE_CHARACTERS.fullmatch(value):
            raise ValueError
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misfit("expected an ISO-8601 date, such as 2024-01-02T03:04:05.678Z") from None
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def entity_id(value: object) -> EntityId:
    """1 to 64 characters without slash or control character."""
    if not isinstance(value, str):
        raise Misfit(f"expected an id as text, not {kind(value)}")
    if not 0 < len(value) <= _ID_LENGTH:
        raise Misfit("an id has 1 to 64 characters")
    if "/" in value or _CONTROL.search(value):
        raise Misfit("an id holds no slash, control character or lone surrogate")
    return EntityId(value)


def anything(value: object, depth: int = 0) -> JsonValue:
    """Any JSON value, its text and numbers checked, at most 32 levels deep."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return number(value)
    if depth == DEEPEST:
        raise Misfit("is nested more than 32 levels deep")
    if isinstance(value, list | tuple):
        return _any_list(value, depth + 1)
    if isinstance(value, dict):
        return _any_object(value, depth + 1)
    raise Misfit(f"is {kind(value)}")


def _any_list(items: Sequence[object], depth: int) -> list[JsonValue]:
    held: list[JsonValue] = []
    try:
        for item in items:
            held.append(anything(item, depth))
    except Misfit as misfit:
        raise misfit.below(f"[{len(held)}]") from None
    return held


def _any_object(members: Mapping[object, object], depth: int) -> dict[str, JsonValue]:
    held: dict[str, JsonValue] = {}
    for key, item in members.items():
        try:
            held[text(key)] = anything(item, depth)
        except Misfit as misfit:
            raise misfit.below(step("", key)) from None
    return held


CHECKS: Final[Mapping[FieldType, Check]] = {
    FieldType.STRING: text,
    FieldType.TEXT: text,
    FieldType.NUMBER: number,
    FieldType.BOOLEAN: boolean,
    FieldType.DATE: date,
    FieldType.JSON: anything,
}


def for_field(field: Field) -> Check:
    """The check of a declared field, which also normalises (trim, then lowercase)."""
    if field.type is FieldType.ARRAY:
        return _array(element(field.array_of))
    if field.type in (FieldType.STRING, FieldType.TEXT) and (field.trim or field.lowercase or field.enum):
        return _shaped_text(field)
    return CHECKS[field.type]


def element(array_of: FieldType | Embedded | None) -> Check:
    """The check of one element of an array field."""
    if isinstance(array_of, Embedded):
        return _embedded(array_of)
    if array_of is FieldType.ARRAY:
        return _array(anything)
    return anything if array_of is None else CHECKS[array_of]


def _shaped_text(field: Field) -> Check:
    trim, lowercase, choices = field.trim, field.lowercase, frozenset(field.enum)
    listed = ", ".join(quote(choice) for choice in field.enum)

    def check(value: object) -> JsonValue:
        held = text(value)
        if trim:
            held = held.strip()
        if lowercase:
            held = held.lower()
        if choices and held not in choices:
            raise Misfit(f"must be one of {listed}")
        return held

    return check


def _array(check_element: Check) -> Check:
    def check(value: object) -> JsonValue:
        if not isinstance(value, list | tuple):
            raise Misfit(f"expected a list, not {kind(value)}")
        held: list[JsonValue] = []
        faults: list[tuple[str, str]] = []
        for i, item in enumerate(value):
            try:
                held.append(check_element(item))
            except Misfit as misfit:
                faults.extend(misfit.below(f"[{i}]").faults)
                if len(faults) >= MOST:
                    break
        if faults:
            raise Misfit(faults=tuple(faults))
        return held

    return check


def _embedded(shape: Embedded) -> Check:
    checks = {name: (for_field(field), field.required) for name, field in shape.fields.items()}
    defaults = {name: field.default for name, field in shape.fields.items()}

    def check(value: object) -> JsonValue:
        if not isinstance(value, dict):
            raise Misfit(f"expected an object, not {kind(value)}")
        held = {name: anything(default) for name, default in defaults.items()}
        faults: list[tuple[str, str]] = []
        for key, item in value.items():
            known = checks.get(key)
            if known is None:
                faults.append((step("", key), f"is not a field here{did_you_mean(key, checks)}"))
                if len(faults) >= MOST:
                    break
                continue
            try:
                held[key] = None if item is None and not known[1] else known[0](item)
            except Misfit as misfit:
                faults.extend(misfit.below(step("", key)).faults)
        missing = (name for name, (_, required) in checks.items() if required and name not in value)
        faults.extend((step("", name), "is required") for name in missing if held[name] is None)
        if faults:
            raise Misfit(faults=tuple(faults))
        return held

    return check
