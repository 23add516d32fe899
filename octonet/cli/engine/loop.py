"""The event loop that every command runs on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine

import uvloop

_YOUNG = 50_000
"""Allocations between two collections of the young. Requests leave no cycles behind, so that looking for them after
every few hundred objects, as is the default, is a tenth of the server's work for nothing."""


def settle() -> None:
    """Everything that is loaded stays: never look through it for garbage again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 100)


def run(main: Coroutine[None, None, int]) -> int:
    """Run to the end; returns the exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
