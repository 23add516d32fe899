"""The data directory, and the lock that lets only one server own it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from octonet.kernel.errors import Unavailable


class DataDirectory:
    """`<data>`: SQLite files, keys, and the embedded nats-server's store."""

    def __init__(self, path: str) -> None:
        self.path = Path(path).absolute()
        self._lock: int | None = None

    @property
    def nats(self) -> Path:
        """The embedded nats-server's directory."""
        return self.path / "nats"

    def checkpoint(self, project: str) -> Path:
        """Where a project's newest signed checkpoint is kept."""
        return self.path / "audit" / f"{project}.checkpoint"

    def snapshots(self, project: str) -> Path:
        """Where a project's snapshots are kept."""
        return self.path / "snapshots" / project

    @property
    def history(self) -> Path:
        """Where the versions of rows are kept, and rows as they were: made from the logs, and safe to remove."""
        return self.path / "history"

    def register(self, rule: str) -> Path:
        """Where a replication rule keeps what it has seen: made from the logs, and safe to remove."""
        return self.path / "rules" / f"{rule}.db"

    @property
    def keys(self) -> Path:
        """Where each project's sealing key is kept."""
        return self.path / "keys"

    def lock(self) -> None:
        """Own the directory until this process ends, however it ends. Raises `Unavailable` naming the process that
        owns it already."""
        self.path.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(handle, 32).decode(errors="replace").strip()
            os.close(handle)
            raise Unavailable(
                f"another Octonet (process {owner or 'unknown'}) already runs on the data directory {self.path}; "
                "stop it, or set OCTONET_DATA_DIR to another directory",
                code="DATA_DIRECTORY_IN_USE",
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._lock = handle

    def unlock(self) -> None:
        """Let another process own it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
