"""The command line: one file per command, found by its presence."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from octonet import __version__
from octonet.environment import load as load_settings
from octonet.kernel.catalog import modules
from octonet.kernel.errors import Invalid, OctonetError
from octonet.log_lines import JsonLines

_EPILOG = """\
Every setting is an environment variable (see docs/settings.md), may stand in ./.env, and the common ones are flags
of each command; flags win. Try `octonet serve --help`.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrongly called, 3 done in part."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        settings, warnings = load_settings(
            {
                "dialect": chosen.dialect,
                "uri": chosen.uri,
                "schemas_path": chosen.schemas,
                "projects_tree": chosen.projects_tree,
                "data_dir": chosen.data_dir,
                "nats_url": chosen.nats_url,
                "host": getattr(chosen, "host", None),
                "port": getattr(chosen, "port", None),
                "log_level": chosen.log_level,
            }
        )
        if settings.log_format not in ("text", "json"):
            raise Invalid(f"OCTONET_LOG_FORMAT is text or json, not {settings.log_format!r}")
        handler = logging.StreamHandler(sys.stderr)
        plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        handler.setFormatter(JsonLines() if settings.log_format == "json" else plain)
        logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        code: int = chosen.run(settings, chosen)
    except OctonetError as problem:
        print(f"octonet: {problem.message}", file=sys.stderr)
        for fault in problem.faults[:20] if len(problem.faults) > 1 else ():
            print(f"  {fault.path}: {fault.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="octonet",
        description="One schema, every protocol, any database, and a history that can be trusted.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"octonet {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    settings = common.add_argument_group("settings")
    settings.add_argument("--dialect", help="kind of database (DB_DIALECT)")
    settings.add_argument("--uri", help="where the database is (SGBD_URI)")
    settings.add_argument("--schemas", help="schema files or directories (SCHEMAS_PATH)")
    settings.add_argument("--projects-tree", metavar="FILE", help="the file of further projects (MOSTA_PROJECTS)")
    settings.add_argument("--data-dir", help="the data directory (OCTONET_DATA_DIR)")
    settings.add_argument("--nats-url", help="an external nats-server (NATS_URL)")
    settings.add_argument("--log-level", help="debug, info, warning or error (OCTONET_LOG_LEVEL)")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in modules(__name__, __path__):
        module.add(commands, common)
    return parser
