"""What a server, and the sessions that are opened on it, are to the parts that several dialects share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NoReturn, Protocol, TypeAlias

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.tables import Model

LOCK_SECONDS: Final = 5
"""How long to wait for another process that is writing."""
MIGRATION_LOCK_SECONDS: Final = 60


class Session(Protocol):
    """One connection. Where a statement is given up in the middle, it is closed: nobody knows what it would answer
    next."""

    thread: int
    """What the server calls it."""

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        ...

    async def run(self, text: str, arguments: Sequence[Cell]) -> int:
        """Run a statement; the number of rows it touched, or found for an update."""
        ...

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement for each line of arguments; the number of rows touched in all. Where one fails, those before
        it may have been carried out."""
        ...

    def is_closed(self) -> bool:
        """Whether it has ended, by whomever."""
        ...

    def terminate(self) -> None:
        """Cut it."""
        ...

    async def close(self) -> None:
        """Say goodbye."""
        ...


class Host(Protocol):
    """A server, as far as sessions on it are looked after."""

    address: str
    """Without the password."""
    failures: tuple[type[Exception], ...]
    """All that a call of the driver can raise, apart from faults of ours."""

    async def end(self, thread: int) -> None:
        """Have the server end a session of ours that does not answer; it may be over already."""
        ...

    def show(self, text: str) -> None:
        """Log a statement, if that is wanted."""
        ...

    def raise_meaning(
        self, error: BaseException, *, closed: bool, model: Model | None = None, statement: str = ""
    ) -> NoReturn:
        """Raise the kernel's error for this one; an error that means nothing to callers is raised as it is. `closed`
        tells that the session is; `statement` is what was run over tables of the model."""
        ...

    def is_rolled_back(self, error: BaseException) -> bool:
        """Whether the server has, by this error, rolled back the whole transaction."""
        ...


Connect: TypeAlias = Callable[[], Awaitable[Session]]
"""Opens a session. Raises `StorageUnavailable` with a sentence that says what to do."""
