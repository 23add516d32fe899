"""What an index and its terms tell of themselves."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.sql import operators


def types_of(index: sa.Index, dialect: sa.Dialect) -> str:
    """The types of its columns, as they are written down."""
    return ", ".join(dialect.type_compiler_instance.process(column.type) for column in index.columns)


def descends(term: object) -> bool:
    """Whether it stands in descending order."""
    while isinstance(term, sa.UnaryExpression):
        if term.modifier is operators.desc_op:
            return True
        term = term.element
    return False
