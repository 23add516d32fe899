"""Which number each field of a message has: a fold of every schema that the project ever had.

The log tells every replica the same schemas in the same order, so all of them come to the same numbers, and nothing is
stored beside it. A number that was given is never given to another field: one that was removed waits for a field of the
same name and type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from octonet.kernel.schema import EntitySchema, Schemas

_FIRST_OF_PROTOBUF: Final = 19_000
_BEHIND_PROTOBUF: Final = 20_000
"""The numbers between are protobuf's own."""


class Slot(msgspec.Struct, frozen=True):
    """A field of a message. Of another type it is another field."""

    name: str
    type: str


Slots: TypeAlias = Callable[[EntitySchema], Iterable[Slot]]


class Numbering(msgspec.Struct, frozen=True):
    """The fields of one message."""

    of: Mapping[str, int]
    """Name → number."""
    gone: tuple[int, ...] = ()
    """Numbers of fields that are no more, ascending."""
    left: tuple[str, ...] = ()
    """Their names, as far as no other field has taken them."""


NOTHING: Final = Numbering({})


def numbered(history: Sequence[Schemas], slots: Slots, first: int) -> dict[str, Numbering]:
    """The numbering of the fields of each entity that the last of these schemas has, by its name. `history`: the oldest
    first, never empty. New fields are numbered in the order of their schema, from `first` on."""
    known: dict[str, dict[Slot, int]] = {}
    before: Schemas | None = None
    for schemas in history:
        if before is not None:
            _rename(known, before, schemas)
        for entity in schemas.entities.values():
            given = known.setdefault(entity.name, {})
            for slot in slots(entity):
                if slot not in given:
                    given[slot] = _next(given, first)
        before = schemas
    assert before is not None
    return {name: _numbering(known[name], slots(entity)) for name, entity in before.entities.items()}


def _rename(known: dict[str, dict[Slot, int]], before: Schemas, after: Schemas) -> None:
    """An entity that keeps its collection under another name keeps its numbers."""
    for entity in after.entities.values():
        if entity.name in known:
            continue
        former = before.find(entity.collection)
        if former is not None and former.collection == entity.collection and former.name not in after.entities:
            known[entity.name] = dict(known[former.name])


def _next(given: Mapping[Slot, int], first: int) -> int:
    found = max(given.values(), default=first - 1) + 1
    return _BEHIND_PROTOBUF if _FIRST_OF_PROTOBUF <= found < _BEHIND_PROTOBUF else found


def _numbering(given: Mapping[Slot, int], slots: Iterable[Slot]) -> Numbering:
    wanted = list(slots)
    of = {slot.name: given[slot] for slot in wanted}
    used = set(of.values())
    gone = {number: slot.name for slot, number in given.items() if number not in used}
    left = sorted({name for name in gone.values() if name not in of})
    return Numbering(of, tuple(sorted(gone)), tuple(left))
