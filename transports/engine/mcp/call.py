"""Runs a tool, and words what came of it: for programs as the answer that every door gives, for models as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.gateway import Written
from octonet.kernel.errors import Invalid, OctonetError
from octonet.kernel.operation import Query, Raw, Request, Result
from octonet.reader import Prepared, Read
from transports.engine import conditions, orm_response, render
from transports.engine.mcp import arguments
from transports.engine.mcp.known_reads import KnownReads
from transports.engine.mcp.tool_names import Named
from transports.engine.mcp.view import View

_COUNTED: Final[Mapping[str, str]] = {"deleteMany": "Deleted: ", "updateMany": "Updated: "}
_META: Final = "octonet/"
_encode = msgspec.json.Encoder().encode


class Told(msgspec.Struct, frozen=True):
    """What a tool answers with."""

    text: str
    structured: bytes
    """The OrmResponse, JSON text."""
    failed: bool = False


async def run(
    view: View,
    tool: Named,
    given: Mapping[str, Raw],
    meta: Raw,
    headers: Mapping[str, str],
    reads: KnownReads | None = None,
) -> Told:
    """Call a tool. `meta` and the HTTP headers may put conditions on it, as the arguments may. Never raises an
    `OctonetError`: what is wrong with a call is the model's to read."""
    try:
        if reads is not None and issubclass(tool.operation, Query) and not _conditional(given, meta, headers):
            return _told(await view.gateway.ask(_prepared(view, tool, given, reads), view.who))
        request = _request(tool, given, meta, headers)
        return _told(await view.gateway.execute(tool.project, request, view.who))
    except OctonetError as problem:
        return _refused(problem)


def _prepared(view: View, tool: Named, given: Mapping[str, Raw], reads: KnownReads) -> Prepared:
    found = reads.find(tool, given)
    if found is None:
        request = arguments.read(tool.operation, tool.schema, given)
        found = view.gateway.prepare(tool.project, request, view.who)
        assert found is not None
        reads.keep(tool, given, found)
    return found


def _conditional(given: Mapping[str, Raw], meta: Raw, headers: Mapping[str, str]) -> bool:
    """Whether anything beside what is asked for counts."""
    said = isinstance(meta, dict) and any(name.startswith(_META) for name in meta)
    return said or "minPosition" in given or conditions.named(headers)


def _request(tool: Named, given: Mapping[str, Raw], meta: Raw, headers: Mapping[str, str]) -> Request:
    request = arguments.read(tool.operation, tool.schema, _with_meta(given, meta))
    return conditions.add(request, tool.operation, headers) if conditions.named(headers) else request


def _with_meta(given: Mapping[str, Raw], meta: Raw) -> Mapping[str, Raw]:
    """Conditions that came beside the arguments, as `octonet/idempotencyKey` and the like."""
    if not isinstance(meta, dict):
        return given
    found = {name.removeprefix(_META): value for name, value in meta.items() if name.startswith(_META)}
    for name in found:
        if name not in ("idempotencyKey", "expectedVersion", "minPosition", "asOf", "dryRun"):
            raise Invalid(f"$._meta: {_META}{name} is not known here", code="UNKNOWN_MEMBER")
        if name in given:
            raise Invalid(f"$.{name}: is given in the arguments and in _meta")
    return {**given, **found} if found else given


def _told(result: Read | Written) -> Told:
    structured = orm_response.whole(result)
    op, kind = result.operation.op(), result.operation.result
    if kind is Result.ROW and op == "findById" and orm_response.missing(result):
        return Told(f"{result.schema.name} not found", structured, True)
    return Told(_written(result, op) if isinstance(result, Written) else _read(result), structured)


def _written(result: Written, op: str) -> str:
    match result.operation.result:
        case Result.COUNT:
            return f"{_COUNTED.get(op, '')}{result.outcome.count}"
        case Result.DELETED:
            return "Not found" if orm_response.missing(result) else "Deleted"
        case _:
            return _pretty(result.data or b"null")


def _read(result: Read) -> str:
    answer = result.answer
    if answer.rows is not None:
        return _pretty(_encode(answer.rows))
    return str(answer.count) if answer.count is not None else _pretty(_encode(answer.row))


def _pretty(text: bytes) -> str:
    return msgspec.json.format(text, indent=2).decode()


def _refused(problem: OctonetError) -> Told:
    structured = render.error(problem)
    message = msgspec.json.decode(structured)["error"]["message"]
    return Told(f"Error: {message} [{problem.code}]", structured, True)
