"""What a document may cost: the rows it may bring, by estimate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from octonet.kernel.errors import invalid
from octonet.kernel.operation import Request
from transports.engine.graphql.plan import Call, Rows, Table
from transports.engine.graphql.roots import Kind

_FAMILY: Final = 10
"""Rows that a list below a row is taken to have."""
_PAGES: Final = (Kind.ROWS, Kind.CONNECTION)


class Priced(Protocol):
    """A call with the request that was made of it."""

    @property
    def call(self) -> Call: ...

    @property
    def request(self) -> Request: ...


def check_cost(calls: Iterable[Priced], page: int, most: int) -> None:
    """Raises `Invalid` with code DOCUMENT_TOO_EXPENSIVE. `page`: rows of a page that names no limit."""
    total = sum(_cost(priced, page) for priced in calls)
    if total > most:
        sentence = f"the document may bring {total} rows, more than {most}: ask for smaller pages or fewer relations"
        raise invalid("$.query", sentence, code="DOCUMENT_TOO_EXPENSIVE")


def _cost(priced: Priced, page: int) -> int:
    call, options = priced.call, priced.request.options
    limit = options.get("limit") if isinstance(options, dict) else None
    count = (limit if isinstance(limit, int) and limit > 0 else page) if call.root.kind in _PAGES else 1
    below = call.below
    if isinstance(below, Rows) and not below.twigs:
        return count
    selections = [below] if isinstance(below, Rows) else list(below.rows()) if isinstance(below, Table) else []
    return count + sum(_related(selection, count) for selection in selections)


def _related(selection: Rows, count: int) -> int:
    total = 0
    for twig in selection.twigs:
        brought = count * _FAMILY if twig.branch.many else count
        total += brought + _related(twig.rows, brought)
    return total
