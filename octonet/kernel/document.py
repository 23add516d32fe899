"""A JSON object being read: what is wrong in it is noted at its path, and reading goes on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import TypeVar

from octonet.kernel.faults import Faults, did_you_mean, kind, quote, step

E = TypeVar("E", bound=StrEnum)

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
COLLECTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
LONGEST_NAME = 63


class Document:
    """One object of the document, at `path`. Null members count as absent; what is no object reads as empty."""

    def __init__(self, value: object, path: str, faults: Faults) -> None:
        self.path = path
        self.faults = faults
        self.members: dict[str, object] = {}
        if isinstance(value, dict):
            self.members = {str(key): member for key, member in value.items() if member is not None}
        elif value is not None:
            faults.add(path, f"expected an object, not {kind(value)}")

    def fault(self, key: str, message: str) -> None:
        """Note that a member is wrong."""
        self.faults.add(step(self.path, key), message)

    def only(self, known: Collection[str]) -> None:
        """Note every member that is not among these."""
        for key in self.members:
            if key not in known and not self.faults.full:
                self.fault(key, f"is not known here{did_you_mean(key, known)}")

    def text(self, key: str) -> str:
        """A text, empty where absent or wrong."""
        value = self.members.get(key, "")
        if isinstance(value, str):
            return value
        self.fault(key, f"expected text, not {kind(value)}")
        return ""

    def flag(self, key: str) -> bool:
        """A boolean, false where absent or wrong."""
        value = self.members.get(key, False)
        if isinstance(value, bool):
            return value
        self.fault(key, f"expected a boolean, not {kind(value)}")
        return False

    def choice(self, key: str, choices: type[E], default: E) -> E:
        """A member of an enumeration."""
        name = self.text(key)
        if not name:
            return default
        try:
            return choices(name)
        except ValueError:
            self.fault(key, f"{quote(name)} is not one of {', '.join(choices)}{did_you_mean(name, choices)}")
            return default

    def name(self, key: str, pattern: re.Pattern[str] = NAME) -> str:
        """A name that can stand in a database, a path and a subject, empty where absent or wrong."""
        name = self.text(key)
        return name if not name or self.is_name(key, name, pattern) else ""

    def is_name(self, key: str, name: str, pattern: re.Pattern[str] = NAME) -> bool:
        """Whether the text may be a name; notes it where not."""
        if pattern.fullmatch(name) and len(name) <= LONGEST_NAME:
            return True
        self.fault(key, f"{quote(name)} is not a name: a letter, then letters, digits or _, at most 63 in all")
        return False

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, none twice."""
        found: list[str] = []
        for path, item in self.items(key):
            if isinstance(item, str):
                found.append(item)
            else:
                self.faults.add(path, f"expected text, not {kind(item)}")
        return tuple(dict.fromkeys(found))

    def items(self, key: str) -> Iterator[tuple[str, object]]:
        """The elements of a list, each with its path."""
        value = self.members.get(key, [])
        if not isinstance(value, list):
            self.fault(key, f"expected a list, not {kind(value)}")
            return
        yield from ((f"{step(self.path, key)}[{i}]", item) for i, item in enumerate(value))

    def inside(self, key: str) -> Document:
        """The object below a key, empty where absent."""
        return Document(self.members.get(key), step(self.path, key), self.faults)
