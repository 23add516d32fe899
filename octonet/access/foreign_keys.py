"""Which keys were brought along from a predecessor. Their texts have no checksum that would tell forged ones, so all
their public parts are known by heart: a text that begins like none of them costs no look-up, and where no key was
brought along, no such text costs anything.

What another process imports is heard of as a fact, a moment later; what is known was read once behind the first fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from octonet.access import keys
from octonet.kernel.filter import Compare, Comparison, Options
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import Page, Source

_PAGE: Final = 1000


class ForeignKeys:
    """`source` gives the system project's database as it is now, `schema` is the entity of keys."""

    def __init__(self, source: Callable[[], Source], schema: EntitySchema) -> None:
        self._source = source
        self._schema = schema
        self._parts: set[str] | None = None
        self._heard: set[str] = set()
        self._reading = asyncio.Lock()

    async def find(self, text: str) -> keys.KeyText | None:
        """The key in this text, when one with its public part was brought along. Raises `Unavailable`."""
        if not keys.is_foreign(text):
            return None
        parts = self._parts
        if parts is None:
            async with self._reading:
                parts = self._parts = self._parts or await self._read()
        if not (parts or self._heard):
            return None
        found = (part for part in keys.foreign_parts(text) if part in parts or part in self._heard)
        return next((keys.KeyText(text, part) for part in found), None)

    def hear(self, id: str) -> None:
        """A key changed. One that is gone is looked up in vain."""
        if keys.is_foreign_part(id):
            self._heard.add(id)

    def forget(self) -> None:
        """Facts may have been missed: what is known is read anew."""
        self._parts = None

    async def _read(self) -> set[str]:
        found: set[str] = set()
        where, last = Compare("imported", Comparison.EQ, True), ""
        while True:
            options = Options(select=("id",), after=(last,) if last else None)
            rows = await self._source().select(self._schema, Page(where, options, _PAGE))
            found.update(str(row["id"]) for row in rows)
            if len(rows) < _PAGE:
                return found
            last = str(rows[-1]["id"])
