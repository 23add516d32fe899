"""Queries that were asked before, word for word: they are not parsed and checked again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.gateway import Gateway
from octonet.kernel.operation import Raw
from octonet.reader import Prepared
from transports.engine.mcp.tool_names import Named

_MOST: Final = 1024
_LONGEST: Final = 2048
_encode = msgspec.json.Encoder().encode


class KnownReads:
    """The last ones, by what was asked."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._known: dict[tuple[str, str, str, bytes], Prepared] = {}

    def find(self, tool: Named, given: Mapping[str, Raw]) -> Prepared | None:
        """The query, where it was asked before and its project is still what it was then."""
        found = self._known.get(_key(tool, given))
        return found if found is not None and self._gateway.is_current(found) else None

    def keep(self, tool: Named, given: Mapping[str, Raw], prepared: Prepared) -> None:
        """It may be asked again."""
        key = _key(tool, given)
        if len(key[-1]) <= _LONGEST:
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
            self._known[key] = prepared


def _key(tool: Named, given: Mapping[str, Raw]) -> tuple[str, str, str, bytes]:
    return tool.project, tool.schema.name, tool.operation.op(), _encode(given)
