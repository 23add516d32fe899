"""The servers under test, as processes: started, measured (CPU, memory), stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent
_PLAIN = {"OCTONET_OPEN_MODE": "true", "OCTONET_LOG_LEVEL": "warning"}
_TICKS = os.sysconf("SC_CLK_TCK")


class Subject:
    """One server process and its children."""

    def __init__(self, name: str, command: list[str], port: int, probe: str, **more: str) -> None:
        self.name = name
        self.port = port
        began = time.monotonic()
        environment = os.environ | _PLAIN | more
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait(probe)
        self.ready_after = time.monotonic() - began

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def _wait(self, probe: str) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 0.2):
                    pass
                if probe:
                    urllib.request.urlopen(self.url + probe, timeout=2).close()
                return
            except OSError:
                time.sleep(0.005)
        raise RuntimeError(f"{self.name} did not start")

    def cpu(self) -> float:
        """CPU seconds used by the server process itself so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss(self) -> float:
        """Resident memory of the server process, in MB."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def bare() -> Subject:
    """The floor."""
    port = free_port()
    return Subject("bare aiohttp", [sys.executable, "-m", "benchmarks.servers.bare", str(port)], port, "")


def direct(directory: Path) -> Subject:
    """The obvious design."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.servers.direct", str(port), str(directory / "direct.db")]
    return Subject("direct ORM", command, port, "")


def broadcaster() -> Subject:
    """The plain fan-out."""
    port = free_port()
    return Subject("plain broadcaster", [sys.executable, "-m", "benchmarks.servers.broadcaster", str(port)], port, "")


def octonet(directory: Path, *arguments: str, **environment: str) -> Subject:
    """Octonet, with its embedded nats-server, on SQLite unless told otherwise."""
    port = free_port()
    started = command("serve", directory, "--port", str(port), *arguments)
    return Subject("octonet", started, port, "/health", **environment)


class Worker:
    """`octonet work`, standing by. Without NATS_URL the doors of its directory find its nats-server. `host`: the name
    of the machine it believes to be on."""

    def __init__(self, directory: Path, host: str = "", **environment: str) -> None:
        self._command = command("work", directory)
        if host:
            # Replaced by the worker itself, so that it keeps the process number.
            self._command = ["unshare", "--uts", "sh", "-c", f'hostname {host}; exec "$@"', "sh", *self._command]
        self._environment = os.environ | _PLAIN | environment
        self.start()

    def start(self) -> None:
        """Start, again after its end."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if b"standing by" in line:
                return
        raise RuntimeError("the worker did not start")

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()


def command(subcommand: str, directory: Path, *arguments: str) -> list[str]:
    """The command line of a subcommand of octonet, over a directory of its own."""
    data = str(directory / "octonet")
    return [
        *(sys.executable, "-m", "octonet", subcommand),
        *("--data-dir", data, "--schemas", "benchmarks/schema.json"),
        *arguments,
    ]
