"""What there is to know of MongoDB."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="MongoDB",
    versions="4.4 or later",
    tier=Tier.STAND_IN,
    proof="nx-27017, which speaks its protocol over SQLite and tells of no transactions; no MongoDB was ever asked",
    driver="pymongo",
    extra="mongodb",
    uri="mongodb://user:password@host:27017/database",
    migrations="worked out in a scratch file, written back in one noted commit (ADR-0026)",
    isolation="by compare-and-set on the number of the commit",
    ends_idle_after=None,
    most_ids=5_000,
    longest_name=120,
    limits=(
        "on a server that stands alone a reader may see some rows of a commit that is under way",
        "a row is 15 MB at most",
        "aggregation, and patterns that ignore case or are negated, are evaluated here over rows that are read",
        "`octonet introspect` looks at the first 1000 documents of each collection",
        "what a replica set does in a conflict, TLS and SCRAM were never seen at work",
    ),
)
