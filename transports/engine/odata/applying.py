"""$apply: filter, groupby and aggregate, as stages of our pipeline."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.faults import quote
from transports.engine.odata import expression
from transports.engine.odata.compile import compiled
from transports.engine.odata.conditions import Tree
from transports.engine.odata.problems import syntax, unsupported
from transports.engine.odata.scope import Scope
from transports.engine.odata.splitting import split, within

_OPTION: Final = "$apply"
_FUNCTIONS: Final = {"sum": "$sum", "min": "$min", "max": "$max", "average": "$avg"}
_NAME: Final = r"[A-Za-z_]\w*"
_AGGREGATE: Final = re.compile(rf"({_NAME})\s+with\s+({_NAME}(?:\.\w+)*)\s+as\s+({_NAME})", re.IGNORECASE)
_COUNT: Final = re.compile(rf"\$count\s+as\s+({_NAME})", re.IGNORECASE)
Stage = dict[str, object]


class Pipeline(msgspec.Struct, frozen=True):
    """The stages, and the names that the rows of the last one have; none where they are rows of the entity."""

    stages: tuple[Stage, ...]
    names: tuple[str, ...]
    grouped: str
    """What it is grouped by; empty for nothing."""


def parse(text: str, scope: Scope) -> Pipeline:
    """The pipeline of an $apply. Raises `Invalid`, and a 501 for every other transformation."""
    stages: list[Stage] = []
    names: tuple[str, ...] = ()
    by = ""
    for part, at in split(text, "/", _OPTION):
        word, inside = within(part.strip(), _OPTION, at)
        if inside is None or word not in ("filter", "groupby", "aggregate"):
            if word in _KNOWN:
                raise unsupported(_OPTION, f"{word}", at)
            raise syntax(_OPTION, at, f"{quote(word)} is not a transformation")
        if names:
            raise unsupported(_OPTION, "a transformation of what is grouped", at)
        if word == "filter":
            stages.append({"$match": _filter(inside, scope)})
        elif word == "aggregate":
            group = _aggregates(inside, scope, at)
            names = tuple(group)
            stages.append({"$group": {"_by": None, **group}})
        else:
            by, group = _groupby(inside, scope, at)
            names = (by, *group)
            stages.append({"$group": {"_by": scope.entity.properties[by].column, **group}})
    return Pipeline(tuple(stages), names, by)


def _filter(text: str, scope: Scope) -> Tree:
    return compiled(expression.parse(text, _OPTION), scope).tree


def _groupby(text: str, scope: Scope, at: int) -> tuple[str, Stage]:
    parts = [part.strip() for part, _ in split(text, ",", _OPTION)]
    head, inside = within(parts[0], _OPTION, at)
    if head or inside is None:
        raise syntax(_OPTION, at, "groupby takes properties in parentheses")
    names = [name.strip() for name, _ in split(inside, ",", _OPTION)]
    if len(names) != 1 or "/" in names[0] or "(" in names[0]:
        raise unsupported(_OPTION, "to group by anything but one property", at)
    found = scope.property(names[0], at)
    if found is None or found.link:
        raise unsupported(_OPTION, "to group by a navigation property", at)
    if len(parts) == 1:
        return found.name, {}
    if len(parts) > 2:
        raise syntax(_OPTION, at, "groupby takes properties and one transformation")
    word, inner = within(parts[1], _OPTION, at)
    if word != "aggregate" or inner is None:
        raise unsupported(_OPTION, f"groupby with {word}", at)
    return found.name, _aggregates(inner, scope, at)


def _aggregates(text: str, scope: Scope, at: int) -> Stage:
    found: Stage = {}
    for part, _ in split(text, ",", _OPTION):
        alias, accumulator = _aggregate(part.strip(), scope, at)
        if alias in found:
            raise invalid(_OPTION, f"names {quote(alias)} more than once")
        found[alias] = accumulator
    return found


def _aggregate(text: str, scope: Scope, at: int) -> tuple[str, Stage]:
    counted = _COUNT.fullmatch(text)
    if counted is not None:
        return counted[1], {"$count": True}
    match = _AGGREGATE.fullmatch(text)
    if match is None:
        if " with " in text or " from " in text:
            raise unsupported(_OPTION, "this aggregate", at)
        raise syntax(_OPTION, at, "expected: property with method as alias")
    function = _FUNCTIONS.get(match[2].lower())
    if function is None:
        raise unsupported(_OPTION, f"with {match[2]}", at)
    found = scope.property(match[1], at)
    if found is None or found.link:
        raise unsupported(_OPTION, "to aggregate a navigation property", at)
    return match[3], {function: found.column}


_KNOWN: Final = frozenset(
    (
        "topcount", "topsum", "toppercent", "bottomcount", "bottomsum", "bottompercent", "identity", "concat",
        "compute", "expand", "search", "orderby", "top", "skip", "join", "outerjoin", "nest", "ancestors",
        "descendants", "traverse", "addnested", "rolluprecursive",
    )
)  # fmt: skip
