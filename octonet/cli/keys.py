"""`octonet keys`: issue, list and revoke API keys, on the machine itself."""

from __future__ import annotations

import argparse

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Invalid

_EXAMPLES = """\
examples:
  octonet keys issue backend --projects default,shop --operations read,write
  octonet keys issue office --projects '*' --operations read,write,admin     may issue and revoke keys itself
  octonet keys list
  octonet keys revoke sk_live_4fGh2kQ0aZ9x

A key is shown once, when it is issued. A revoked key opens nothing any more, on every server, within a second.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "keys",
        help="issue, list and revoke API keys",
        description="See to API keys without one, on the machine itself. A running server does the writing; without "
        "one, this command works for itself.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_subparsers(dest="what", required=True, metavar="issue|list|revoke")
    issue = what.add_parser("issue", parents=[common], help="make a key and print it, this once")
    issue.add_argument("label", metavar="LABEL", help="what it is for")
    issue.add_argument("--projects", default="default", metavar="A,B", help="'*' for all; default: default")
    issue.add_argument("--operations", default="read", metavar="A,B", help="of read, write, admin; default: read")
    issue.add_argument("--transports", default="*", metavar="A,B", help="doors it may come through; default: all")
    issue.add_argument("--environment", choices=("live", "test"), default="live", help="default: live")
    issue.add_argument("--expires", metavar="TIME", help="ISO-8601; default: never")
    what.add_parser("list", parents=[common], help="all keys, without their secrets")
    what.add_parser("revoke", parents=[common], help="end a key").add_argument("key", metavar="PREFIX")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do it."""
    if settings.open_mode:
        raise Invalid("keys are not looked at in open mode: unset OCTONET_OPEN_MODE first")
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_run(settings, started, arguments))


async def _run(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    from octonet.access.gate import insider  # noqa: PLC0415
    from octonet.app import open_node  # noqa: PLC0415
    from octonet.cli.engine.key_work import issue, listing, revoke  # noqa: PLC0415
    from octonet.kernel.ids import SYSTEM_PROJECT  # noqa: PLC0415

    node = await open_node(settings, started.ready(), started.ours, only=[SYSTEM_PROJECT])
    try:
        await node.owned()
        work = {"issue": issue, "list": listing, "revoke": revoke}[arguments.what]
        await work(node.identity.api_keys(node.gateway), insider("cli"), arguments)
    finally:
        await node.close()
    return 0
