"""What the term of an index tells of itself."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.sql import operators


def descends(term: object) -> bool:
    """Whether it stands in descending order."""
    while isinstance(term, sa.UnaryExpression):
        if term.modifier is operators.desc_op:
            return True
        term = term.element
    return False
