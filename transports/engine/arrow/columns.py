"""Rows as Arrow columns, and back: one maker and one reader for each type."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.filter import Options
from octonet.kernel.ids import Row
from octonet.kernel.operation import Raw
from octonet.kernel.schema import ID, EntitySchema, FieldType
from transports.engine import coerce
from transports.engine.arrow.field_types import TYPE, Shown, shown

TIME: Final = pa.timestamp("ms", "UTC")
_ONE: Final = threading.Lock()
_encode = msgspec.json.Encoder().encode
_PLAIN: Final[Mapping[FieldType, pa.DataType]] = {
    FieldType.STRING: pa.string(),
    FieldType.TEXT: pa.string(),
    FieldType.JSON: pa.string(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: TIME,
}
Make: TypeAlias = Callable[[list[Raw]], pa.Array]
Take: TypeAlias = Callable[[Raw], Raw]


class Columns:
    """The columns of an entity's rows: their schema, and how a batch is made of rows."""

    def __init__(self, schema: EntitySchema, options: Options | None = None) -> None:
        found = list(shown(schema, options))
        self.schema = pa.schema([_field(column) for column in found], {"octonet.entity": schema.name})
        self._makers = [(column.name, _maker(column)) for column in found]

    def batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """The rows as one batch."""
        # One thread at a time: every one that wants the interpreter makes the event loop wait for it once more.
        with _ONE:
            arrays = [make([row[name] for row in rows]) for name, make in self._makers]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _type(column: Shown) -> pa.DataType:
    return pa.list_(_PLAIN[column.element]) if column.type is FieldType.ARRAY else _PLAIN[column.type]


def _field(column: Shown) -> pa.Field:
    told = str(column.type) if column.type is not FieldType.ARRAY else f"array of {column.element}"
    return pa.field(column.name, _type(column), column.nullable, {TYPE: told})


def _maker(column: Shown) -> Make:
    kind, listed = (column.element, True) if column.type is FieldType.ARRAY else (column.type, False)
    type_ = _type(column)
    if kind is FieldType.JSON:
        return (lambda values: pa.array([_texts(each) for each in values], type_)) if listed else _json
    if kind is FieldType.DATE:
        text = pa.list_(pa.string()) if listed else pa.string()
        return lambda values: pa.array(values, text).cast(type_)
    return lambda values: pa.array(values, type_)


def _json(values: list[Raw]) -> pa.Array:
    return pa.array([None if value is None else _encode(value).decode() for value in values], pa.string())


def _texts(values: Raw) -> list[str] | None:
    return [_encode(value).decode() for value in values] if isinstance(values, list) else None


class Rejected(msgspec.Struct, frozen=True):
    """A row of a batch that stands for no data, and why."""

    problem: OctonetError


class Intake:
    """Reads the rows that batches of one schema bring for an entity. Raises `Invalid` with code SCHEMA_MISMATCH, naming
    every column that does not fit."""

    def __init__(self, entity: EntitySchema, sent: pa.Schema) -> None:
        self._names: list[str] = []
        self._takers: list[Take | None] = []
        known = {column.name: column for column in shown(entity)}
        for relation in entity.references:
            known.setdefault(relation.name, msgspec.structs.replace(known[relation.column], name=relation.name))
        for column in entity.columns.values():
            # What is secret may be written, and never read.
            known.setdefault(column.name, Shown(column.name, column.type))
        faults = list(self._read(known, sent, entity))
        if faults:
            name, reason = faults[0]
            more = f", and {len(faults) - 1} more columns do not fit" if len(faults) > 1 else ""
            raise invalid(f"$.{name}", reason + more, code="SCHEMA_MISMATCH")

    def _read(self, known: Mapping[str, Shown], sent: pa.Schema, entity: EntitySchema) -> Iterator[tuple[str, str]]:
        for field in sent:
            column = known.get(field.name)
            if column is None:
                yield field.name, f"is not a column of {entity.name}"
            elif field.name in self._names:
                yield field.name, "comes more than once"
            elif not _fits(column, field.type):
                yield field.name, f"is {field.type} where {column.arrow} belongs"
            else:
                self._names.append(field.name)
                self._takers.append(_taker(column, field.type))

    def rows(self, batch: pa.RecordBatch) -> Iterator[dict[str, Raw] | Rejected]:
        """The data of each row. A null id is none: the row gets one."""
        columns = [(_spelled(column) if _is_time(column.type) else column).to_pylist() for column in batch.columns]
        names, takers = self._names, list(enumerate(self._takers))
        for values in zip(*columns, strict=True):
            data = dict(zip(names, values, strict=True))
            if data.get(ID, "") is None:
                del data[ID]
            try:
                for index, take in takers:
                    if take is not None and values[index] is not None:
                        data[names[index]] = take(values[index])
            except OctonetError as problem:
                yield Rejected(problem)
            else:
                yield data


