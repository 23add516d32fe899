"""SQL statements, understood before anything is run: exactly one SELECT, over entities and nothing else.

What is run later is written anew from what was understood here, with a name of our own for every table: there is
nothing a statement could reach by a name that was overlooked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

from octonet.kernel.errors import Invalid, NotFound, invalid
from octonet.kernel.operation import Raw
from octonet.kernel.schema import EntitySchema, FieldType, Schemas
from octonet.kernel.value_types import LARGEST
from transports.engine.arrow.terms import SCHEMA

# It warns of what it is not sure of, and quotes it: that is for whoever sent it, who is told.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_DIALECT: Final = "duckdb"
_LONGEST: Final = 65_536
_MOST_NODES: Final = 20_000
_MOST_TABLES: Final = 32
_MOST_PARAMETERS: Final = 1000
_CODE: Final = "SQL_REFUSED"
_FORBIDDEN: Final = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Pragma, exp.Set, exp.Attach, exp.Copy)
_REFUSED_FUNCTIONS: Final = frozenset(
    {
        "getenv",
        "write_log",
        "current_setting",
        "getvariable",
        "nextval",
        "currval",
        "query",
        "query_table",
        "parse_path",
    }
)
_STUMBLES: Final = (AttributeError, TypeError, ValueError, LookupError, AssertionError)
"""What the parser raises over some of what is no SQL, instead of saying so."""
_PYTHON: Final[Mapping[FieldType, type]] = {
    FieldType.STRING: str,
    FieldType.TEXT: str,
    FieldType.NUMBER: int,
    FieldType.BOOLEAN: bool,
}
_COMPARISONS: Final[Mapping[type[exp.Expr], str]] = {
    exp.EQ: "$eq",
    exp.GT: "$gt",
    exp.GTE: "$gte",
    exp.LT: "$lt",
    exp.LTE: "$lte",
}
_MIRRORED: Final = {"$eq": "$eq", "$gt": "$lt", "$gte": "$lte", "$lt": "$gt", "$lte": "$gte"}
_PLAIN_JOINS: Final = frozenset({"", "INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS"})


class Parameter(msgspec.Struct, frozen=True):
    """Stands for the value that is bound to a parameter, counted from 0."""

    index: int


class Needed(msgspec.Struct, frozen=True):
    """The rows of one entity that a statement needs, as the table of this name: all rows that meet the conditions,
    (column, operator, value), with these columns; none named: all of them."""

    table: str
    entity: EntitySchema
    columns: tuple[str, ...]
    conditions: tuple[tuple[str, str, Raw], ...]

    def filter(self, parameters: list[Raw]) -> dict[str, Raw]:
        """The conditions as a filter. A parameter that is bound to a value of another type is left to the statement."""
        parts: list[Raw] = []
        for column, operator, value in self.conditions:
            bound = parameters[value.index] if isinstance(value, Parameter) else value
            if isinstance(bound, _PYTHON[self.entity.columns[column].type]):
                parts.append({column: {operator: bound}})
        return {"$and": parts} if parts else {}


class Statement(msgspec.Struct, frozen=True):
    """One SELECT, ready to be run. `once`: every table is read once, so that its rows may stream through."""

    text: str
    needed: tuple[Needed, ...]
    parameters: int
    once: bool


def parse(text: str, project: str, schemas: Schemas) -> Statement:
    """Understand a statement about a project. Raises `Invalid` with code SQL_REFUSED or SQL_SYNTAX, `NotFound` with
    code ENTITY_NOT_FOUND for a table that is none."""
    try:
        return _understood(_tree(text), project, schemas)
    except RecursionError:
        raise _refused("is nested too deeply") from None
    except _STUMBLES:
        raise Invalid("the statement cannot be read", code="SQL_SYNTAX") from None


def _understood(tree: exp.Expression, project: str, schemas: Schemas) -> Statement:
    _check(tree)
    parameters = _parameters(tree)
    named = _Named(tree, project, schemas)
    tables = list(named.tables())
    if len(tables) > _MOST_TABLES:
        raise _refused(f"reads from more than {_MOST_TABLES} tables")
    words = _words(tree)
    needed = []
    for number, (table, entity) in enumerate(tables):
        conditions = tuple(_conditions(tree, table, entity))
        needed.append(Needed(f"t{number}", entity, _columns(tree, entity, words), conditions))
    for number, (table, _) in enumerate(tables):
        alias = table.alias or table.name
        table.set("this", exp.to_identifier(f"t{number}", quoted=True))
        table.set("db", None)
        table.set("catalog", None)
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    once = tree.find(exp.With) is None and len(list(tree.find_all(exp.Select))) == 1
    return Statement(tree.sql(_DIALECT), tuple(needed), parameters, once)


def _tree(text: str) -> exp.Expression:
    if len(text) > _LONGEST:
        raise _refused(f"has more than {_LONGEST} characters")
    try:
        found = sqlglot.parse(_numbered(text), read=_DIALECT)
    except SqlglotError as problem:
        first = str(problem).split("\n", 1)[0]
        raise Invalid(f"the statement cannot be read: {first}"[:500], code="SQL_SYNTAX") from None
    statements = [tree for tree in found if tree is not None]
    if len(statements) != 1:
        raise _refused("is not exactly one SELECT")
    tree = statements[0]
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise _refused("is not a SELECT: nothing can be changed here")
    return tree


def _check(tree: exp.Expression) -> None:
    for count, node in enumerate(tree.walk()):
        if count > _MOST_NODES:
            raise _refused(f"has more than {_MOST_NODES} parts")
        if isinstance(node, _FORBIDDEN):
            raise _refused(f"may not contain {node.key.upper()}")
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            raise _refused("may not call a function in place of a table")
        if isinstance(node, exp.Anonymous) and str(node.this).lower() in _REFUSED_FUNCTIONS:
            raise _refused(f"may not call {str(node.this).lower()}")
        if isinstance(node, exp.Lateral) and not isinstance(node.this, exp.Subquery | exp.Unnest):
            raise _refused("may not call a function in place of a table")


class _Named:
    """The tables of a statement that are entities: those that no WITH gives a name."""

    def __init__(self, tree: exp.Expression, project: str, schemas: Schemas) -> None:
        self._tree = tree
        self._project = project.lower()
        self._schemas = schemas
        self._given = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}

    def tables(self) -> Iterator[tuple[exp.Table, EntitySchema]]:
        """Each with its entity. Raises `NotFound`."""
        for table in list(self._tree.find_all(exp.Table)):
            if table.name.lower() in self._given and not table.db:
                continue
            yield table, self._entity(table)

    def _entity(self, table: exp.Table) -> EntitySchema:
        if table.catalog and table.catalog.lower() != self._project:
            raise _refused(f"is about one project: {table.catalog!r} is another one, or none")
        place = table.db.lower()
        if place not in ("", SCHEMA) and not (place == self._project and not table.catalog):
            raise _refused(f"can read from the schema {SCHEMA!r} only")
        found = self._schemas.find(table.name)
        if found is not None:
            return found
        low = table.name.lower()
        alike = [e for e in self._schemas.entities.values() if low in (e.name.lower(), e.collection.lower())]
        if len(alike) != 1:
            raise NotFound(f"there is no entity {table.name!r}", code="ENTITY_NOT_FOUND")
        return alike[0]


def _words(tree: exp.Expression) -> frozenset[str]:
    """Every name in a statement, in lower case: whichever are columns, no column is left out."""
    return frozenset(str(node.this).lower() for node in tree.find_all(exp.Identifier))


def _columns(tree: exp.Expression, entity: EntitySchema, words: frozenset[str]) -> tuple[str, ...]:
    """The columns of an entity that a statement may name; none: all of them."""
    stars = (star for star in tree.find_all(exp.Star, exp.Columns) if not isinstance(star.parent, exp.Count))
    joins = tree.find_all(exp.Join)
    whole = (node for node in tree.find_all(exp.Column) if not node.table and node.name.lower() in _aliases(tree))
    if any(True for _ in stars) or any(join.method == "NATURAL" for join in joins) or any(True for _ in whole):
        return ()
    if tree.find(exp.Pivot) is not None:
        return ()
    names = (*entity.columns, *(link.name for link in entity.links))
    found = tuple(name for name in names if name.lower() in words and name not in entity.secrets)
    return found or ("id",)


def _aliases(tree: exp.Expression) -> frozenset[str]:
    return frozenset(table.alias_or_name.lower() for table in tree.find_all(exp.Table))


def _conditions(tree: exp.Expression, table: exp.Table, entity: EntitySchema) -> Iterator[tuple[str, str, Raw]]:
    """What every row of this table must meet to have any part in the answer. The statement asks it again: here it only
    keeps rows from being read in vain."""
    select = table.parent.parent if table.parent is not None else None
    plain = tree is select or (isinstance(table.parent, exp.Join) and table.parent.parent is tree)
    if not plain or not isinstance(tree, exp.Select):
        return
    joins = tree.args.get("joins") or []
    if any(join.method or (join.kind or join.side or "").upper() not in _PLAIN_JOINS for join in joins):
        return
    if table.args.get("sample") or table.args.get("pivots") or tree.args.get("sample"):
        return
    where = tree.args.get("where")
    if where is None:
        return
    alone = not joins
    for part in _parts(where.this):
        found = _comparison(part, table.alias_or_name, entity, alone)
        if found is not None:
            yield found


def _parts(condition: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(condition, exp.And):
        yield from _parts(condition.left)
        yield from _parts(condition.right)
    elif isinstance(condition, exp.Paren):
        yield from _parts(condition.this)
    else:
        yield condition


def _comparison(part: exp.Expr, alias: str, entity: EntitySchema, alone: bool) -> tuple[str, str, Raw] | None:
    operator = _COMPARISONS.get(type(part))
    if operator is None or not isinstance(part, exp.Binary):
        return None
    left, right = part.left, part.right
    if not isinstance(left, exp.Column):
        left, right, operator = right, left, _MIRRORED[operator]
    if not isinstance(left, exp.Column) or not (left.table == alias or (alone and not left.table)):
        return None
    column = entity.columns.get(left.name)
    if column is None or column.secret:
        return None
    value = _value(right, column.type, operator)
    return None if value is None else (column.name, operator, value)


def _value(node: exp.Expr, kind: FieldType, operator: str) -> Raw:
    """The value of a literal that the column's own type compares with in the same way; None for any other."""
    if kind in (FieldType.STRING, FieldType.TEXT) and isinstance(node, exp.Literal) and node.is_string:
        return str(node.this)
    if kind is FieldType.BOOLEAN and isinstance(node, exp.Boolean) and operator == "$eq":
        return bool(node.this)
    if kind is FieldType.NUMBER:
        sign, plain = (-1, node.this) if isinstance(node, exp.Neg) else (1, node)
        if isinstance(plain, exp.Literal) and not plain.is_string:
            number = sign * int(plain.this) if str(plain.this).isdecimal() else None
            return number if number is not None and abs(number) <= LARGEST else None
    if isinstance(node, exp.Placeholder) and kind in _PYTHON and (kind is not FieldType.BOOLEAN or operator == "$eq"):
        return Parameter(int(node.this) - 1)
    return None


def _parameters(tree: exp.Expression) -> int:
    """How many parameters are to be bound. Raises `Invalid` for those that have names."""
    names = [str(node.this) for node in tree.find_all(exp.Placeholder)]
    if not all(name.isdecimal() and 0 < int(name) <= _MOST_PARAMETERS for name in names) or tree.find(exp.Parameter):
        raise _refused("may have parameters written ? or $1, and no others")
    return max((int(name) for name in names), default=0)


def _numbered(text: str) -> str:
    """The statement with a number for every parameter that is written ``?``, in the order in which they are written:
    what is understood may be written down in another."""
    tokens = sqlglot.tokenize(text, read=_DIALECT)
    marks = [token for token in tokens if token.token_type is TokenType.PLACEHOLDER]
    if marks and any(token.token_type is TokenType.PARAMETER for token in tokens):
        raise _refused("may have parameters written ? or $1, not both")
    for number, mark in reversed(list(enumerate(marks, 1))):
        text = f"{text[: mark.start]}${number} {text[mark.end + 1 :]}"
    return text


def _refused(reason: str) -> Invalid:
    return invalid("the statement", reason, code=_CODE)
