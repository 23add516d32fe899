"""What there is to know of PostgreSQL."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="PostgreSQL",
    versions="11 or later",
    tier=Tier.VERIFIED,
    proof="PostgreSQL 15",
    driver="asyncpg",
    extra="postgres",
    uri="postgresql://user:password@host:5432/database",
    migrations="one transaction",
    isolation="read committed, one writer by an advisory lock",
    ends_idle_after=10,
    most_ids=10_000,
    longest_name=63,
    limits=("what a unique index holds fits a third of a page (2704 bytes after compression)", "encoded in UTF8"),
)
