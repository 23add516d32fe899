"""Who this server says it is."""

from __future__ import annotations

from typing import Final

import msgspec

from octonet import __version__

NAME: Final = "OctoNet MCP"
TITLE: Final = "Octonet"
MODERN: Final = "2026-07-28"
"""The revision in which every request says all of itself."""
LEGACY: Final = frozenset({"2025-06-18", "2025-11-25"})
"""Earlier ones, of those that have results with structure."""
SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
STAMP: Final = msgspec.json.encode({SERVER_INFO: {"name": NAME, "title": TITLE, "version": __version__}})
"""What every result of the modern revision carries as its `_meta`."""
TTL: Final = 30_000
"""Milliseconds for which a list may be believed: schemas and keys change while the server runs."""
INSTRUCTIONS: Final = """\
Each entity has one tool for each operation, called {Entity}_{operation}. A filter maps columns to values or operators:
{"age":{"$gte":18},"$or":[{"city":"Paris"},{"city":null}]}; there are $eq $ne $gt $gte $lt $lte $in $nin $regex $exists.
The resource entity://{Entity}/schema tells an entity's fields and relations. Lists come a page at a time: pass
metadata.cursor as options.after. Give writes an idempotencyKey, and a retry has no second effect."""
