"""The list of tools, made once for each version of a project's schema, told to each key as far as it may use them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Family, Operation
from octonet.kernel.schema import Schemas
from octonet.project import Project
from transports.engine.mcp import cursors, tools
from transports.engine.mcp.tools import Tool
from transports.engine.mcp.view import View

_MOST_KEPT: Final = 256
"""Projects whose tools are kept."""
_MOST_COUNTED: Final = 16_384


class Page(msgspec.Struct, frozen=True):
    """Some of the tools, in the protocol's words."""

    tools: list[bytes]
    next: str | None


class Toolbox:
    """The tools of every project. `catalog`: the operations there are."""

    def __init__(self, catalog: Mapping[str, type[Operation]]) -> None:
        self._catalog = catalog
        self._made: OrderedDict[tuple[ProjectName, bool], tuple[Schemas, tuple[Tool, ...]]] = OrderedDict()
        self._counted: OrderedDict[tuple[ProjectName, bool], tuple[Schemas, Counter[Family]]] = OrderedDict()

    def page(self, view: View, cursor: str | None) -> Page:
        """The tools that somebody may use, a page at a time. Raises `Invalid` with code INVALID_CURSOR."""
        counts = [(home, families, self._count(view, home, families)) for home, families in view.projects()]
        begin, following = cursors.bounds(sum(count for _, _, count in counts), self.version(view), cursor)
        found: list[bytes] = []
        # Of a thousand projects, only those that this page shows are looked at.
        for home, families, count in counts:
            if begin < count and len(found) < cursors.PAGE:
                mine = [tool.described for tool in self.of(view, home, families)]
                found += mine[begin : begin + cursors.PAGE - len(found)]
            begin = max(begin - count, 0)
        return Page(found, following)

    def version(self, view: View) -> str:
        """What tells the list that somebody sees from any other."""
        seen = ((home.name, home.schemas.digest, *sorted(families)) for home, families in view.projects())
        return " ".join((view.project, *(word for words in seen for word in words)))

    def of(self, view: View, home: Project, families: frozenset[Family]) -> Iterator[Tool]:
        """The tools of a project that is in sight, as far as they may be used."""
        key = home.name, home.name != view.project
        known = self._made.get(key)
        if known is None or known[0] is not home.schemas:
            known = self._made[key] = home.schemas, tuple(self._make(*key, home.schemas))
            if len(self._made) > _MOST_KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return (tool for tool in known[1] if tool.operation.family in families)

    def _count(self, view: View, home: Project, families: frozenset[Family]) -> int:
        key = home.name, home.name != view.project
        known = self._counted.get(key)
        if known is None or known[0] is not home.schemas:
            counted = Counter(operation.family for _, operation, _ in self._named(*key, home.schemas))
            known = self._counted[key] = home.schemas, counted
            if len(self._counted) > _MOST_COUNTED:
                self._counted.popitem(last=False)
        return sum(known[1][family] for family in families)

    def _make(self, project: ProjectName, prefixed: bool, schemas: Schemas) -> Iterator[Tool]:
        for name, operation, schema in self._named(project, prefixed, schemas):
            yield tools.make(name, operation, schema, project if prefixed else None)

    def _named(self, project: ProjectName, prefixed: bool, schemas: Schemas) -> Iterator[tools.Named]:
        for schema in schemas.entities.values():
            yield from tools.named(schema, self._catalog, project if prefixed else None)
