"""Names that must not be mixed up, the values a row may hold, and how ids are spelled."""

from __future__ import annotations

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

_VERSION = 0x7000
_VARIANT = 0x8000_0000_0000_0000


def uuid7(milliseconds: int, entropy: int) -> str:
    """Spell a UUIDv7 from a Unix time in milliseconds and at least 74 random bits (RFC 9562 §5.7)."""
    high = milliseconds << 16 | _VERSION | entropy & 0xFFF
    low = _VARIANT | entropy >> 12 & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
