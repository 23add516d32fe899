"""Ports for servers that must be told theirs."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_HOST = "127.0.0.1"
_dice = random.SystemRandom()
"""Tests seed the common one: two sessions would try the same ports in the same order."""
_given: set[int] = set()
_CLIENTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_OURS = range(20_000, 32_000)
_ELSE = range(2_000, 16_000)
"""Where the system gives clients the others."""


def free_port() -> int:
    """Not one that the system gives to clients: before the server listens, or while it is away, one that tries to
    connect could get it. None is given twice."""
    ports = _ELSE if _for_clients(_OURS) else _OURS
    while True:
        port = _dice.choice(ports)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
        _given.add(port)
        return port


def _for_clients(ports: range) -> bool:
    try:
        first, last = map(int, _CLIENTS.read_text().split())
    except OSError:
        return False
    return first < ports.stop and last >= ports.start
