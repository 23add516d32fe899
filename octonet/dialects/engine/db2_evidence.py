"""What there is to know of Db2."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="IBM Db2",
    versions="11.5 or later, for Linux, UNIX and Windows",
    tier=Tier.EXECUTED,
    proof="H2 2.1 in its DB2 mode runs the SQL, behind an interpreter that turns Db2's words into H2's and keeps its "
    "locks; no Db2 was ever asked, and its driver never used",
    driver="ibm_db",
    extra="db2",
    uri="db2://user:password@host:50000/database",
    migrations="transactions; a column's shape by a new table",
    isolation="cursor stability, one writer; readers and the writer take turns at a table (ADR-0028)",
    ends_idle_after=None,
    most_ids=1000,
    longest_name=128,
    limits=(
        "the database is made with CODESET UTF-8 COLLATE USING IDENTITY PAGESIZE 32 K, without Oracle's compatibility",
        "readers of more than a row wait while a batch is written, and the writer while they read: for a query's "
        "deadline at most, and as long as it takes to copy all rows for a snapshot",
        "a writer that is frozen keeps such readers out",
        "a string, text or date has at most 3999 bytes; JSON and arrays 256 MB",
        "texts end with U+0000 in the database, for blanks at the end of a text count for nothing there",
        "a pattern has at most 8000 bytes, a filter some 32,000 values",
        "a change of a column's type, or whether it is required, writes all rows of the table into the transaction log",
        "a statement that does not answer is ended by the driver a second behind its deadline, and by nobody else",
        "its locks, the catalog that `octonet introspect` reads, the driver, its values and its deadlines were never "
        "seen at work",
    ),
)
