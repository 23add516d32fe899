"""What the door is told beside what every door is told."""

from __future__ import annotations

import msgspec


class GraphqlSettings(msgspec.Struct, frozen=True):
    """See `docs/settings.md` for each, by its name with ``OCTONET_GRAPHQL_`` before it."""

    depth: int = 10
    aliases: int = 50
    fields: int = 2000
    roots: int = 20
    tokens: int = 4000
    size: int = 65_536
    cost: int = 20_000
    introspection: bool = True
    strict_status: bool = False
    page: bool = True
    documents: str = ""
    only_documents: bool = False
