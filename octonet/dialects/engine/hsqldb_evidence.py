"""What there is to know of HSQLDB."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="HSQLDB",
    versions="2.7 or later",
    tier=Tier.VERIFIED,
    proof="HSQLDB 2.7.1",
    driver="jpype",
    extra="hsqldb",
    uri="hsqldb://user:password@host:9001/database",
    migrations="undo journal (ADR-0025)",
    isolation="repeatable read (MVCC), one writer by a row",
    ends_idle_after=None,
    most_ids=1000,
    longest_name=128,
    limits=(
        "a Java runtime and hsqldb.jar are needed where Octonet runs",
        "the user needs the role DBA",
        "other programs find a U+D7FF in front of letters from U+E000 to U+FFFF",
        "a migration waits for every transaction of the database",
    ),
)
