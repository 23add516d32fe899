"""Names that must not be mixed up, the values a row may hold, and how ids are spelled."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NewType, TypeAlias

EntityId = NewType("EntityId", str)
CommandId = NewType("CommandId", str)
ProjectName = NewType("ProjectName", str)
Sequence = NewType("Sequence", int)
"""A JetStream stream sequence: 1 for the first message, 0 for "before the first"."""

if TYPE_CHECKING:
    JsonValue: TypeAlias = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
else:
    JsonValue = Any  # msgspec cannot resolve a recursive alias; the values were checked at the door
Row: TypeAlias = dict[str, JsonValue]
"""One entity in its wire form: every declared column present, dates as ISO-8601 text, many-to-many links as
sorted lists of ids."""

DEFAULT_PROJECT = ProjectName("default")
SYSTEM_PROJECT = ProjectName("_system")
"""Holds who may do what. No door leads there."""


def is_private(project: str) -> bool:
    """Whether a project is closed to every data door."""
    return project.startswith("_")


_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def is_slug(name: str) -> bool:
    """Whether a project that is open to doors can have this name."""
    return _SLUG.fullmatch(name) is not None


SANDBOXES = "sandbox-"
"""How the names of sandboxes begin. No other project is added at run time under such a one."""


def is_sandbox(project: str) -> bool:
    """Whether a project was made by whoever asked."""
    return project.startswith(SANDBOXES)


BEHIND_UUIDS = "g"
"""Every UUID stands before it in code-point order; ids of commands that are no UUIDs stand behind it."""

_VARIANTS = "89ab"


@lru_cache(maxsize=256)
def _stamp(milliseconds: int) -> str:
    text = f"{milliseconds:012x}"
    return f"{text[:8]}-{text[8:]}-7"


def uuid7(milliseconds: int, entropy: str) -> str:
    """Spell a UUIDv7 (RFC 9562 §5.7) from a Unix time in milliseconds and 19 random hexadecimal digits."""
    variant = _VARIANTS[int(entropy[3], 16) & 3]
    return f"{_stamp(milliseconds)}{entropy[:3]}-{variant}{entropy[4:7]}-{entropy[7:19]}"
