"""Records out of a file, one at a time, each with the place it stands at."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import ijson
import msgspec

from octonet.kernel.errors import Invalid
from octonet.kernel.schema import EntitySchema, FieldType

_TRUE = frozenset({"true", "1", "yes", "t"})
_FALSE = frozenset({"false", "0", "no", "f"})


class Record(msgspec.Struct, frozen=True):
    """One record. `number` is its line (of a JSON array: its place, from 1); `data` None when it cannot be read, then
    `problem` says why. `end` is how many bytes of the file are behind it, 0 where that is not known."""

    number: int
    data: dict[str, object] | None
    problem: str = ""
    end: int = 0


def read(path: Path, schema: EntitySchema) -> Iterator[Record]:
    """The records of a `.csv`, `.json` (an array) or `.ndjson`/`.jsonl` file, streamed. Raises `Invalid` when the
    file itself cannot be read."""
    readers = {".csv": _csv, ".json": _array, ".ndjson": _lines, ".jsonl": _lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise Invalid(f"{path} is neither .json, .ndjson, .jsonl nor .csv")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from reader(file, schema)
    except OSError as problem:
        raise Invalid(f"{path} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError as problem:
        raise Invalid(f"{path} is not UTF-8 text: {problem}") from None


def _lines(file: TextIO, schema: EntitySchema) -> Iterator[Record]:
    end = 0
    for number, line in enumerate(file, 1):
        end += len(line.encode())
        if not line.strip():
            continue
        try:
            found = msgspec.json.decode(line)
        except msgspec.DecodeError as problem:
            yield Record(number, None, f"is not JSON: {problem}", end)
            continue
        yield _object(number, found, end)


def _array(file: TextIO, schema: EntitySchema) -> Iterator[Record]:
    number = 0
    try:
        for number, found in enumerate(ijson.items(file.buffer, "item", use_float=True), 1):
            yield _object(number, found, 0)
    except ijson.JSONError as problem:
        yield Record(number + 1, None, f"the file is not a JSON array from here on: {problem}")


def _object(number: int, found: object, end: int) -> Record:
    if not isinstance(found, dict):
        return Record(number, None, "is not an object", end)
    return Record(number, found, "", end)


def _csv(file: TextIO, schema: EntitySchema) -> Iterator[Record]:
    rows = csv.reader(file)
    header = next(rows, [])
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            yield Record(rows.line_num, None, f"has {len(row)} cells, the header {len(header)}")
            continue
        data: dict[str, object] = {}
        problem = ""
        for name, text in zip(header, row, strict=True):
            try:
                data[name] = _typed(schema, name, text)
            except ValueError as found:
                problem = f"{name}: {found}"
        yield Record(rows.line_num, None if problem else data, problem)


def _typed(schema: EntitySchema, name: str, text: str) -> object:
    """A cell as the column's type; an empty cell is null."""
    if text == "":
        return None
    column = schema.columns.get(name)
    kind = column.type if column is not None else FieldType.STRING
    if kind is FieldType.NUMBER:
        try:
            return float(text) if not text.lstrip("+-").isdigit() else int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number") from None
    if kind is FieldType.BOOLEAN:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() in _TRUE
    if kind in (FieldType.JSON, FieldType.ARRAY):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise ValueError(f"{text!r} is not JSON") from None
    return text
