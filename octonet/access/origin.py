"""Where a request comes from, when proxies stand before the server."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TypeAlias

from octonet.kernel.errors import validation

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(listed: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas. Raises `ValidationError`."""
    try:
        return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in listed.split(",") if part.strip())
    except ValueError as problem:
        raise validation("OCTONET_TRUSTED_PROXIES", str(problem)) from None


def origin(address: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The address that sent a request: the last one that no trusted proxy has, of those that they say they passed on
    (`forwarded`, all of X-Forwarded-For). What stands before that is whatever the sender likes."""
    for hop in (address, *reversed([hop.strip() for hop in forwarded.split(",") if hop.strip()])):
        try:
            found = ipaddress.ip_address(hop)
        except ValueError:
            break
        address = hop
        if not any(found.version == network.version and found in network for network in trusted):
            break
    return address
