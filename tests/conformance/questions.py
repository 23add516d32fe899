"""Awkward rows, hundreds of questions about them, and the answers, worked out without a database."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from octonet.kernel.aggregate import NO_GROUP, Accumulator, Function, Group, Limit, Match, Sort, Stage
from octonet.kernel.filter import And, Compare, Comparison, Filter, In, IsNull, Like, Literal, Or, Order, Wild, Wildcard
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.storage import Page, Stored
from tests.conformance.dialect_cases import PERSON, of_values, page, public

_NAMES: Final = (
    *(
        "",
        " ",
        "a",
        "A",
        "aa",
        "b",
        "B",
        "é",
        "e\u0301",
        "É",
        "ß",
        "ss",
        "ж",
        "Ж",
        "😀",
        "𝔘",
        "z",
        "Z",
        "10",
        "9",
        "null",
    ),
    *("%", "_", "a%", "a_b", "a\\b", "it's", '"q"', "a;--", "a ", " a", "\t", "line\nbreak", "[x]", "*", "?", "\ufffd"),
)
_DATES: Final = (
    *("0001-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z", "2000-02-29T00:00:00.001Z"),
    *("2026-03-29T01:30:00.000Z", "9999-12-31T23:59:59.999Z"),
)
# Their sums are exact in any order, so that every database has to come to the same.
_AGES: Final = (0, 1, -1, 0.25, -0.25, 2.5, 7, 10, 100, 1 << 20, -(1 << 20), 1 << 40)
_SETTINGS: Final[Sequence[JsonValue]] = (None, {}, {"a": [1, None, "é"]}, [], "text", 0, False)
_LABELS: Final[Sequence[JsonValue]] = (None, [], ["a", "A", ""])
_COLUMNS: Final = ("name", "bio", "age", "active", "born", "id")
_SEED: Final = 13

Question: TypeAlias = Page | tuple[Stage, ...]
"""What is asked: for a page of rows, or what a pipeline makes of them."""


def awkward_people() -> list[Stored]:
    """Rows with every kind of value that databases disagree about, and with none at all."""
    dice = random.Random(_SEED)
    people = [of_values(PERSON, "none", {})]
    for number, name in enumerate(_NAMES):
        values: dict[str, JsonValue] = {"name": name, "bio": dice.choice([None, *_NAMES])}
        values["age"] = dice.choice([None, *_AGES])
        values["active"] = dice.choice([None, True, False])
        values["born"] = dice.choice([None, *_DATES])
        values["settings"] = dice.choice(_SETTINGS)
        values["labels"] = dice.choice(_LABELS)
        people.append(of_values(PERSON, f"{'pP'[number % 2]}{number:02}", values))
    return people


def pages(count: int) -> list[Page]:
    """So many filters with sorts, limits and skips; the same at every run."""
    dice = random.Random(_SEED + 1)
    return [
        page(
            _filter(dice, 2), *_orders(dice, _COLUMNS), limit=dice.choice([1, 3, 10, 100]), skip=dice.choice([0, 0, 2])
        )
        for _ in range(count)
    ]


def pipelines(count: int) -> list[tuple[Stage, ...]]:
    """So many pipelines; the same at every run."""
    dice = random.Random(_SEED + 2)
    return [_pipeline(dice) for _ in range(count)]


def _value(dice: random.Random, column: str) -> str | int | float | bool:
    values: dict[str, Sequence[str | int | float | bool]] = {
        "age": _AGES, "active": (True, False), "born": _DATES, "id": ("none", "p00", "P01", "p1", ""),
    }  # fmt: skip
    return dice.choice(values.get(column, _NAMES))


def _filter(dice: random.Random, depth: int) -> Filter:
    if depth and dice.random() < 0.5:
        parts = tuple(_filter(dice, depth - 1) for _ in range(dice.randrange(4)))
        return And(parts) if dice.random() < 0.5 else Or(parts)
    column = dice.choice(_COLUMNS)
    kinds: list[Callable[[], Filter]] = [
        lambda: Compare(column, dice.choice(list(Comparison)), _value(dice, column)),
        lambda: In(column, tuple(_value(dice, column) for _ in range(dice.randrange(5))), dice.random() < 0.5),
        lambda: IsNull(dice.choice([column, "settings", "labels"]), dice.random() < 0.5),
    ]
    if column in ("name", "bio"):
        kinds += [lambda: Like(column, _pattern(dice), dice.random() < 0.5, dice.random() < 0.3)] * 2
    return dice.choice(kinds)()


def _pattern(dice: random.Random) -> tuple[Literal | Wild, ...]:
    def part() -> Literal | Wild:
        kind = dice.choice([Wildcard.MANY, Wildcard.ONE, None, None])
        return Literal(dice.choice(_NAMES)) if kind is None else Wild(kind)

    return tuple(part() for _ in range(dice.randrange(4)))


def _orders(dice: random.Random, columns: Sequence[str]) -> tuple[Order, ...]:
    return tuple(Order(dice.choice(columns), dice.random() < 0.5) for _ in range(dice.randrange(4)))


def _pipeline(dice: random.Random) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    if dice.random() < 0.6:
        stages.append(Match(_filter(dice, 1)))
    if dice.random() < 0.4:
        stages += [Sort(_orders(dice, _COLUMNS)), Limit(dice.choice([1, 5, 20]))]
    by = dice.choice([None, "name", "bio", "age", "active", "born"])
    kinds = [
        Accumulator("n", Function.COUNT, 1),
        Accumulator("sum", Function.SUM, "age"),
        Accumulator("points", Function.SUM, dice.choice([1, 2, 0.5])),
        Accumulator("mean", Function.AVG, "age"),
        Accumulator("least", Function.MIN, dice.choice(_COLUMNS)),
        Accumulator("most", Function.MAX, dice.choice(_COLUMNS)),
    ]
    accumulators = tuple(dice.sample(kinds, dice.randrange(1, len(kinds))))
    stages.append(Group(by, accumulators))
    numbers = [each.alias for each in accumulators if each.alias in ("n", "sum", "points", "mean")]
    if numbers and dice.random() < 0.5:
        stages.append(Match(Compare(dice.choice(numbers), dice.choice(list(Comparison)), dice.choice(_AGES))))
    if dice.random() < 0.5:
        stages += [Sort(_orders(dice, [by or NO_GROUP, *(each.alias for each in accumulators)])), Limit(4)]
    return tuple(stages)


def answer(people: Sequence[Stored], question: Question) -> list[Row]:
    """What every database has to say: by the kernel's own evaluation, and the rules of the stages as they are written
    down."""
    rows = [public(person.state) for person in people]
    if isinstance(question, Page):
        chosen = _sorted([row for row in rows if matches(question.where, row)], question.options.sort, "id")
        return chosen[question.options.skip : question.options.skip + question.limit]
    orders: tuple[Order, ...] = ()
    tie = "id"
    for stage in question:
        if isinstance(stage, Match):
            rows = [row for row in rows if matches(stage.filter, row)]
        elif isinstance(stage, Sort):
            orders = stage.orders
        elif isinstance(stage, Limit):
            rows = _sorted(rows, orders, tie)[: stage.count]
        else:
            rows, orders, tie = _grouped(rows, stage), (), stage.by or NO_GROUP
    return _sorted(rows, orders, tie)


def _sorted(rows: Sequence[Row], orders: Sequence[Order], tie: str) -> list[Row]:
    found = list(rows)
    for order in reversed((*orders, Order(tie))):
        found.sort(key=lambda row, name=order.column: _rank(row[name]), reverse=order.descending)  # type: ignore[misc]
    return found


def _rank(value: JsonValue) -> tuple[bool, str | int | float | bool]:
    assert value is None or isinstance(value, str | int | float | bool)
    return (False, 0) if value is None else (True, value)


def _grouped(rows: Sequence[Row], stage: Group) -> list[Row]:
    groups: dict[JsonValue, list[Row]] = {} if stage.by else {None: []}
    for row in rows:
        groups.setdefault(row[stage.by] if stage.by else None, []).append(row)
    name = stage.by or NO_GROUP
    return [
        {name: key, **{a.alias: _accumulated(a, members) for a in stage.accumulators}}
        for key, members in groups.items()
    ]


def _accumulated(accumulator: Accumulator, rows: Sequence[Row]) -> JsonValue:
    if not isinstance(accumulator.operand, str):
        return len(rows) * (1 if accumulator.function is Function.COUNT else accumulator.operand)
    values = [value for row in rows if (value := row[accumulator.operand]) is not None]
    if accumulator.function is Function.SUM:
        return sum(values)  # type: ignore[arg-type]
    if not values:
        return None
    if accumulator.function is Function.AVG:
        return sum(values) / len(values)  # type: ignore[arg-type]
    return min(values) if accumulator.function is Function.MIN else max(values)  # type: ignore[type-var]
