"""SQLite's grammar, and how it tells what stands in a file."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from octonet.dialects.engine import glob
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, to_json
from octonet.dialects.engine.grammar import Expression, Grammar
from octonet.dialects.engine.inventory import Listings
from octonet.kernel.schema import FieldType


def _unroll(values: Expression) -> sa.Select[object]:
    return sa.select(sa.func.json_each(values).table_valued("value").c.value)


GRAMMAR: Final = Grammar(
    name="sqlite",
    compiler=SQLiteDialect(paramstyle="qmark"),
    types={
        FieldType.STRING: sa.Text(),
        FieldType.TEXT: sa.Text(),
        # Numbers without a fraction are kept, and come back, as integers.
        FieldType.NUMBER: sa.NUMERIC(),
        FieldType.BOOLEAN: sa.Integer(),
        FieldType.DATE: sa.Text(),
        FieldType.JSON: sa.Text(),
        FieldType.ARRAY: sa.Text(),
    },
    encoders=JSON_AS_TEXT,
    decoders={FieldType.BOOLEAN: bool, **JSON_FROM_TEXT},
    pattern=glob.pattern,
    manners={
        glob.GLOB: lambda column, text: column.bool_op("GLOB")(text),
        glob.LIKE: lambda column, text: column.like(text, escape="\\"),
    },
    total=sa.func.total,
    unroll=_unroll,
    pack=to_json,
    takes_rows_out=True,
    most_ids=10_000,
    keyed_table_options={"sqlite_with_rowid": False},
    partial_index_option="sqlite_where",
    rebuilds=True,
    longest_name=1000,
    reserved_prefixes=("sqlite_",),
)


LISTINGS: Final = Listings(
    'SELECT t.name, c.name, c.type, c."notnull" FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c'
    " WHERE t.type = 'table'",
    "SELECT name FROM sqlite_master WHERE type = 'index'",
)