def _is_time(sent: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(sent) or pa.types.is_date(sent))


def _spelled(times: pa.Array) -> pa.Array:
    """Times as JSON has them, all at once; what is finer than a millisecond is cut off."""
    exact = pc.cast(times, options=pc.CastOptions(TIME, allow_time_truncate=True))
    return pc.replace_substring(exact.cast(pa.string()), " ", "T")


def _fits(column: Shown, sent: pa.DataType) -> bool:
    if pa.types.is_null(sent):
        return True
    if column.type is FieldType.ARRAY:
        return _is_list(sent) and _element_fits(column.element, sent.value_type)
    return _element_fits(column.type, sent)


def _is_list(sent: pa.DataType) -> bool:
    return bool(pa.types.is_list(sent) or pa.types.is_large_list(sent) or pa.types.is_fixed_size_list(sent))


def _is_text(sent: pa.DataType) -> bool:
    found = sent.value_type if pa.types.is_dictionary(sent) else sent
    types = pa.types
    return bool(types.is_string(found) or types.is_large_string(found) or types.is_string_view(found))


def _element_fits(kind: FieldType, sent: pa.DataType) -> bool:
    types = pa.types
    match kind:
        case FieldType.NUMBER:
            return bool(types.is_integer(sent) or types.is_floating(sent) or types.is_decimal(sent))
        case FieldType.BOOLEAN:
            return bool(types.is_boolean(sent))
        case FieldType.DATE:
            return _is_time(sent) or _is_text(sent)
        case FieldType.JSON:
            return _is_text(sent) or bool(types.is_nested(sent) or types.is_boolean(sent) or types.is_floating(sent))
        case _:
            return _is_text(sent)


def _taker(column: Shown, sent: pa.DataType) -> Take | None:
    """What makes JSON of a value; None where it is JSON already."""
    if column.type is FieldType.ARRAY and _is_list(sent):
        take = _single(column.element, sent.value_type)
        return None if take is None else lambda values: [take(value) for value in values]  # type: ignore[attr-defined]
    return None if _is_time(sent) else _single(column.type, sent)


def _single(kind: FieldType, sent: pa.DataType) -> Take | None:
    if kind is FieldType.JSON:
        return _parsed if _is_text(sent) else _as_json
    if pa.types.is_decimal(sent):
        return _number
    return _date if kind is FieldType.DATE and not _is_text(sent) else None


def _parsed(value: Raw) -> Raw:
    return coerce.json_text(value) if isinstance(value, str) else value


def _as_json(value: Raw) -> Raw:
    if isinstance(value, dict):
        return {name: _as_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_json(member) for member in value]
    if isinstance(value, date):
        return _date(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, bytes):
        raise invalid("$", "holds binary values, which JSON has not")
    return value


def _number(value: Raw) -> Raw:
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def _date(value: Raw) -> Raw:
    if isinstance(value, datetime):
        at = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
