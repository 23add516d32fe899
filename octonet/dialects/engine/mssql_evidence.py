"""What there is to know of SQL Server."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="SQL Server",
    versions="2016 or later",
    tier=Tier.EXECUTED,
    proof="H2 2.1 in its MSSQLServer mode runs the SQL, behind an interpreter that turns SQL Server's words into H2's; "
    "no SQL Server was ever asked, and its driver never used",
    driver="pyodbc",
    extra="mssql",
    uri="mssql://user:password@host:1433/database",
    migrations="transactions",
    isolation="read committed, one writer by sp_getapplock; readers in snapshots",
    ends_idle_after=None,
    most_ids=1000,
    longest_name=128,
    limits=(
        "the database needs ALLOW_SNAPSHOT_ISOLATION",
        "a string, text or date has at most 3999 letters, those from U+E000 on counted twice; with an index 849 in "
        "all; JSON and arrays have no such limit",
        "texts end with U+0000 in the database, for blanks at the end of a text count for nothing there",
        "a pattern that counts letters, or ignores the case of letters beyond U+E000, needs SQL Server 2025",
        "a filter has at most some 2000 values beside lists; lists of numbers with fractions, too",
        "a number with an index becomes neither required nor optional: the index has to be given up first",
        "definitions within a transaction that is rolled back, the catalog that `octonet introspect` reads, the "
        "driver, its values and its deadlines were never seen at work",
    ),
)
