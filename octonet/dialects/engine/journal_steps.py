"""How each definition that a migration makes is undone, on databases that commit at every definition: what their
transactions cannot take back is put back by statements of the opposite meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.names import quoted
from octonet.kernel.errors import Internal

DEFINES: Final = re.compile(r"\s*(?:ALTER|CREATE|DROP|RENAME)\s")
BETWEEN: Final = ";\n"
"""Stands between the two statements of a definition that is made of two: an index, and a column of its own."""
_NAMES: Final = ("table", "column", "index", "to")


class Spelling(msgspec.Struct, frozen=True):
    """How a database writes definitions, beyond what its grammar says. Names stand quoted in them, as in the grammar's
    own: ``{table}``, ``{column}``, ``{index}``, ``{to}``; any other word in braces stands for any text."""

    drop_index: Callable[[str, str, str], str]
    """The statement that removes an index, given by its table, its name and the statement that made it, with all that
    came with it; it may not be there."""
    index_apart: str = ""
    """Another way than CREATE INDEX by which the grammar makes an index of a table."""
    create_table: str = "CREATE TABLE {table} ({rest}"
    rename_index: str = ""
    """Where no two tables may have indexes of one name: a table that is put aside must not keep its own from others."""
    index_goes_first: bool = False
    """Where an index has one name for ever: it is dropped before its table is put aside, and made when that returns."""
    index_kinds: tuple[str, ...] = ("INDEX", "UNIQUE INDEX")
    drop_column: str = "ALTER TABLE {table} DROP COLUMN IF EXISTS {column}"
    drop_table: str = "DROP TABLE IF EXISTS {table}"


class Step(msgspec.Struct, frozen=True):
    """One definition: what is done now, what undoes it, and what is left to do when all is committed; empty where there
    is nothing."""

    now: str
    undo: str
    later: str = ""
    added: tuple[str, str] | None = None
    """The table and the column that it adds."""


_Found: TypeAlias = Mapping[str, str]


class Steps:
    """Works out the steps of one migration. `prefix` is what tables that are put aside are called by."""

    def __init__(self, grammar: Grammar, spelling: Spelling, prefix: str, indexes: Mapping[str, str]) -> None:
        self._grammar = grammar
        self._spelling = spelling
        self._prefix = prefix
        self._indexes = dict(indexes)
        """The SQL of indexes that stand, by name: what dropping them is undone by."""
        self._name = names_in(grammar)
        self._number = 0
        self._forms = [(re.compile(self._form(text), re.DOTALL), make) for text, make in self._all_forms()]

    def of(self, text: str) -> Iterator[Step]:
        """The steps for a definition, as the engine writes it. Raises `Internal` for any other."""
        for form, make in self._forms:
            if found := form.fullmatch(text):
                words = found.groupdict()
                if make == self._dropped:
                    yield from self._indexes_aside(words["table"])
                yield make(text, self._next(), words)
                return
        raise Internal(f"nobody knows how to undo {text!r}")

    def _all_forms(self) -> Iterator[tuple[str, Callable[[str, int, _Found], Step]]]:
        yield self._spelling.create_table, self._created
        yield "DROP TABLE {table}", self._dropped
        yield self._grammar.rename_table, self._renamed
        if self._grammar.rename_column:
            yield self._grammar.rename_column, self._renamed_column
        if self._spelling.index_apart:
            yield self._spelling.index_apart, self._indexed
        yield self._grammar.add_column.format(table="{table}", column="{column} {rest}"), self._added
        yield self._grammar.drop_column, self._dropped_column
        yield self._grammar.refuse_null, self._refused_null
        yield self._grammar.allow_null, self._allowed_null
        for kind in self._spelling.index_kinds:
            yield f"CREATE {kind} {{index}} ON {{table}} ({{rest}}", self._indexed
        yield self._grammar.drop_index, self._dropped_index

    def _form(self, text: str) -> str:
        words = re.split(r"\{(\w+)\}", text)
        found = [re.escape(words[0])]
        for word, literal in zip(words[1::2], words[2::2], strict=True):
            found += [f"(?P<{word}>{self._name if word in _NAMES else '.*'})", re.escape(literal)]
        return "".join(found)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _indexes_aside(self, table: str) -> Iterator[Step]:
        rename = self._spelling.rename_index
        for name in [name for name, text in self._indexes.items() if f" ON {table} " in text]:
            index = self._quoted(name)
            if rename:
                aside = self._quoted(f"{self._prefix}octonet_gone_{self._next()}")
                yield Step(rename.format(index=index, to=aside), rename.format(index=aside, to=index))
            elif self._spelling.index_goes_first:
                made = self._indexes.pop(name)
                yield Step(self._spelling.drop_index(table, index, made), made)

    def _quoted(self, name: str) -> str:
        return self._grammar.compiler.identifier_preparer.quote(quoted(name))

    def _created(self, text: str, _: int, found: _Found) -> Step:
        return Step(text, self._spelling.drop_table.format(**found))

    def _dropped(self, _: str, number: int, found: _Found) -> Step:
        table, aside = found["table"], self._quoted(f"{self._prefix}octonet_gone_{number}")
        return Step(
            self._grammar.rename_table.format(table=table, to=aside),
            self._grammar.rename_table.format(table=aside, to=table),
            self._spelling.drop_table.format(table=aside),
        )

    def _renamed(self, text: str, _: int, found: _Found) -> Step:
        return Step(text, self._grammar.rename_table.format(table=found["to"], to=found["table"]))

    def _renamed_column(self, text: str, _: int, found: _Found) -> Step:
        return Step(text, self._rename_column(found["table"], found["to"], found["column"]))

    def _added(self, text: str, _: int, found: _Found) -> Step:
        table, column = found["table"], found["column"]
        return Step(text, self._spelling.drop_column.format(table=table, column=column), added=(table, column))

    def _dropped_column(self, _: str, number: int, found: _Found) -> Step:
        table, column, aside = found["table"], found["column"], self._quoted(f"_octonet_gone_{number}")
        if not self._grammar.rename_column:
            # It cannot be put aside, and stays where it is.
            return Step("", "", self._spelling.drop_column.format(table=table, column=column))
        return Step(
            self._rename_column(table, column, aside),
            self._rename_column(table, aside, column),
            self._spelling.drop_column.format(table=table, column=aside),
        )

    def _rename_column(self, table: str, column: str, to: str) -> str:
        return self._grammar.rename_column.format(table=table, column=column, to=to)

    def _allowed_null(self, text: str, _: int, found: _Found) -> Step:
        return Step(text, self._grammar.refuse_null.format(**found))

    def _refused_null(self, text: str, _: int, found: _Found) -> Step:
        return Step(text, self._grammar.allow_null.format(**found))

    def _indexed(self, text: str, _: int, found: _Found) -> Step:
        return Step(text, self._spelling.drop_index(found["table"], found["index"], text))

    def _dropped_index(self, _: str, number: int, found: _Found) -> Step:
        index = found["index"]
        name = next((name for name in self._indexes if self._quoted(name) == index), None)
        if name is None:
            raise Internal(f"nobody knows how the index {index} was made")
        made = self._indexes.pop(name)
        return Step(self._spelling.drop_index(found.get("table", ""), index, made), made)


def names_in(grammar: Grammar) -> str:
    """The expression for a name as it stands quoted."""
    preparer = grammar.compiler.identifier_preparer
    begin, end = re.escape(preparer.initial_quote), re.escape(preparer.final_quote)
    return f"{begin}(?:[^{end}]|{end}{end})+{end}"
