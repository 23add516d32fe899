"""The read side: one module per query, found by its presence."""

from __future__ import annotations

from octonet.kernel.catalog import modules, subclasses
from octonet.kernel.operation import Query

QUERIES: dict[str, type[Query]] = {query.op(): query for query in subclasses(Query, modules(__name__, __path__))}
"""Every query by its name on the wire."""
