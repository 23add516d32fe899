"""Real processes on free ports, over a data directory: servers, and workers beside them."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar

import transports
from octonet.kernel.catalog import names

ROOT = Path(__file__).parent.parent
FLIGHTS = ROOT / "examples" / "flights"
_PORT = re.compile(r"Port:\s+(\d+)")
_LISTENS = re.compile(r"Listens:\s+(\w+)(://\S+)")
_OWN_PORTS = {"MOSTA_NET_GRPC_PORT": "0", "MOSTA_NET_ARROW_PORT": "0"}
_EVERY_DOOR = {f"MOSTA_NET_{name.upper()}_ENABLED": "true" for name in names(transports.__path__)}
_ENDED = ""


class Output:
    """The lines that a process writes, as they come."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self._lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, wanted: Callable[[str], object], within: float) -> str | None:
        """The next line that is wanted; None when none came in time or before the end."""
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                return None
            if line == _ENDED:
                return None
            self.seen.append(line)
            if wanted(line):
                return line
        return None

    def close(self) -> None:
        """After the process ended."""
        self._reader.join(10)
        self._pipe.close()

    def _read(self) -> None:
        for line in self._pipe:
            self._lines.put(line)
        self._lines.put(_ENDED)


class Process:
    """One process of `octonet`, of which standard error goes to `log_file`."""

    running: ClassVar[set[Process]] = set()
    """Those whose end nobody has seen."""

    def __init__(self, command: list[str], environment: dict[str, str], log_file: Path) -> None:
        with log_file.open("a") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=ROOT
            )
        assert self._process.stdout is not None
        self.output = Output(self._process.stdout)
        Process.running.add(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, sign: signal.Signals) -> None:
        self._process.send_signal(sign)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self.reap()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self._process.terminate()
        return self.reap()

    def reap(self, within: float = 60) -> int:
        """Wait for the end; returns the exit code."""
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait(5)
        self.output.close()
        Process.running.discard(self)
        return code


class Server:
    """`octonet serve` over `directory`. `program` may name another script to run instead of the plain build."""

    def __init__(
        self,
        directory: Path,
        schemas: Path,
        *,
        program: tuple[str, ...] = ("-m", "octonet"),
        **environment: str,
    ) -> None:
        self.directory = directory
        self.schemas = schemas
        self.port = 0
        self.listens: dict[str, str] = {}
        """Where doors are besides the port, by the scheme of the address, such as ``grpc``."""
        self._program = program
        self._environment = environment
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_open(self) -> bool:
        """Whether it asks for no keys."""
        return self.environment()["OCTONET_OPEN_MODE"] == "true"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def process(self) -> Process:
        assert self._process is not None
        return self._process

    def command(self, *arguments: str) -> list[str]:
        """The command line of any subcommand on the same data directory."""
        common = ["--data-dir", str(self.directory), "--schemas", str(self.schemas)]
        return [sys.executable, *self._program, *arguments, *common]

    def environment(self) -> dict[str, str]:
        ours = ("OCTONET_", "MOSTA_", "DB_", "SGBD_", "NATS_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return clean | {"OCTONET_OPEN_MODE": "true", "PYTHONPATH": str(ROOT)} | _OWN_PORTS | self._environment

    def launch(self, *arguments: str) -> Process:
        """Any subcommand on the same data directory, as a process of its own."""
        return Process(self.command(*arguments), self.environment(), self._log_file)

    def start(self, *arguments: str, within: float = 90.0) -> Server:
        """Start and wait until the banner is printed."""
        self._process = self.launch("serve", "--port", "0", *arguments)

        def ready(line: str) -> bool:
            found = _PORT.search(line)
            if found:
                self.port = int(found[1])
            elif elsewhere := _LISTENS.search(line):
                self.listens[elsewhere[1]] = elsewhere[1] + elsewhere[2]
            return "Ready." in line

        if self._process.output.until(ready, within) is None:
            self.kill()
            raise AssertionError(f"the server did not start; its log says:\n{self.log()[-3000:]}")
        return self

    def log(self) -> str:
        """What it wrote to standard error."""
        return self._log_file.read_text() if self._log_file.exists() else ""

    def alive(self) -> bool:
        return self._process is not None and self._process.alive()

    def send(self, sign: signal.Signals) -> None:
        os.kill(self.pid, sign)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        code = self.process.stop()
        self._process = None
        return code

    @property
    def _log_file(self) -> Path:
        return self.directory.parent / f"{self.directory.name}.log"

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()


class EveryDoor(Server):
    """One whose doors with ports of their own are open, too."""

    def environment(self) -> dict[str, str]:
        return super().environment() | _EVERY_DOOR
