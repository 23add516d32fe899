"""What there is to know of SQLite."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="SQLite",
    versions="3.38 or later",
    tier=Tier.VERIFIED,
    proof="SQLite itself, as Python brings it",
    driver="sqlite3",
    extra="",
    uri="sqlite:///path/to/octonet.db",
    migrations="one transaction",
    isolation="serializable, one writer",
    ends_idle_after=None,
    most_ids=10_000,
    longest_name=1000,
    limits=("a frozen writer keeps the file's lock until it wakes or is killed",),
)
