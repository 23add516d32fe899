"""What there is to know of MariaDB."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="MariaDB",
    versions="10.6 or later",
    tier=Tier.VERIFIED,
    proof="MariaDB 10.11",
    driver="asyncmy",
    extra="mariadb",
    uri="mariadb://user:password@host:3306/database",
    migrations="undo journal (ADR-0025)",
    isolation="repeatable read, one writer by a named lock",
    ends_idle_after=10,
    most_ids=1000,
    longest_name=62,
    limits=("texts are ordered by their first 64 KiB", "a value fits `max_allowed_packet`"),
)
