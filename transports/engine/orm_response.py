"""The OrmResponse: what every operation answers with, joined from parts that are JSON already."""

from __future__ import annotations

import msgspec

from octonet.gateway import Written
from octonet.kernel.ids import Row
from octonet.kernel.log import Verdict
from octonet.kernel.operation import Answer, Result
from octonet.reader import Read
from octonet.trying import Consequences
from octonet.trying import text as facts

_UPDATE_MANY = "updateMany"
_encode = msgspec.json.Encoder().encode


class _Metadata(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    count: int | None = None
    total: int | None = None
    cursor: str | None = None


class _Page(msgspec.Struct, frozen=True, tag_field="status", tag="ok", gc=False):
    data: list[Row]
    metadata: _Metadata


def encode(result: Read | Written) -> bytes:
    """The OrmResponse's JSON text."""
    if not isinstance(result, Written):
        return _read(result.answer)
    return _written(result) if result.trial is None else b"%b,%b}" % (_written(result)[:-1], _trial(result.trial))


def whole(result: Read | Written) -> bytes:
    """The same with the position of what was written and the version of the row that was named, for doors that have no
    headers to tell them in."""
    body = encode(result)
    if isinstance(result, Written) and result.trial is None:
        body = b'%b,"position":%b}' % (body[:-1], _encode(result.position))
    return b'%b,"version":%d}' % (body[:-1], result.version) if result.version else body


def missing(result: Read | Written) -> bool:
    """Whether the one row that was named does not exist."""
    kind = result.operation.result
    if isinstance(result, Written):
        if kind is Result.DELETED:
            return result.outcome.verdict is not Verdict.APPLIED
        return kind is Result.ROW and result.data is None
    return kind is Result.ROW and result.answer.row is None


def _written(result: Written) -> bytes:
    outcome = result.outcome
    kind = result.operation.result
    if kind is Result.COUNT:
        # An updateMany has never had data, a deleteMany always: clients know them so.
        data = b"" if result.operation.op() == _UPDATE_MANY else b',"data":%d' % outcome.count
        return b'{"status":"ok"%b,"metadata":{"count":%d}}' % (data, outcome.count)
    if kind is Result.DELETED:
        gone = outcome.verdict is Verdict.APPLIED
        return b'{"status":"ok","data":true}' if gone else b'{"status":"ok","data":false}'
    return b'{"status":"ok","data":%b}' % (result.data or b"null")


def _trial(trial: Consequences) -> bytes:
    """What a command would do that was only tried out."""
    return b'"dryRun":{"count":%d,"facts":%b}' % (trial.count, facts(trial))


def _read(answer: Answer) -> bytes:
    if answer.rows is not None:
        return _encode(_Page(answer.rows, _Metadata(answer.count, answer.total, answer.cursor)))
    if answer.count is not None:
        total = answer.count if answer.total is None else answer.total
        return b'{"status":"ok","data":%d,"metadata":{"total":%d}}' % (answer.count, total)
    return b'{"status":"ok","data":%b}' % (b"null" if answer.row is None else _encode(answer.row))
