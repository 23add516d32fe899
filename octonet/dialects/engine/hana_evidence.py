"""What there is to know of SAP HANA."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="SAP HANA",
    versions="2.0 SPS 05 or later, and HANA Cloud",
    tier=Tier.EXECUTED,
    proof="H2 2.1 runs the SQL, behind an interpreter that turns HANA's words into H2's; no HANA was ever asked, and "
    "its driver was seen to knock only",
    driver="hdbcli",
    extra="hana",
    uri="hana://user:password@host:30013/database",
    migrations="undo journal (ADR-0025)",
    isolation="read committed, one writer by the lock of a table; readers in snapshots",
    ends_idle_after=None,
    most_ids=1000,
    longest_name=127,
    limits=(
        "a string, text or date has at most 5000 letters, those from U+E000 on counted twice; JSON and arrays have no "
        "such limit",
        "a pattern has at most 5000 letters, each of which counts for all of its cases where case is ignored",
        "a filter has at most 32767 values",
        "a letter beyond U+FFFF in an expression is checked at the first connection: a HANA that takes it for none, or "
        "for two, is refused",
        "other programs find a U+D7FF in front of letters from U+E000 to U+FFFF",
        "an error that names no index of ours is told as one of the key",
        "generated columns in unique indexes, locks, snapshots, numbers below 2.2e-308 and those that an aggregate "
        "multiplies, the catalog that `octonet introspect` reads, the driver's values and its deadlines were never "
        "seen at work",
    ),
)
