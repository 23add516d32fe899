"""Batches of rows that become commands: many at a time, so that they travel in full frames, and never all at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Final

import msgspec
import pyarrow as pa
from pyarrow import flight

from octonet.kernel.errors import OctonetError, TooLarge, invalid
from octonet.kernel.faults import step
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Family, Raw, Request
from octonet.kernel.schema import ID, EntitySchema
from transports.engine import render
from transports.engine.arrow.call import Call
from transports.engine.arrow.columns import Intake, Rejected
from transports.engine.arrow.wishes import Named, json_object, no_entity
from transports.engine.render import ErrorBody

_TOGETHER: Final = 512
"""Rows that are handed over at once: a frame of commands holds as many."""
_UNDER_WAY: Final = 4
"""Such parts of a stream that wait for their outcome at a time."""
_MOST_TOLD: Final = 1000
"""Rejected rows of a batch that are told of one by one."""
_MEMBERS: Final = frozenset({"op", "key", "idempotencyKey"})
_LONGEST_KEY: Final = 200
_encode = msgspec.json.Encoder(order="deterministic").encode


class Outcome(msgspec.Struct):
    """What became of one row."""

    position: str = ""
    error: ErrorBody | None = None


class Refused(msgspec.Struct):
    """A row that was rejected, counted from 0 within its batch."""

    row: int
    error: ErrorBody


class Acknowledgement(msgspec.Struct):
    """What is told of one batch, counted from 0. `position` is that of its last row that was written."""

    batch: int
    rows: int
    written: int = 0
    position: str | None = None
    rejected: list[Refused] = []
    rejections: int = 0


class _Part(msgspec.Struct):
    """Some rows of one batch, on their way."""

    acknowledgement: Acknowledgement
    first: int
    outcomes: Future[list[Outcome]]
    last: bool


class _Wish(msgspec.Struct, frozen=True):
    """What is to be done with each row."""

    project: ProjectName
    schema: EntitySchema
    op: str
    key: tuple[str, ...]
    """The columns by which an upsert finds its row."""
    once: str
    """What the rows' idempotency keys begin with; empty where they have none."""


def store(
    call: Call,
    named: Named,
    reader: flight.MetadataRecordBatchReader,
    writer: flight.FlightMetadataWriter,
    largest: int,
) -> None:
    """Write every row of a stream; tell of each batch what became of it, as JSON. A row that is rejected does not keep
    others from being written. Raises `OctonetError` for what is wrong with the stream as a whole."""
    wish = _wish(call, named)
    intake = Intake(wish.schema, reader.schema)
    under_way: deque[_Part] = deque()
    try:
        for number, (batch, metadata) in enumerate(_batches(reader)):
            if batch.nbytes > largest:
                sentence = f"batch {number} has {batch.nbytes} bytes, more than {largest}: send smaller ones"
                raise TooLarge(sentence, code="BATCH_TOO_LARGE")
            once = _once(wish, metadata, number)
            acknowledgement = Acknowledgement(number, batch.num_rows)
            for first in range(0, max(batch.num_rows, 1), _TOGETHER):
                rows = list(intake.rows(batch.slice(first, _TOGETHER)))
                work = call.start(_store(call, wish, rows, once, first))
                last = first + _TOGETHER >= batch.num_rows
                under_way.append(_Part(acknowledgement, first, work, last))
                if len(under_way) >= _UNDER_WAY:
                    _settle(call, under_way.popleft(), writer)
        while under_way:
            _settle(call, under_way.popleft(), writer)
    finally:
        for part in under_way:
            part.outcomes.cancel()


