"""Rows as messages, and messages as rows. A message that is to be made is given as a dict of its fields, which
protobuf fills in by itself: no class is needed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import msgspec

from octonet.kernel.errors import invalid, validation
from octonet.kernel.faults import step
from octonet.kernel.ids import Row
from octonet.kernel.operation import Raw
from octonet.kernel.schema import ID, VERSION_COLUMN
from transports.engine import coerce
from transports.engine.grpc.fields import RELATED, VERSION, Kind, Part, Shape

if TYPE_CHECKING:
    from google.protobuf.message import Message

Fields: TypeAlias = dict[str, object]
"""A message to be made: its fields by their names."""
_Put: TypeAlias = Callable[[object], object]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANOS: Final = 1_000_000_000
_json = msgspec.json.Encoder().encode


class Rows:
    """The rows of one entity. `others` are those of all entities, by their names."""

    def __init__(self, shape: Shape, others: Mapping[str, Rows]) -> None:
        self.shape = shape
        self._others = others
        self._plain = {part.column: part.name for part in shape.parts if part.kind in _AS_THEY_ARE}
        self._plain[ID] = shape.system[ID]
        self._plain[VERSION_COLUMN] = shape.system[VERSION]
        self._put = {part.column: (part.name, _PUT[part.kind]) for part in shape.parts if part.kind in _PUT}
        self._links = {part.column: part.name for part in shape.parts if part.kind is Kind.IDS}
        self._related = {relative.relation: relative for relative in shape.relatives}
        self._parts = {part.name: part for part in shape.parts}
        self._columns = {part.name: part.column for part in shape.parts}
        self._columns[shape.system[ID]] = ID

    def told(self, row: Row) -> Fields:
        """A row as a message."""
        found: Fields = {}
        plain, put = self._plain, self._put
        for column, value in row.items():
            if value is None:
                continue
            name = plain.get(column)
            if name is not None:
                if isinstance(value, dict):
                    self._tell_related(found, column, value)
                else:
                    found[name] = value
            elif column in put:
                name, as_field = put[column]
                found[name] = as_field(value)
            elif column in self._links or column in self._related:
                self._tell_linked(found, column, value)
        return found

    def given(self, message: Message, mask: Iterable[str], path: str) -> Row:
        """A message as a row that is to be written. Raises `OctonetError` naming the place."""
        row: dict[str, Raw] = {}
        for field, value in message.ListFields():
            part = self._parts.get(field.name)
            if part is not None:
                row[part.column] = _given(part, value, step(path, part.column))
            elif field.name == self.shape.system[ID]:
                row[ID] = value
            else:
                raise invalid(f"{path}.{field.name}", "is told, and cannot be written", code="UNKNOWN_FIELD")
        wanted = self.columns(mask)
        if wanted:
            nothing: dict[str, Raw] = {part.column: [] if part.kind is Kind.IDS else None for part in self.shape.parts}
            row = {column: row.get(column, nothing.get(column)) for column in wanted}
        return cast("Row", row)

    def columns(self, mask: Iterable[str]) -> list[str]:
        """What the paths of a mask name: fields as the message spells them, or as the schema does."""
        return [self._columns.get(path, path) for path in mask]

    def _tell_linked(self, found: Fields, column: str, value: object) -> None:
        """Links are ids, or the rows themselves where they were asked for."""
        if isinstance(value, list):
            if column in self._links and not any(isinstance(each, dict) for each in value):
                found[self._links[column]] = value
            elif column in self._related:
                self._tell_related(found, column, value)
                if column in self._links:
                    found[self._links[column]] = [each[ID] for each in value]
        elif isinstance(value, dict):
            self._tell_related(found, column, value)

    def _tell_related(self, found: Fields, relation: str, value: object) -> None:
        relative = self._related[relation]
        other = self._others[relative.target]
        related = cast("Fields", found.setdefault(self.shape.system[RELATED], {}))
        if isinstance(value, list):
            related[relative.name] = [other.told(each) for each in value]
        else:
            one = cast("Row", value)
            related[relative.name] = other.told(one)
            if relation in self._plain:
                found[self._plain[relation]] = one[ID]


def instant(text: str) -> Fields:
    """A time as a message."""
    seconds, nanos = _instant(text)
    return {"seconds": seconds, "nanos": nanos}


def number(value: float) -> int | float:
    """An integral number without its fraction."""
    return int(value) if value.is_integer() else value


@lru_cache(maxsize=4096)
def _instant(text: str) -> tuple[int, int]:
    since = datetime.fromisoformat(text) - _EPOCH
    return since.days * 86_400 + since.seconds, since.microseconds * 1000


def _given(part: Part, value: object, path: str) -> Raw:
    match part.kind:
        case Kind.JSON:
            return coerce.json_text(cast("str", value), path)
        case Kind.NUMBER:
            return number(cast("float", value))
        case Kind.DATE:
            return _iso(value, path)
        case Kind.IDS:
            return list(cast("Iterable[str]", value))
        case Kind.NUMBERS:
            return [number(each) for each in _values(value)]
        case Kind.TEXTS | Kind.BOOLEANS:
            return list(_values(value))
        case _:
            return value


def _values(value: object) -> Iterable[float]:
    return cast("Iterable[float]", getattr(value, "values"))  # noqa: B009  # a message known at run time only


def _iso(value: object, path: str) -> str:
    seconds: int = getattr(value, "seconds")  # noqa: B009
    nanos: int = getattr(value, "nanos")  # noqa: B009
    try:
        if not 0 <= nanos < _NANOS:
            raise OverflowError
        found = _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError:
        raise validation(path, "is no time from the year 1 to the year 9999") from None
    return found.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(value: object) -> str:
    return _json(value).decode()


def _list(value: object) -> Fields:
    return {"values": value}


_AS_THEY_ARE: Final = frozenset({Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN})
_PUT: Final[Mapping[Kind, _Put]] = {
    Kind.DATE: cast("_Put", instant),
    Kind.JSON: _text,
    Kind.TEXTS: _list,
    Kind.NUMBERS: _list,
    Kind.BOOLEANS: _list,
}
