"""What `octonet keys` does, and how it says so."""

from __future__ import annotations

import argparse
import sys

from tqdm import tqdm

from octonet.access.keys import Environment
from octonet.access.permissions import EVERYTHING
from octonet.access.principal import Visitor
from octonet.admin.api_keys import ApiKeys, Wish
from octonet.admin.key_import import KeyImport
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Invalid, ValidationError
from octonet.kernel.operation import Raw

_SOON = 1.0
"""Seconds after which it is worth showing how far an import has come."""


async def issue(api_keys: ApiKeys, by: Visitor, arguments: argparse.Namespace) -> None:
    """Make a key; its text is all that goes to standard output."""
    scopes: dict[str, Raw] = {name: _values(getattr(arguments, name)) for name in ("projects", "operations")}
    scopes["transports"] = _values(arguments.transports)
    limits = {"rateLimit": arguments.per_day, "rateLimitPerSecond": arguments.per_second}
    granted: dict[str, Raw] = {"scopes": scopes, **{name: limit for name, limit in limits.items() if limit is not None}}
    wish = Wish(arguments.label, granted, Environment(arguments.environment), arguments.expires)
    print((await api_keys.issue(by, wish)).text)


async def listing(api_keys: ApiKeys, by: Visitor, arguments: argparse.Namespace) -> None:
    """One line for each key."""
    for row in await api_keys.every(by):
        state = "enabled" if row["enabled"] else "revoked"
        print(f"{row['prefix']}  {state:8}  {row['expiresAt'] or 'never expires':24}  {row['label']}")


async def revoke(api_keys: ApiKeys, by: Visitor, arguments: argparse.Namespace) -> None:
    """End a key."""
    row = await api_keys.revoke(by, arguments.key)
    print(f"{row['prefix']} ({row['label']}) is revoked")


async def bring(system: SystemProject, by: Visitor, arguments: argparse.Namespace) -> int:
    """Import the keys of a file; the exit code."""
    text: bytes = arguments.file.read_bytes()
    with tqdm(unit="key", desc="keys", disable=arguments.quiet, delay=_SOON) as bar:
        try:
            done = await KeyImport(system, by, bar).run(text)
        except ValidationError as problem:
            for fault in problem.faults:
                print(f"  {fault.path}: {fault.message}", file=sys.stderr)
            raise Invalid(f"nothing was imported from {arguments.file}: {problem.message}") from None
    print(f"{done.created} imported, {done.present} were there already")
    return 0


def _values(text: str) -> Raw:
    return EVERYTHING if text.strip() == EVERYTHING else [part.strip() for part in text.split(",") if part.strip()]
