"""Where the names of an expression lead."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from octonet.kernel.errors import Fault, Invalid
from octonet.kernel.faults import did_you_mean, quote
from transports.engine.odata.model import Entity, Model, Navigation, Property
from transports.engine.odata.problems import syntax, unsupported
from transports.engine.odata.syntax import Path


class Scope(msgspec.Struct, frozen=True):
    """An entity, and how an expression calls its row: by nothing, or by the variable of a lambda."""

    model: Model
    entity: Entity
    option: str
    variables: Mapping[str, Entity] = {}
    variable: str = ""
    """The one that this scope's rows are called by; empty: no name is needed."""

    def within(self, entity: Entity, variable: str) -> Scope:
        """The scope inside a lambda."""
        return Scope(self.model, entity, self.option, {**self.variables, self.variable: self.entity}, variable)

    def at(self, entity: Entity) -> Scope:
        """The scope of the rows that a navigation leads to."""
        return Scope(self.model, entity, self.option)

    def steps(self, path: Path) -> tuple[str, ...]:
        """The names of a path behind what it starts from. Raises a 501 where that is a row outside of the lambda."""
        first = path.names[0]
        if self.variable:
            if first == self.variable:
                return path.names[1:]
            if first in self.variables or first == "$it":
                raise unsupported(self.option, "a comparison with the row outside of the lambda", path.at)
            raise syntax(self.option, path.at, f"starts with no variable: {self.variable!r} is one")
        return path.names[1:] if first in ("$it", "$this") else path.names

    def property(self, name: str, at: int) -> Property | None:
        """The property of this name, None when it is a navigation. Raises `Invalid`, code UNKNOWN_FIELD."""
        found = self.entity.properties.get(name)
        if found is not None:
            return found
        if name in self.entity.navigations:
            return None
        raise self.unknown(name, at)

    def navigation(self, name: str, at: int) -> Navigation:
        """The navigation property of this name. Raises `Invalid`, and a 501 for a path into a value."""
        found = self.entity.navigations.get(name)
        if found is None:
            if self.property(name, at) is not None:
                raise unsupported(self.option, f"a path into the values of {name!r}", at)
            raise self.unknown(name, at)
        return found

    def unknown(self, name: str, at: int | None) -> Invalid:
        """No such name."""
        near = did_you_mean(name, (*self.entity.properties, *self.entity.navigations))
        message = f"{quote(name)} is not a property of {self.entity.schema.name}{near}"
        place = self.option if at is None else f"{self.option}[{at}]"
        return Invalid(f"{place}: {message}", code="UNKNOWN_FIELD", faults=(Fault(place, message),))
