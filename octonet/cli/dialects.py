"""`octonet dialects`: the databases that there are, and how far each can be trusted."""

from __future__ import annotations

import argparse
import importlib.util
import textwrap
from typing import Final

import msgspec

from octonet import dialects
from octonet.config import Settings
from octonet.dialects.engine.evidence import Evidence

_EPILOG: Final = """\
The tiers:
  verified      the tests run against that very server
  stand-in      the tests run its driver against a compatible server, which is named; its own was never asked
  executed SQL  its SQL is run in another database's compatible mode; its driver is not
  golden SQL    its SQL is compared with what was read and found right
"""
_WIDTH: Final = 100


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "dialects",
        parents=[common],
        help="list the kinds of databases, and what each was proved by",
        description="The databases that DB_DIALECT can name: what each was proved by, what it needs and what it can.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these; default: all")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print them."""
    found = {name: dialects.evidence(name) for name in arguments.names or dialects.known()}
    if arguments.json:
        document = {name: {**msgspec.to_builtins(told), "installed": _installed(told)} for name, told in found.items()}
        print(msgspec.json.format(msgspec.json.encode(document)).decode())
        return 0
    width = max(map(len, found))
    for name, told in found.items():
        print(f"{name:<{width}}  {told.tier:<12}  {told.title} {told.versions}")
    for name, told in found.items():
        print(f"\n{name}")
        for word, text in _lines(told):
            print(textwrap.fill(text, _WIDTH, initial_indent=f"  {word:<11}", subsequent_indent=" " * 13))
    return 0


def _lines(told: Evidence) -> list[tuple[str, str]]:
    idle = f"after {told.ends_idle_after} idle seconds" if told.ends_idle_after else "by its owner only"
    here = "installed" if _installed(told) else f"not installed: pip install 'octonet[{told.extra}]'"
    return [
        ("tier", str(told.tier)),
        ("proof", told.proof),
        ("driver", f"{told.driver}, {here}"),
        ("address", told.uri),
        ("migrations", told.migrations),
        ("isolation", told.isolation),
        ("ends", f"a write transaction is ended {idle}"),
        ("names", f"{told.longest_name} bytes"),
        ("ids", f"{told.most_ids} in one statement"),
        *(("limit", text) for text in told.limits),
    ]


def _installed(told: Evidence) -> bool:
    try:
        return importlib.util.find_spec(told.driver) is not None
    except ModuleNotFoundError:
        # A part of what is not there.
        return False
