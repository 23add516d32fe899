"""The event loop that every command runs on."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
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


def stop_signals() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM: finish what is under way. The second ends the process at once; whatever was
    acknowledged is in the log."""
    stop = asyncio.Event()

    def on_signal(sign: int) -> None:
        if stop.is_set():
            os._exit(128 + sign)
        stop.set()

    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, on_signal, sign)
    return stop
