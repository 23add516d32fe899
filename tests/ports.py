"""Ports for servers that must be told theirs."""

from __future__ import annotations

import random
import socket

_HOST = "127.0.0.1"
_dice = random.SystemRandom()
"""Tests seed the common one: two sessions would try the same ports in the same order."""
_given: set[int] = set()


def free_port() -> int:
    """Not one that the system gives to clients: before the server listens, or while it is away, one that tries to
    connect could get it. None is given twice."""
    while True:
        port = _dice.randrange(20_000, 32_000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
        _given.add(port)
        return port
