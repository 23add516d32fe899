"""Work that several processes do at the same time, each a fork of this one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path


def at_once(processes: int, work: Callable[[Path, Barrier], None], folder: Path) -> list[int | None]:
    """Have them do it in a folder, with a barrier to meet at; returns their exit codes."""
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(processes)
    started = [context.Process(target=work, args=(folder, gate)) for _ in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    return [process.exitcode for process in started]
