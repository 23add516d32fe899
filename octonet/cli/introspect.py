"""`octonet introspect`: a schema out of an existing database."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from octonet.config import Settings

_EXAMPLES = """\
examples:
  octonet introspect postgresql://user@host/shop > schemas.json
  octonet introspect shop.db --only customers,orders --output schemas.json
  octonet check-schema schemas.json

Nothing is written to the database. What a schema cannot say (a binary column, a key of two columns, an expression in an
index) is told on standard error, a sentence for each. To serve the rows themselves, load them into a new database:
Octonet's tables are the fold of its log.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "introspect",
        parents=[common],
        help="make a schema of an existing database",
        description="Read the catalog of the database at URI and print a schema of it: its tables as entities, foreign "
        "keys and link tables as relations, unique and other indexes. A database that Octonet made tells its own "
        "schema.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("database", metavar="URI", help="its address; for SQLite a path will do")
    parser.add_argument("--only", default="", metavar="TABLE,…", help="no other table than these")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the schema there; a file is not replaced")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Introspect once."""
    from octonet.introspect import introspected  # noqa: PLC0415

    only = [name for name in str(arguments.only).split(",") if name]
    found = asyncio.run(introspected(arguments.database, arguments.dialect or "", only))
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if arguments.output is None:
        print(found.text)
        return 0
    try:
        with arguments.output.open("x") as file:
            file.write(found.text + "\n")
    except OSError as problem:
        from octonet.kernel.errors import Invalid  # noqa: PLC0415

        raise Invalid(f"{arguments.output} cannot be written: {problem.strerror}") from None
    print(f"{found.entities} entities: {arguments.output}")
    return 0
