"""What a transaction has written and the server does not know yet, with savepoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import msgspec

from octonet.dialects.engine.mongodb_layout import Key
from octonet.kernel.errors import Internal
from octonet.kernel.ids import CommandId, EntityId
from octonet.kernel.storage import Checkpoint, Stored


class Written(msgspec.Struct, frozen=True):
    """A row as it is now; None where it was deleted."""

    row: Stored | None
    document: bytes = b""
    """The same in BSON."""
    keys: tuple[Key, ...] = ()
    """What it holds that no other row may hold."""
    stands: bool = False
    """Whether a row of this id is in the database."""
    anew: bool = False
    """Whether that row was deleted in between: what is there must not stay."""


class Overlay:
    """Rows by entity and id, commands, the checkpoint."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[EntityId, Written]] = {}
        self._holders: dict[tuple[str, Key], set[EntityId]] = {}
        self.commands: dict[CommandId, int] = {}
        self.checkpoint: Checkpoint | None = None
        """None where it was not moved."""
        self._undo: list[Callable[[], None]] = []
        self._savepoints: list[int] = []

    def rows(self, entity: str) -> Mapping[EntityId, Written]:
        """What was written of an entity."""
        return self._rows.get(entity, {})

    def entities(self) -> Iterator[tuple[str, Mapping[EntityId, Written]]]:
        """The same for all of them."""
        yield from self._rows.items()

    def holders(self, entity: str, key: Key) -> frozenset[EntityId]:
        """The rows, of those written, that hold this."""
        return frozenset(self._holders.get((entity, key), ()))

    def put(self, entity: str, id: EntityId, written: Written) -> None:
        """Write a row, or that it is gone."""
        self._undo.append(partial(self._replace, entity, id, self.rows(entity).get(id)))
        self._replace(entity, id, written)

    def remember(self, command: CommandId, entry: int) -> None:
        """Write that a command was decided."""
        self._undo.append(partial(self.commands.__delitem__, command))
        self.commands[command] = entry

    def move(self, to: Checkpoint) -> None:
        """Write the checkpoint."""
        self._undo.append(partial(setattr, self, "checkpoint", self.checkpoint))
        self.checkpoint = to

    def savepoint(self) -> None:
        """Open a nested savepoint."""
        self._savepoints.append(len(self._undo))

    def release(self) -> None:
        """Close the innermost one."""
        self._innermost()

    def rollback_to(self) -> None:
        """Close it, and undo what came after it."""
        start = self._innermost()
        while len(self._undo) > start:
            self._undo.pop()()

    def _innermost(self) -> int:
        if not self._savepoints:
            raise Internal("no savepoint is open")
        return self._savepoints.pop()

    def _replace(self, entity: str, id: EntityId, written: Written | None) -> None:
        rows = self._rows.setdefault(entity, {})
        before = rows.pop(id, None)
        for key in before.keys if before is not None else ():
            self._holders[entity, key].discard(id)
        if written is not None:
            rows[id] = written
            for key in written.keys:
                self._holders.setdefault((entity, key), set()).add(id)
