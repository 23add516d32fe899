"""What an operation answers with, as the fields of a message of the package `octonet.v1`."""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.gateway import Written
from octonet.kernel.ids import Row
from octonet.kernel.log import Verdict
from octonet.kernel.operation import Result
from octonet.reader import Read
from transports.engine import orm_response
from transports.engine.grpc.entity_file import AGGREGATE
from transports.engine.grpc.rows import Fields, Rows

_row: Final = msgspec.json.Decoder(Row).decode
_tried: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def row_of(result: Written) -> Row | None:
    """The row that a command is answered with."""
    return None if result.data is None else _row(result.data)


def fields(result: Read | Written, rows: Rows) -> Fields:
    """The answer."""
    return _written(result, rows) if isinstance(result, Written) else _read(result, rows)


def _read(result: Read, rows: Rows) -> Fields:
    answer = result.answer
    if answer.rows is not None:
        aggregated = result.operation.op() == AGGREGATE
        found: Fields = {"rows": answer.rows if aggregated else [rows.told(row) for row in answer.rows]}
        if answer.cursor is not None:
            found["cursor"] = answer.cursor
        return found
    if answer.count is not None:
        return {"count": answer.count}
    return {} if answer.row is None else {"row": rows.told(answer.row), "version": result.version}


def _written(result: Written, rows: Rows) -> Fields:
    found: Fields
    match result.operation.result:
        case Result.COUNT:
            found = {"count": result.outcome.count}
        case Result.DELETED:
            found = {"deleted": result.outcome.verdict is Verdict.APPLIED}
        case _:
            row = row_of(result)
            found = {} if row is None else {"row": rows.told(row), "version": result.version}
    if result.trial is not None:
        found["dry_run"] = bytes(_tried(orm_response.encode(result))["dryRun"]).decode()
    else:
        found["position"] = result.position
    return found
