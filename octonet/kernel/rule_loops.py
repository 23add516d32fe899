"""Whether rules would carry changes in a circle."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec


class Way(msgspec.Struct, frozen=True):
    """That a rule carries changes of these entities from one project to another."""

    rule: str
    source: str
    target: str
    entities: frozenset[str]


def loop(new: Collection[Way], there: Collection[Way]) -> list[str] | None:
    """The names of the rules by which a change that a new rule carries would come back to where it was; None where it
    cannot. What one rule carries both ways is no circle: it knows what it carried."""
    for way in new:
        for entity in sorted(way.entities):
            found = _path(way.target, way.source, entity, there)
            if found is not None:
                return [way.rule, *found]
    return None


def twin(new: Collection[Way], there: Iterable[Way]) -> str | None:
    """The name of a rule that carries the same changes the same way already."""
    for other in there:
        for way in new:
            same = (way.source, way.target) == (other.source, other.target)
            if same and not way.entities.isdisjoint(other.entities):
                return other.rule
    return None


def _path(start: str, end: str, entity: str, ways: Collection[Way]) -> list[str] | None:
    seen, waiting = {start}, [(start, list[str]())]
    while waiting:
        place, rules = waiting.pop(0)
        for way in _from(place, entity, ways):
            if way.target == end:
                return [*rules, way.rule]
            if way.target not in seen:
                seen.add(way.target)
                waiting.append((way.target, [*rules, way.rule]))
    return None


def _from(place: str, entity: str, ways: Iterable[Way]) -> Iterator[Way]:
    return (way for way in ways if way.source == place and entity in way.entities)
