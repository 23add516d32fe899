"""The event loop that every command runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import uvloop


def run(main: Coroutine[None, None, int]) -> int:
    """Run to the end; returns the exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
