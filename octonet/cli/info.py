"""`octonet info`: the configuration as it would be used, as JSON."""

from __future__ import annotations

import argparse

import msgspec

from jetstream.server import find_running
from octonet import __version__
from octonet.cli.engine.credentials import masked
from octonet.config import Settings
from octonet.data_directory import DataDirectory


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "info",
        parents=[common],
        help="print the configuration as JSON",
        description="The configuration after files, environment, profile and flags, without its secrets, and whether "
        "a server runs on the data directory.",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print it."""
    found = msgspec.to_builtins(settings)
    found["nats_password"] = "…" if settings.nats_password else ""
    found["admin_password"] = "…" if settings.admin_password else ""
    found["system_uri"] = masked(settings.system_uri)
    found["uri"] = masked(settings.database_uri())
    found["nats_url"] = masked(settings.nats_url)
    running = find_running(DataDirectory(settings.data_dir).nats) is not None
    # Not what is in it: whoever may read that file may listen.
    facts = str(DataDirectory(settings.data_dir).nats.absolute() / "facts.json") if running else ""
    document = {"version": __version__, "running": running, "facts": facts, "settings": found}
    print(msgspec.json.format(msgspec.json.encode(document)).decode())
    return 0
