"""What a document may cost: the rows it may bring, by estimate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from octonet.kernel.errors import invalid
from octonet.kernel.operation import Request
from transports.engine.graphql.plan import Call


class Priced(Protocol):
    """A call with the request that was made of it."""

    @property
    def call(self) -> Call: ...

    @property
    def request(self) -> Request: ...


def check_cost(calls: Iterable[Priced], page: int, most: int) -> None:
    """Raises `Invalid` with code DOCUMENT_TOO_EXPENSIVE. `page`: rows of a page that names no limit."""
    total = 0
    for priced in calls:
        call = priced.call
        total += call.weight * _page(priced.request, page) if call.paged else call.weight
    if total > most:
        sentence = f"the document may bring {total} rows, more than {most}: ask for smaller pages or fewer relations"
        raise invalid("$.query", sentence, code="DOCUMENT_TOO_EXPENSIVE")


def _page(request: Request, usual: int) -> int:
    options = request.options
    limit = options.get("limit") if isinstance(options, dict) else None
    return limit if isinstance(limit, int) and limit > 0 else usual
