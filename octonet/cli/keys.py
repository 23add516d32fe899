"""`octonet keys`: issue, list, revoke and import API keys, on the machine itself."""

from __future__ import annotations

import argparse
from pathlib import Path

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Invalid

_EXAMPLES = """\
examples:
  octonet keys issue backend --projects default,shop --operations read,write
  octonet keys issue office --projects '*' --operations read,write,admin     may issue and revoke keys itself
  octonet keys list
  octonet keys revoke sk_live_4fGh2kQ0aZ9x
  octonet keys import keys.json                                              of a predecessor; see its --help

A key is shown once, when it is issued. A revoked key opens nothing any more, on every server, within a second.
"""


_IMPORT = """\
FILE is a JSON array, one object for each key, as its predecessor stored it:

  [{"prefix": "sk_live_9fK2mQ4x", "hash": "$2b$12$…", "label": "backend",
    "permissions": {"scopes": {"projects": ["shop"], "operations": ["read"], "transports": "*"}, "rateLimit": 500},
    "enabled": true, "expiresAt": "2027-12-31", "account": "tenant-7"}]

  prefix       the first characters of the key, at least 12 (of more than 16, the first 16 count); the key itself
               begins with sk_live_, sk_test_, msk_live_ or msk_test_ and has 24 to 256 characters
  hash         bcrypt's, of the whole key, with a cost of 4 to 14: the key is shown as before and its holder notices
               nothing
  permissions  as for keys issued here; the older form without "scopes" is read, too
  enabled, expiresAt, account may be left out

Every fault is told at its place, such as $[3].hash, and then nothing is imported. A key that is here already with the
same hash is left alone, so that an interrupted import can be run again. Servers know a new key within a second.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "keys",
        help="issue, list, revoke and import API keys",
        description="See to API keys without one, on the machine itself. A running server does the writing; without "
        "one, this command works for itself.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_subparsers(dest="what", required=True, metavar="issue|list|revoke|import")
    issue = what.add_parser("issue", parents=[common], help="make a key and print it, this once")
    issue.add_argument("label", metavar="LABEL", help="what it is for")
    issue.add_argument("--projects", default="default", metavar="A,B", help="'*' for all; default: default")
    issue.add_argument("--operations", default="read", metavar="A,B", help="of read, write, admin; default: read")
    issue.add_argument("--transports", default="*", metavar="A,B", help="doors it may come through; default: all")
    issue.add_argument("--environment", choices=("live", "test"), default="live", help="default: live")
    issue.add_argument("--per-day", type=int, metavar="N", help="requests a day at most; default: any number")
    issue.add_argument("--per-second", type=int, metavar="N", help="requests a second at most; default: any number")
    issue.add_argument("--expires", metavar="TIME", help="ISO-8601; default: never")
    what.add_parser("list", parents=[common], help="all keys, without their secrets")
    what.add_parser("revoke", parents=[common], help="end a key").add_argument("key", metavar="PREFIX")
    bring = what.add_parser(
        "import",
        parents=[common],
        help="bring along the keys of a predecessor, without their texts",
        epilog=_IMPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bring.add_argument("file", metavar="FILE", type=Path, help="a JSON array of keys")
    bring.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do it."""
    if settings.open_mode:
        raise Invalid("keys are not looked at in open mode: unset OCTONET_OPEN_MODE first")
    if arguments.what == "import" and not arguments.file.is_file():
        raise Invalid(f"there is no file {arguments.file}")
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_run(settings, started, arguments))


async def _run(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    from octonet.access.gate import insider  # noqa: PLC0415
    from octonet.admin.system import SystemProject  # noqa: PLC0415
    from octonet.app import open_node  # noqa: PLC0415
    from octonet.cli.engine.key_work import bring, issue, listing, revoke  # noqa: PLC0415
    from octonet.kernel.ids import SYSTEM_PROJECT  # noqa: PLC0415

    node = await open_node(settings, started.ready(), started.ours, only=[SYSTEM_PROJECT])
    try:
        await node.owned()
        if arguments.what == "import":
            return await bring(SystemProject(node.gateway), insider("cli"), arguments)
        work = {"issue": issue, "list": listing, "revoke": revoke}[arguments.what]
        await work(node.identity.api_keys(node.gateway), insider("cli"), arguments)
    finally:
        await node.close()
    return 0
