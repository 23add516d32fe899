"""Rows of the past are related to rows of the same moment."""

from __future__ import annotations

from msgspec import structs

from octonet.kernel.ids import Row
from octonet.kernel.operation import Raw, Request
from transports.engine.graphql.plan import Twig
from transports.engine.graphql.rows import Fetch


class AsOf:
    """Implements `rows.Fetch` over another one, as of one moment."""

    def __init__(self, present: Fetch, moment: Raw) -> None:
        self._present = present
        self._moment = moment
        self.largest = present.largest

    @property
    def odd(self) -> bool:
        """See the port."""
        return self._present.odd

    @odd.setter
    def odd(self, value: bool) -> None:
        self._present.odd = value

    async def rows(self, request: Request) -> tuple[list[Row], str | None]:
        """See the port."""
        return await self._present.rows(structs.replace(request, as_of=self._moment))

    def members(self, twig: Twig) -> dict[str, Raw]:
        """See the port."""
        return self._present.members(twig)

    def check_request(self, request: Request) -> None:
        """See the port."""
        self._present.check_request(structs.replace(request, as_of=self._moment))
