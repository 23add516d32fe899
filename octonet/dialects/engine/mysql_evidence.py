"""What there is to know of MySQL."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="MySQL",
    versions="8.0.23 or later",
    tier=Tier.STAND_IN,
    proof="MariaDB 10.11 that gives its version as 8.0.40, behind an interpreter that turns MySQL's words into "
    "MariaDB's and refuses what MySQL has not; no MySQL was ever asked",
    driver="asyncmy",
    extra="mysql",
    uri="mysql://user:password@host:3306/database",
    migrations="undo journal (ADR-0025)",
    isolation="repeatable read, one writer by a named lock",
    ends_idle_after=10,
    most_ids=1000,
    longest_name=62,
    limits=(
        "texts are ordered by their first 64 KiB",
        "a value fits `max_allowed_packet`",
        "`caching_sha2_password`, the collation `utf8mb4_0900_bin` and ICU's expressions were never seen at work",
    ),
)