def _wish(call: Call, named: Named) -> _Wish:
    for name in named.more:
        if name not in _MEMBERS:
            raise invalid(step("$", name), "is not a member of a descriptor of rows to write", code="UNKNOWN_MEMBER")
    project = call.project(named.project)
    home = call.gateway.look(project, call.who, Family.WRITE)
    schema = home.schemas.find(named.entity)
    if schema is None:
        raise no_entity(named.entity)
    op, once = named.more.get("op", "create"), named.more.get("idempotencyKey", "")
    if op not in ("create", "upsert"):
        raise invalid("$.op", "is create or upsert: other operations are actions", code="UNKNOWN_OP")
    if not isinstance(once, str) or len(once) > _LONGEST_KEY:
        sentence = f"must be text of at most {_LONGEST_KEY} characters"
        raise invalid("$.idempotencyKey", sentence, code="INVALID_IDEMPOTENCY_KEY")
    return _Wish(project, schema, str(op), _key(named.more.get("key"), op == "upsert"), once)


def _key(given: Raw, meant: bool) -> tuple[str, ...]:
    if given is None:
        return (ID,) if meant else ()
    if not meant:
        raise invalid("$.key", "is for upserts")
    if not isinstance(given, list) or not given or not all(isinstance(name, str) for name in given):
        raise invalid("$.key", "must be a list of names of columns")
    return tuple(str(name) for name in given)


def _batches(reader: flight.MetadataRecordBatchReader) -> Iterator[tuple[pa.RecordBatch, bytes]]:
    while True:
        try:
            chunk = reader.read_chunk()
        except StopIteration:
            return
        if chunk.data is not None:
            if chunk.data.schema != reader.schema:
                raise invalid("$", "is a batch with other columns than the stream", code="SCHEMA_MISMATCH")
            chunk.data.validate(full=True)
            yield chunk.data, b"" if chunk.app_metadata is None else chunk.app_metadata.to_pybytes()


def _once(wish: _Wish, metadata: bytes, number: int) -> str:
    """What the idempotency keys of a batch's rows begin with: a key of its own, or the stream's and its number."""
    if metadata:
        given = json_object(metadata)
        once = given.pop("idempotencyKey", "")
        if given or not isinstance(once, str) or len(once) > _LONGEST_KEY:
            raise invalid("$", "of a batch may hold an idempotencyKey, and nothing else", code="INVALID_METADATA")
        if once:
            return once
    return f"{wish.once}/{number}" if wish.once else ""


async def _store(
    call: Call, wish: _Wish, rows: list[dict[str, Raw] | Rejected], once: str, first: int
) -> list[Outcome]:
    """All at once: they then travel together, in their order."""
    outcomes = [Outcome() for _ in rows]
    asked: list[tuple[Outcome, Request]] = []
    for index, (outcome, row) in enumerate(zip(outcomes, rows, strict=True)):
        try:
            if isinstance(row, Rejected):
                raise row.problem
            asked.append((outcome, _request(wish, row, f"{once}/{first + index}" if once else "")))
        except OctonetError as problem:
            outcome.error = render.error_body(problem)
    told = await call.gateway.execute_each(wish.project, [request for _, request in asked], call.who)
    for (outcome, _), found in zip(asked, told, strict=True):
        if isinstance(found, OctonetError):
            outcome.error = render.error_body(found)
        else:
            outcome.position = found.position
    return outcomes


def _request(wish: _Wish, row: dict[str, Raw], once: str) -> Request:
    where: Raw = msgspec.UNSET
    if wish.op == "upsert":
        missing = [name for name in wish.key if row.get(name) is None]
        if missing:
            raise invalid(step("$.data", missing[0]), "is part of the key, and has no value", code="MISSING_KEY")
        where = {name: row[name] for name in wish.key}
    return Request(wish.op, wish.schema.name, filter=where, data=row, idempotency_key=once or msgspec.UNSET)


def _settle(call: Call, part: _Part, writer: flight.FlightMetadataWriter) -> None:
    told = part.acknowledgement
    outcomes: list[Outcome] = call.wait(part.outcomes)
    for index, outcome in enumerate(outcomes):
        if outcome.error is None:
            told.written += 1
            told.position = outcome.position
        else:
            told.rejections += 1
            if len(told.rejected) < _MOST_TOLD:
                told.rejected.append(Refused(part.first + index, outcome.error))
    if part.last:
        writer.write(pa.py_buffer(_encode(told)))
