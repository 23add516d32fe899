"""What a process has answered, by operation, as services on NATS tell it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

_LONGEST = 256


class Count(msgspec.Struct):
    """One operation. Times in nanoseconds."""

    requests: int = 0
    errors: int = 0
    last_error: str = ""
    time: int = 0
    unanswerable: int = 0
    """Requests that named no inbox for their answer; they were not done."""


class Tally:
    """Of one process, since it began."""

    def __init__(self, operations: Iterable[str], began: str) -> None:
        self.began = began
        """ISO-8601 UTC."""
        self.by_operation = {name: Count() for name in operations}

    def answered(self, op: str, took: int, error: str) -> None:
        """One more; `error` empty where there was none."""
        count = self.by_operation[op]
        count.requests += 1
        count.time += took
        if error:
            count.errors += 1
            count.last_error = error[:_LONGEST]

    def unanswerable(self, op: str) -> None:
        """One more that nobody waits for."""
        self.by_operation[op].unanswerable += 1

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(count.requests for count in self.by_operation.values())

    @property
    def errors(self) -> int:
        """Those that were refused, or failed."""
        return sum(count.errors for count in self.by_operation.values())
