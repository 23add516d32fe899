"""What there is to know of SAP ASE."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="SAP ASE (Sybase)",
    versions="16.0 SP02 or later",
    tier=Tier.EXECUTED,
    proof="H2 2.1 in its MSSQLServer mode runs the SQL, behind an interpreter that turns ASE's words into H2's; no ASE "
    "was ever asked, and FreeTDS's driver was seen to knock only",
    driver="pyodbc",
    extra="sybase",
    uri="sybase://user:password@host:5000/database",
    migrations="undo journal (ADR-0025)",
    isolation="read committed; one writer, or many readers at a moment, by a table (ADR-0028)",
    ends_idle_after=None,
    most_ids=512,
    longest_name=253,
    limits=(
        "an ODBC driver of the system is needed: FreeTDS (Debian's tdsodbc), or SAP's own",
        "the server needs pages of 16 KB, the character set utf8 and the binary sort order",
        "a string, text or date has at most 3999 bytes, a row 8183 before its last text, or 16300 with the database "
        "option 'allow wide dol rows'; JSON and arrays have no such limit",
        "texts and bytes end with U+0001 in the database, for blanks and zeros at the end are lost there (ADR-0029)",
        "tables and columns that are called by a reserved word have an underscore behind it in the database, and a "
        "hyphen is a $ there",
        "a unique index over several texts holds their SHA-1; another one over more than 5200 bytes ends early",
        "a change of schema that drops a column, or makes one required or optional, needs the database option 'select "
        "into/bulkcopy/pllsort' or 'full logging for alter table'",
        "a filter has at most 2000 values",
        "readers of more than a row wait while a batch is written, and the writer while they read: for a query's "
        "deadline at most, and as long as it takes to copy all rows for a snapshot",
        "a writer that is frozen keeps such readers out",
        "LOCK TABLE, sp_rename, indexes over expressions, long texts as arguments and in queries of queries, the "
        "catalog that `octonet introspect` reads, and what the driver makes of values were never seen at work",
        "FreeTDS takes no password with '};' in it",
    ),
)
