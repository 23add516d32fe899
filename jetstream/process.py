"""Who a worker is: its name, and enough of its process for others on the same machine to see that it is dead."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgspec


class Holder(msgspec.Struct, frozen=True):
    """A worker and its process. `boot` and `process` let a worker on the same machine see that this one is dead,
    without waiting for anything to run out. An empty `worker` is nobody."""

    worker: str
    host: str = ""
    boot: str = ""
    process: int = 0
    born: str = ""


NOBODY = Holder("")


def this_process(worker: str) -> Holder:
    """This process, as a holder."""
    return Holder(worker, socket.gethostname(), _boot_id(), os.getpid(), _born(os.getpid()))


def is_dead(holder: Holder) -> bool:
    """Whether the holder was a process of this very machine and boot that is no more."""
    if holder.host != socket.gethostname() or not holder.boot or holder.boot != _boot_id():
        return False
    return _born(holder.process) != holder.born


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _born(process: int) -> str:
    """The start time of a process in clock ticks since boot, empty when there is no such process."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
