"""Where a change of schema is worked out: a file of SQLite, with the tables that the collections stand for.

It lives for one migration. Every dialect's rules for a change, and its words for what rows stand against, are therefore
MongoDB's, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from octonet.dialects.engine import standing
from octonet.dialects.engine.follower import Follower
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.inventory import take
from octonet.dialects.engine.mongodb_layout import GRAMMAR, Layout
from octonet.dialects.engine.names import quoted
from octonet.dialects.engine.sqlite_errors import raise_meaning
from octonet.dialects.engine.sqlite_grammar import LISTINGS
from octonet.dialects.engine.standing import Standing, StandingTable
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import ID, VERSION_COLUMN, FieldType, Schemas
from octonet.kernel.storage import Followed, Strategy

Line = tuple[str, int, dict[str, JsonValue]]
"""A row of a table: its id, its version, what its columns hold."""
Pair = tuple[str, str]
_AT_ONCE: Final = 2_000


class Scratch:
    """The tables, through one connection. Implements `octonet.dialects.engine.transaction.Writer`."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path = str(path)
        self._layout = layout
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF"):
            self._connection.execute(f"PRAGMA {pragma}")

    def close(self) -> None:
        """End it; nothing of it is needed any more."""
        self._connection.close()

    # -- what stands --------------------------------------------------------------------------------------------

    def make(self, stands: Standing) -> None:
        """The tables as they stand, empty and without indexes, which `index` makes."""
        for name, table in stands.tables.items():
            self._connection.execute(str(CreateTable(_table(name, table)).compile(dialect=GRAMMAR.compiler)))

    def index(self, stands: Standing) -> None:
        """The indexes as they stand."""
        for text in stands.indexes.values():
            self._connection.execute(text)

    def fill(self, name: str, table: StandingTable, lines: Sequence[Line]) -> None:
        """Add rows."""
        columns = [column for column in table.columns if column != ID]
        cells: list[list[Cell]] = [
            [id, *(_cell(table.columns[column].type, held.get(column)) for column in columns), version]
            for id, version, held in lines
        ]
        self._many(name, [ID, *columns, VERSION_COLUMN], cells)

    def link(self, name: str, table: StandingTable, pairs: Sequence[Pair]) -> None:
        """Add links."""
        self._many(name, list(table.columns), pairs)

    def lines(self, name: str, table: StandingTable) -> Iterator[Line]:
        """The rows, in ascending order of id."""
        columns = [column for column in table.columns if column != ID]
        listed = ", ".join(map(_quoted, [ID, *columns, VERSION_COLUMN]))
        cursor = self._connection.execute(f"SELECT {listed} FROM {_quoted(name)} ORDER BY {_quoted(ID)}")
        for id, *cells, version in cursor:
            held = {
                column: _value(table.columns[column].type, cell) for column, cell in zip(columns, cells, strict=True)
            }
            yield str(id), int(version), held

    def pairs(self, name: str, table: StandingTable) -> Iterator[Pair]:
        """The links, in ascending order of owner and target."""
        owner, target = map(_quoted, table.columns)
        text = f"SELECT {owner}, {target} FROM {_quoted(name)} ORDER BY 1, 2"
        yield from self._connection.execute(text)

    def targets(self, name: str, table: StandingTable) -> Callable[[str], list[str]]:
        """Finds the sorted targets that an owner is linked to."""
        owner, target = map(_quoted, table.columns)
        text = f"SELECT {target} FROM {_quoted(name)} WHERE {owner} = ? ORDER BY 1"
        return lambda id: [str(found) for (found,) in self._connection.execute(text, (id,))]

    # -- the change ---------------------------------------------------------------------------------------------

    async def prepare(self, strategy: Strategy, followed: Followed | None, stands: Standing) -> Follower:
        """What the strategy asks for but the update of tables, once it is noted what they follow. Raises `Conflict`,
        code SCHEMA_MISMATCH."""
        follower = Follower(self._layout.model, GRAMMAR, self, lambda: take(self, LISTINGS, GRAMMAR))
        await follower.prepare(Strategy.NONE)
        if followed is not None:
            name = self._layout.model.followed.name
            cells: list[list[Cell]] = [[1, followed.digest, followed.source, standing.write(stands)]]
            self._many(str(name), ["slot", "digest", "source", "standing"], cells)
        await follower.prepare(strategy)
        return follower

    async def changed(self, follower: Follower, schemas: Schemas, *, drop: bool) -> Standing:
        """Make the tables fit, and tell what stands then. Raises `Conflict`, code SCHEMA_CONFLICT."""
        await follower.follow(schemas, drop=drop)
        ((text,),) = await self.rows(f"SELECT standing FROM {_quoted(str(self._layout.model.followed.name))}", ())
        return standing.read(str(text))

    # -- what a writer does -------------------------------------------------------------------------------------

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """See the port."""
        return cast("list[Cells]", self._done(text, arguments).fetchall())

    async def run(self, text: str, arguments: Sequence[Cell] = ()) -> int:
        """See the port."""
        return self._done(text, arguments).rowcount

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """See the port."""
        return sum([await self.run(text, line) for line in lines])

    async def commit(self) -> None:
        """Nothing is kept but what is read of it."""

    async def rollback(self) -> None:
        """Nothing is kept."""

    async def restart(self) -> None:
        """Nothing was begun."""

    def _done(self, text: str, arguments: Sequence[Cell]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(text, cast("Sequence[str]", arguments))
        except sqlite3.Error as error:
            raise_meaning(error, self._path, self._layout.model)

    def _many(self, name: str, columns: Sequence[str], lines: Sequence[Sequence[Cell]]) -> None:
        listed, marks = ", ".join(map(_quoted, columns)), ", ".join("?" * len(columns))
        text = f"INSERT INTO {_quoted(name)} ({listed}) VALUES ({marks})"
        self._connection.execute("BEGIN")
        self._connection.executemany(text, cast("Sequence[Sequence[str]]", lines))
        self._connection.execute("COMMIT")


@contextmanager
def opened(layout: Layout) -> Iterator[Scratch]:
    """A file for one migration to this layout."""
    with TemporaryDirectory(prefix="octonet-") as folder:
        scratch = Scratch(Path(folder) / "scratch.db", layout)
        try:
            yield scratch
        finally:
            scratch.close()


def _table(name: str, table: StandingTable) -> sa.Table:
    if table.target:
        columns = [sa.Column(quoted(end), sa.Text(), primary_key=True, nullable=False) for end in table.columns]
        return sa.Table(quoted(name), sa.MetaData(), *columns)
    columns = [
        sa.Column(quoted(column), GRAMMAR.types[found.type], primary_key=column == ID, nullable=not found.required)
        for column, found in table.columns.items()
    ]
    version = sa.Column(quoted(VERSION_COLUMN), sa.Integer, nullable=False, server_default=sa.text("0"))
    return sa.Table(quoted(name), sa.MetaData(), *columns, version)


def _cell(kind: FieldType, value: JsonValue) -> Cell:
    encoder = GRAMMAR.encoders.get(kind)
    return cast("Cell", value) if value is None or encoder is None else encoder(value)


def _value(kind: FieldType, cell: Cell) -> JsonValue:
    decoder = GRAMMAR.decoders.get(kind)
    return cast("JsonValue", cell) if cell is None or decoder is None else decoder(cell)


def _quoted(name: str) -> str:
    return GRAMMAR.compiler.identifier_preparer.quote(quoted(name))


def kinds(table: StandingTable) -> Mapping[str, FieldType]:
    """The type of each column of a table as it stands."""
    return {name: column.type for name, column in table.columns.items()}
