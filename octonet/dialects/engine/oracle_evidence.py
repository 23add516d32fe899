"""What there is to know of Oracle."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="Oracle Database",
    versions="19c or later",
    tier=Tier.EXECUTED,
    proof="H2 2.1 in its Oracle mode runs the SQL, behind an interpreter that turns Oracle's words into H2's; no "
    "Oracle was ever asked, and its driver never used",
    driver="oracledb",
    extra="oracle",
    uri="oracle://user:password@host:1521/service",
    migrations="undo journal (ADR-0025)",
    isolation="read committed, one writer by DBMS_LOCK",
    ends_idle_after=None,
    most_ids=512,
    longest_name=128,
    limits=(
        "the user needs EXECUTE on SYS.DBMS_LOCK, and a database in AL32UTF8",
        "a string, text or date has at most 4000 bytes; JSON and arrays have no such limit",
        "a text without letters is kept as U+0000, which no text may hold: Oracle takes it for no value",
        "a pattern has at most 4000 bytes, 512 where case is ignored",
        "DBMS_LOCK, read-only transactions, the catalog that `octonet introspect` reads, the driver's values and its "
        "deadlines were never seen at work",
    ),
)
