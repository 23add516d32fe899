"""A real server as a process of its own, on a free port, over a data directory."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parent.parent
FLIGHTS = ROOT / "examples" / "flights"
_PORT = re.compile(r"Port:\s+(\d+)")


class Server:
    """`octonet serve` over `directory`. `program` may name another script to run instead of the plain build."""

    def __init__(
        self, directory: Path, schemas: Path, *, program: tuple[str, ...] = ("-m", "octonet"), **environment: str
    ) -> None:
        self.directory = directory
        self.schemas = schemas
        self.port = 0
        self._program = program
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def command(self, *arguments: str) -> list[str]:
        """The command line of any subcommand on the same data directory."""
        common = ["--data-dir", str(self.directory), "--schemas", str(self.schemas)]
        return [sys.executable, *self._program, *arguments, *common]

    def environment(self) -> dict[str, str]:
        ours = ("OCTONET_", "MOSTA_", "DB_", "SGBD_", "NATS_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return clean | {"OCTONET_OPEN_MODE": "true", "PYTHONPATH": str(ROOT)} | self._environment

    def start(self, *arguments: str, within: float = 30.0) -> Server:
        """Start and wait until the banner is printed."""
        log = (self.directory.parent / f"{self.directory.name}.log").open("a")
        self._process = subprocess.Popen(
            self.command("serve", "--port", "0", *arguments),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=self.environment(),
            cwd=ROOT,
        )
        log.close()
        assert self._process.stdout is not None
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if select.select([self._process.stdout], [], [], 0.2)[0]:
                line = self._process.stdout.readline()
                if not line:
                    break
                found = _PORT.search(line)
                if found:
                    self.port = int(found[1])
                if "Ready." in line:
                    return self
        self.kill()
        raise AssertionError(f"the server did not start; its log says:\n{self.log()[-3000:]}")

    def log(self) -> str:
        """What it wrote to standard error."""
        path = self.directory.parent / f"{self.directory.name}.log"
        return path.read_text() if path.exists() else ""

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send(self, sign: signal.Signals) -> None:
        os.kill(self.pid, sign)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._reap()

    def _reap(self) -> int:
        assert self._process is not None
        try:
            code = self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait(5)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
        return code

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()
