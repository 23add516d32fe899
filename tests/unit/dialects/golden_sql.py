"""The SQL of each operation in each dialect, as it was read and found right: `golden/<dialect>.sql`.

`python -m tests.unit.dialects.golden_sql` writes the files anew; the difference is to be read. A comment behind a
heading says why a vendor's rule made the text odd; it stays with its heading.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from octonet import dialects
from octonet.dialects.engine.ddl import Migration
from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.inventory import Inventory
from octonet.dialects.engine.model import build
from octonet.dialects.engine.queries import Queries
from octonet.dialects.engine.writes import Writes
from octonet.kernel.aggregate import Accumulator, Function, Group, Limit, Match, Sort
from octonet.kernel.filter import (
    And,
    Compare,
    Comparison,
    In,
    IsNull,
    Like,
    Literal,
    Options,
    Or,
    Order,
    Wild,
    Wildcard,
)
from octonet.kernel.storage import Strategy
from tests.conformance.dialect_cases import ACCOUNT, DOG, ORDER, PERSON, SCHEMAS, USER, page

HERE: Final = Path(__file__).parent / "golden"
_MANY: Final = Wild(Wildcard.MANY)
_LIKES: Final = (
    ("like", "50%_", False, False),
    ("like, negated", "50%_", False, True),
    ("like, whatever the case", "50%_", True, False),
    ("like, whatever the case, beyond ASCII", "é", True, False),
)
_ADULTS: Final = Compare("age", Comparison.GTE, 18)


def grammars() -> dict[str, Grammar]:
    """Of every dialect that speaks SQL, by name."""
    modules = {name: importlib.import_module(f"{dialects.__name__}.{name}") for name in dialects.known()}
    return {name: module.GRAMMAR for name, module in modules.items() if hasattr(module, "GRAMMAR")}


def statements(grammar: Grammar) -> Iterator[tuple[str, str]]:
    """What each piece of work says to the database, by its name."""
    model = build(SCHEMAS, grammar)
    made = Migration(model, grammar, Inventory({}, frozenset())).statements(Strategy.CREATE)
    yield "tables and indexes", ";\n\n".join(made)
    yield from _reads(Queries(model, grammar))
    yield from _writes(Writes(model, grammar), Queries(model, grammar))


def _reads(queries: Queries) -> Iterator[tuple[str, str]]:
    yield "get by id", queries.get(PERSON, Options()).statement.text
    yield "get of chosen fields", queries.get(PERSON, Options(select=("name", "age"))).statement.text
    yield "get of a row that may be soft-deleted", queries.get(ACCOUNT, Options()).statement.text
    yield "get by a discriminator", queries.get(DOG, Options()).statement.text
    yield "gets that travel together", queries.several(PERSON, Options(), ["a", "b", "c"]).text
    yield "get with secrets", queries.whole(PERSON).statement.text
    yield "version", queries.version(PERSON).statement.text
    yield "page of everything", queries.select(PERSON, page()).text
    sort = (Order("age", descending=True), Order("name"))
    yield "page that is filtered, sorted and skipped to", queries.select(PERSON, page(_ADULTS, *sort, skip=20)).text
    yield "membership", queries.select(PERSON, page(In("name", ("a", "b", "c")))).text
    yield "membership of numbers, negated", queries.select(PERSON, page(In("age", (1, 2.5), True))).text
    yield "null, and not null", queries.select(PERSON, page(Or((IsNull("bio", True), IsNull("bio", False))))).text
    either = And((Or((_ADULTS, Compare("active", Comparison.EQ, True))), Compare("name", Comparison.NE, "x")))
    yield "and, or, not equal, a boolean", queries.select(PERSON, page(either)).text
    for what, text, ignore, negated in _LIKES:
        like = Like("name", (Literal(text), _MANY), ignore, negated)
        yield what, queries.select(PERSON, page(like)).text
    yield "count", queries.count(PERSON, _ADULTS, False).text
    yield "reserved words", queries.select(ORDER, page(Compare("select", Comparison.EQ, "x"), Order("group"))).text
    total = Accumulator("total", Function.SUM, "age")
    of = (Accumulator("n", Function.COUNT, 1), total, Accumulator("mean", Function.AVG, "age"))
    extremes = (Accumulator("points", Function.SUM, 2), Accumulator("any", Function.MAX, "active"))
    group = Group("name", (*of, *extremes))
    several = Match(Compare("n", Comparison.GT, 1))
    stages = (Match(_ADULTS), group, several, Sort((Order("total", descending=True),)), Limit(10))
    yield "aggregate", queries.aggregate(PERSON, stages, 100).text
    yield "aggregate of everything", queries.aggregate(PERSON, (Group(None, of),), 100).text
    junction = queries.junction(PERSON, PERSON.links[0])
    yield "links of several owners", queries.pairs(junction, ["a", "b"]).text


def _writes(writes: Writes, queries: Queries) -> Iterator[tuple[str, str]]:
    junction = queries.junction(PERSON, PERSON.links[0])
    yield "create", writes.insert(USER).text
    yield "update", writes.update(USER).text
    yield "delete", writes.delete(USER, ["a", "b"])[0].text
    yield "take a row out to put it back", writes.take_out(USER).text
    yield "link", writes.link(junction).text
    yield "unlink", writes.unlink(junction).text
    yield "unlink all of several owners", writes.unlink_all(junction, ["a", "b"])[0].text
    yield "rows that commands touch", queries.fetch(PERSON, ["a", "b"]).text
    yield "ids of what a command matches", queries.match(PERSON, _ADULTS, True, 5).text
    yield "owners of what is linked", queries.owners(junction, ["a", "b"]).text
    yield "recall commands", queries.recall(["a", "b"]).text
    yield "newest command", queries.newest().statement.text
    yield "remember commands", writes.remember().text
    yield "checkpoint", queries.checkpoint().statement.text
    yield "move the checkpoint", writes.move_checkpoint().text
    yield "first checkpoint", writes.first_checkpoint().text
    yield "rows of a snapshot", queries.following(PERSON, "", 10).text
    yield "inbox of a snapshot", queries.remembered("", 10).text


def golden(dialect: str) -> tuple[dict[str, str], dict[str, str]]:
    """The texts and the comments of a dialect's file, by heading."""
    path = HERE / f"{dialect}.sql"
    texts: dict[str, str] = {}
    comments: dict[str, str] = {}
    for part in (path.read_text() if path.exists() else "").split("\n-- # ")[1:]:
        heading, _, rest = part.partition("\n")
        lines = rest.strip().splitlines()
        comments[heading] = "\n".join(line for line in lines if line.startswith("-- "))
        texts[heading] = "\n".join(line for line in lines if not line.startswith("-- "))
    return texts, comments


def written(dialect: str, grammar: Grammar) -> str:
    """The file as it should be, with the comments that stand there."""
    comments = golden(dialect)[1]
    parts = [f"-- What Octonet says to {dialect}. Written by tests/unit/dialects/golden_sql.py.\n"]
    for heading, text in statements(grammar):
        comment = comments.get(heading, "")
        parts.append(f"\n-- # {heading}\n" + (f"{comment}\n" if comment else "") + f"{_tidy(text)}\n")
    return "".join(parts)


def _tidy(text: str) -> str:
    """Line ends hold no meaning."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


if __name__ == "__main__":
    for name, grammar in grammars().items():
        (HERE / f"{name}.sql").write_text(written(name, grammar))
