"""A server that tests start for themselves: on a free port, in a temporary directory, until this process ends."""

from __future__ import annotations

import atexit
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from tests.ports import free_port

HOST: Final = "127.0.0.1"
_READY_WITHIN: Final = 90.0
_AGAIN_AFTER: Final = 0.5
_LINES: Final = 20


class ServerProcess(ABC):
    """One server, which dies with this process."""

    title: ClassVar[str]
    """What it is called where it makes trouble."""
    logs: ClassVar[Sequence[str]] = ("log",)
    """The files in its directory that tell why; the first holds what it prints."""
    look: ClassVar[float] = 0.1
    """Seconds between two looks for an answer."""

    def __init__(self) -> None:
        # A socket's path must be short.
        self._directory = Path(tempfile.mkdtemp(prefix="octonet-", dir="/tmp"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = False

    @abstractmethod
    def _command(self) -> list[str]:
        """The program, with where it is to listen."""

    def _is_up(self) -> bool:
        """Whether it answers, asked once. Who knows how tells it from another one that has its port."""
        try:
            socket.create_connection((HOST, self.port), 1).close()
        except OSError:
            return False
        return True

    def _came_up(self) -> None:  # noqa: B027  # most have nothing to do then
        """It answers; `_started` is not set yet at the first time."""

    def start(self) -> None:
        """Start, and wait until it answers. It is tried again for as long: what a server that was killed held, its
        port and its files, may be held for a moment after its end. The first start moves to another port instead:
        somebody may have taken the one that was free before the directory was made."""
        deadline = time.monotonic() + _READY_WITHIN
        while True:
            with (self._directory / self.logs[0]).open("ab") as log:
                self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, cwd=self._directory)
            if self._answers(deadline):
                self._came_up()
                self._started = True
                return
            assert time.monotonic() < deadline, f"{self.title} did not start; its log says:\n{self._log_end()}"
            if not self._started:
                self.port = free_port()
            time.sleep(_AGAIN_AFTER)

    def stop(self) -> None:
        """Stop at once, as after a power cut: what was not written is recovered at the next start."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)
            self._process = None

    def pause(self) -> None:
        """Answer nobody, and refuse nobody."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        self.send(signal.SIGCONT)

    def send(self, sign: signal.Signals) -> None:
        """Signal it."""
        assert self._process is not None
        self._process.send_signal(sign)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stopped at once for a while, and started again whatever happens."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self, deadline: float) -> bool:
        """Whether it does in the end. False when it ended."""
        assert self._process is not None
        while self._process.poll() is None:
            if self._is_up():
                return True
            assert time.monotonic() < deadline, f"{self.title} is not ready; its log says:\n{self._log_end()}"
            time.sleep(self.look)
        return False

    def _log_end(self) -> str:
        found = [path for name in self.logs if (path := self._directory / name).exists()]
        return "\n".join(line for path in found for line in path.read_text(errors="replace").splitlines()[-_LINES:])


class OwnedServer(ServerProcess):
    """One that refuses to be root: where this process is, it belongs to a user of its own."""

    owner: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        if os.geteuid() == 0:
            shutil.chown(self._directory, self.owner)

    def given(self, file: Path) -> Path:
        """A copy of a file that the server may read, and nobody else."""
        copy = self._directory / file.name
        shutil.copy(file, copy)
        copy.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(copy, self.owner)
        return copy

    @classmethod
    def no_owner(cls) -> str:
        """Why it cannot be started here for want of that user; empty when it can."""
        known = any(entry.pw_name == cls.owner for entry in pwd.getpwall())
        if os.geteuid() != 0 or (shutil.which("setpriv") is not None and known):
            return ""
        return f"no {cls.title} can be started here: it refuses root, and there is no user {cls.owner!r} to be"

    @classmethod
    def as_owner(cls, sign: str = "SIGKILL") -> list[str]:
        """What makes a command the owner's, and die with this process. One that took that name itself would outlive
        it."""
        become = []
        if os.geteuid() == 0:
            become = ["--reuid", cls.owner, "--regid", str(pwd.getpwnam(cls.owner).pw_gid), "--init-groups"]
        return dying(*become, sign=sign)


def dying(*become: str, sign: str = "SIGKILL") -> list[str]:
    """What makes a command end with this process, by that signal."""
    return ["setpriv", *become, "--pdeathsig", sign, "--"] if shutil.which("setpriv") else []


def database_of(folder: Path) -> str:
    """The name of the database that belongs to a folder."""
    return f"t{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def done(command: list[str]) -> str:
    """What a command prints that must go well."""
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    assert found.returncode == 0, f"{command[-1]}: {found.stdout}{found.stderr}"
    return found.stdout.strip()


S = TypeVar("S", bound=ServerProcess)


def until_exit(server: S) -> S:
    """Started now, and removed when this process ends."""
    atexit.register(server.remove)
    server.start()
    return server
