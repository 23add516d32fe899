"""What stands in for MySQL in tests: a MariaDB that tells the version of a MySQL, behind an interpreter that turns
MySQL's words into MariaDB's and refuses those that MySQL does not know. No MySQL was ever asked."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from tests.mariadb import MariadbServer, missing
from tests.ports import free_port
from tests.server_process import HOST, dying, until_exit

__all__ = ["MysqlStandIn", "missing", "server"]

_VERSION = "8.0.40"
_ROOT = Path(__file__).parent.parent
_READY_WITHIN = 60.0


class MysqlStandIn(MariadbServer):
    """One server and its interpreter, which die with this process."""

    def __init__(self) -> None:
        super().__init__()
        self.settings["version"] = _VERSION
        self.front = free_port()
        self._interpreter: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start both, and wait until they answer."""
        super().start()
        if self._interpreter is None:
            command = [*dying(), sys.executable, "-m", "tests.mysql_words", str(self.front), str(self.port)]
            self._interpreter = subprocess.Popen(command, cwd=_ROOT, env=dict(os.environ))
            deadline = time.monotonic() + _READY_WITHIN
            while True:
                try:
                    socket.create_connection((HOST, self.front)).close()
                    return
                except OSError:
                    assert self._interpreter.poll() is None, "the interpreter ended"
                    assert time.monotonic() < deadline, "the interpreter is not ready"
                    time.sleep(0.05)

    def remove(self) -> None:
        """Stop both, and leave nothing behind."""
        if self._interpreter is not None:
            self._interpreter.kill()
            self._interpreter.wait(60)
        super().remove()

    def uri(self, folder: Path, port: int = 0) -> str:
        """The database that belongs to this folder, made when it is asked for first. `port`: where the interpreter is
        reached instead of its own."""
        return super().uri(folder, port or self.front).replace("mariadb://", "mysql://", 1)


@cache
def server() -> MysqlStandIn:
    """The session's server, started by whoever asks first and stopped at exit."""
    return until_exit(MysqlStandIn())
