"""What `octonet keys` does, and how it says so."""

from __future__ import annotations

import argparse

from octonet.access.keys import Environment
from octonet.access.permissions import EVERYTHING
from octonet.access.principal import Visitor
from octonet.admin.api_keys import ApiKeys, Wish
from octonet.kernel.operation import Raw


async def issue(api_keys: ApiKeys, by: Visitor, arguments: argparse.Namespace) -> None:
    """Make a key; its text is all that goes to standard output."""
    scopes: dict[str, Raw] = {name: _values(getattr(arguments, name)) for name in ("projects", "operations")}
    scopes["transports"] = _values(arguments.transports)
    wish = Wish(arguments.label, {"scopes": scopes}, Environment(arguments.environment), arguments.expires)
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


def _values(text: str) -> Raw:
    return EVERYTHING if text.strip() == EVERYTHING else [part.strip() for part in text.split(",") if part.strip()]
