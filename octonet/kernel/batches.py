"""Messages in batches that can be stored together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar


class _Message(Protocol):
    @property
    def body(self) -> bytes: ...


M = TypeVar("M", bound=_Message)


def batches(messages: Iterable[M], most: int, most_bytes: int) -> Iterator[list[M]]:
    """In order, `most` messages and `most_bytes` of bodies at most in each; a message that is larger stands alone."""
    batch: list[M] = []
    size = 0
    for message in messages:
        if batch and (len(batch) >= most or size + len(message.body) > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.body)
    if batch:
        yield batch
