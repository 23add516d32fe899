"""A parent and its children: what dies is started anew, what is to stop is told so, and nothing is left behind."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

from jetstream.server import die_with_parent

log = logging.getLogger("octonet.supervisor")

_LOOK = 0.2
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_SOUND = 30.0
"""Seconds after which a child counts as sound again."""
_STOP_WITHIN = 12.0
_READY = b"."
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class _Child:
    """One place among the children, whoever fills it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process = 0
        self.ready = False
        self.started = 0.0
        self.due = 0.0
        self.pause = _FIRST_PAUSE
        self.pipe = -1


class Supervisor:
    """Runs `work` in `count` children. `work` gets its number and a function to call once it is ready, and returns its
    exit code; `look` is called several times a second meanwhile, `ready` once all children are."""

    def __init__(
        self,
        work: Callable[[int, Callable[[], None]], int],
        count: int,
        look: Callable[[], None],
        ready: Callable[[], None],
    ) -> None:
        self._work = work
        self._children = [_Child(number) for number in range(count)]
        self._look = look
        self._ready = ready
        self._told = False
        self._deadline = 0.0
        self._worst = 0

    def run(self) -> int:
        """Until SIGINT or SIGTERM; returns the exit code of the worst child. A child that fails before all were ready
        once stops the whole start."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            while not (self._deadline and not any(child.process for child in self._children)):
                self._tend()
                found = signal.sigtimedwait(_SIGNALS, _LOOK)
                if found is not None and found.si_signo != signal.SIGCHLD:
                    self._stop()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return self._worst

    def _tend(self) -> None:
        for child in self._children:
            self._reap(child)
            if not child.process and not self._deadline and time.monotonic() >= child.due:
                self._spawn(child)
            self._hear(child)
        if self._deadline and time.monotonic() > self._deadline:
            self._send(signal.SIGKILL)
        if not self._told and all(child.ready for child in self._children):
            self._told = True
            self._ready()
        self._look()

    def _stop(self) -> None:
        """Pass it on: a child that is told a second time ends at once."""
        if not self._deadline:
            self._deadline = time.monotonic() + _STOP_WITHIN
        self._send(signal.SIGTERM)

    def _send(self, sign: signal.Signals) -> None:
        for child in self._children:
            if child.process:
                # It is ours and not reaped: the number is nobody else's.
                os.kill(child.process, sign)

    def _spawn(self, child: _Child) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process == 0:
            os.close(reading)
            _become(self._work, child.number, writing)
        os.close(writing)
        os.set_blocking(reading, False)
        child.process, child.pipe, child.ready, child.started = process, reading, False, time.monotonic()

    def _hear(self, child: _Child) -> None:
        if child.pipe >= 0 and not child.ready:
            with contextlib.suppress(BlockingIOError):
                child.ready = os.read(child.pipe, 1) == _READY

    def _reap(self, child: _Child) -> None:
        if not child.process:
            return
        gone, status = os.waitpid(child.process, os.WNOHANG)
        if not gone:
            return
        code = os.waitstatus_to_exitcode(status)
        code = 128 - code if code < 0 else code
        os.close(child.pipe)
        child.process, child.pipe = 0, -1
        if self._deadline:
            self._worst = max(self._worst, code)
            return
        if not self._told and not child.ready:
            log.error("process %d could not start (exit code %d)", child.number, code)
            self._worst = max(self._worst, code or 1)
            self._stop()
            return
        now = time.monotonic()
        child.pause = _FIRST_PAUSE if now - child.started > _SOUND else min(child.pause * 2, _LONGEST_PAUSE)
        child.due = now + child.pause
        log.error("process %d ended (exit code %d); starting it again in %.1f s", child.number, code, child.pause)


def in_a_child(work: Callable[[], int]) -> int:
    """Run something in a child to its end; returns its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        _become(lambda number, ready: work(), 0, -1)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _become(work: Callable[[int, Callable[[], None]], int], number: int, pipe: int) -> None:
    """The child's whole life. It never returns into the parent's code."""
    code = 1
    try:
        die_with_parent()
        # A terminal's Ctrl-C reaches parent and children: the parent is the one to pass it on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        code = work(number, lambda: _tell(pipe))
    except BaseException:  # whatever it is, the parent learns of it by the exit code, and its stack is not unwound
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell(pipe: int) -> None:
    os.write(pipe, _READY)
