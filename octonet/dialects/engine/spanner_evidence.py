"""What there is to know of Spanner."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.evidence import Evidence, Tier

EVIDENCE: Final = Evidence(
    title="Google Cloud Spanner",
    versions="in the dialect GoogleSQL",
    tier=Tier.STAND_IN,
    proof="Google's own emulator of it, where that is installed; no Spanner of Google's cloud was ever asked",
    driver="google.cloud.spanner_v1",
    extra="spanner",
    uri="spanner://project/instance/database",
    migrations="undo journal (ADR-0025)",
    isolation="serializable, tried anew when ABORTED, one writer by a row",
    ends_idle_after=10,
    most_ids=5000,
    longest_name=110,
    limits=(
        "a batch of commands, or one command, changes at most some 75,000 cells, those of indexes counted: more is"
        " refused with TOO_MANY_ROWS, and a log of another database that holds more in one entry cannot be replayed",
        "a string, text, date, JSON or array has at most 2,621,440 letters; with an index 8 KB",
        "a column of another type, or of a table of links that is called otherwise, costs a copy of its table",
        "a migration that is frozen for longer than 20 seconds loses its turn, and a definition that it sent before"
        " may still be carried out",
        "other programs find names coded that hold other signs than letters and digits, or begin with an underscore",
        "a database made by a late schema that follows a history from its first one stops, five times of six, where the"
        " emulator does not find a column that a generated one is made of: one case, not explained yet",
        "definitions that take their time, and transactions that are wounded by others, were never seen at work",
    ),
)
