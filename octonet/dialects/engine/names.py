"""Physical names: quoted always, short enough, and never the name of two things."""

from __future__ import annotations

import hashlib

from sqlalchemy.sql.elements import quoted_name

from octonet.dialects.engine.grammar import Grammar
from octonet.kernel.errors import Invalid


def quoted(name: str) -> quoted_name:
    """A name that is quoted whether or not it looks as if it had to be: no list of reserved words is complete."""
    return quoted_name(name, quote=True)


class Names:
    """The tables and indexes of one database, which share one space of names."""

    def __init__(self, grammar: Grammar, prefix: str) -> None:
        self._grammar = grammar
        self._prefix = prefix
        self._taken: dict[str, str] = {}

    def table(self, name: str, purpose: str) -> quoted_name:
        """The physical name of a table. Raises `Invalid` when the database reserves it or something else has it."""
        physical = self._prefix + name
        folded = self._grammar.fold(physical)
        if folded.startswith(self._grammar.reserved_prefixes):
            raise Invalid(f"{purpose} cannot be called {physical!r}: the database keeps that name for itself")
        return self._take(self._cut(physical), purpose)

    def column(self, name: str) -> quoted_name:
        """The physical name of a column."""
        return quoted(self._cut(name))

    def index(self, name: str) -> quoted_name:
        """The physical name of an index."""
        physical = self._cut(self._prefix + name)
        return self._take(physical, f"the index {physical}")

    def _cut(self, name: str) -> str:
        """The name, cut and made unique by a hash where the database, which counts bytes, has no room for it."""
        if unknown := sorted(set(name) & set(self._grammar.no_letters)):
            raise Invalid(f"the database has no names with a {unknown[0]}: {name!r}")
        name = self._grammar.spelled(name)
        raw, room = name.encode(), self._grammar.longest_name
        if len(raw) <= room:
            return name
        return f"{raw[: room - 9].decode(errors='ignore')}_{hashlib.sha256(raw).hexdigest()[:8]}"

    def _take(self, physical: str, purpose: str) -> quoted_name:
        other = self._taken.setdefault(self._grammar.fold(physical), purpose)
        if other is not purpose:
            raise Invalid(f"{purpose} and {other} would both be called {physical!r} in the database")
        return quoted(physical)
