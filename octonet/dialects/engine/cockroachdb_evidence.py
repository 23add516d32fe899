"""What there is to know of CockroachDB."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="CockroachDB",
    versions="23.2 or later",
    tier=Tier.STAND_IN,
    proof="PostgreSQL 15 that gives its version as CockroachDB's, is serializable, and refuses advisory locks and "
    "definitions within a transaction; no CockroachDB was ever asked",
    driver="asyncpg",
    extra="cockroachdb",
    uri="cockroachdb://user:password@host:26257/database",
    migrations="undo journal (ADR-0025)",
    isolation="serializable, tried anew at SQLSTATE 40001, one writer by a row",
    ends_idle_after=10,
    most_ids=1000,
    longest_name=63,
    limits=(
        "a frozen migration keeps its turn until it wakes or is killed",
        "definitions as jobs, restarts within the server and ranges that move were never seen at work",
    ),
)
