"""Progress bars for work of several parts."""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn

from tqdm import tqdm


class Bars:
    """Implements `octonet.watched_progress.Progress`: a bar for each part, with its rate and what is left."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._what = ""
        self._bar: tqdm[NoReturn] | None = None

    def begin(self, what: str, unit: str, done: int, total: int) -> None:
        """See the port. A part that goes on keeps its bar."""
        if self._bar is not None and self._what == what:
            self.reach(done, total)
            return
        self._end()
        self._what = what
        self._bar = tqdm(total=total or None, initial=done, unit=unit, desc=what, disable=self._quiet)

    def reach(self, done: int, total: int) -> None:
        """See the port."""
        if self._bar is not None and not self._quiet:
            self._bar.total = total or None
            self._bar.update(done - self._bar.n)

    def add(self, more: int) -> None:
        """See the port."""
        if self._bar is not None:
            self._bar.update(more)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Bars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
