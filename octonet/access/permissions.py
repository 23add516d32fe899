"""What a key may do: values per scope, in either of the two shapes that keys were ever issued with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.kernel.errors import validation

EVERYTHING: Final = "*"
PROJECTS: Final = "projects"
OPERATIONS: Final = "operations"
TRANSPORTS: Final = "transports"
_PER_SECOND: Final = "rateLimitPerSecond"
_CORE: Final = (PROJECTS, OPERATIONS, TRANSPORTS)


class Permissions(msgspec.Struct, frozen=True):
    """Scope → the values that are granted. A scope that is not there grants nothing."""

    scopes: Mapping[str, frozenset[str]]
    daily: int = 0
    """Uses a day; 0: any number."""
    per_second: int = 0
    """Uses a second; 0: any number."""

    def grants(self, scope: str, value: str) -> bool:
        """Whether a value of a scope is granted."""
        found = self.scopes.get(scope, frozenset())
        return value in found or EVERYTHING in found


UNLIMITED: Final = Permissions({scope: frozenset((EVERYTHING,)) for scope in _CORE})


def parse(value: object, path: str = "$.permissions") -> Permissions:
    """Read ``{"scopes": {"projects": ["shop"], "operations": ["read"], "transports": "*"}}``, or the older form with
    the three core scopes at the top; ``rateLimit`` beside them is how often a day it may be used,
    ``rateLimitPerSecond`` how often a second. Raises `ValidationError` naming the place."""
    if not isinstance(value, dict):
        raise validation(path, "expected an object of scopes")
    scopes = value.get("scopes", {name: value[name] for name in _CORE if name in value})
    if not isinstance(scopes, dict):
        raise validation(f"{path}.scopes", "expected an object of values by scope")
    granted = {name: _values(found, f"{path}.scopes.{name}") for name, found in scopes.items()}
    return Permissions(granted, _limit(value, path, "rateLimit", "day"), _limit(value, path, _PER_SECOND, "second"))


def _limit(permissions: Mapping[str, object], path: str, name: str, window: str) -> int:
    found = permissions.get(name)
    if found is None:
        return 0
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise validation(f"{path}.{name}", f"expected a whole number of uses a {window}, from 1")
    return found


def _values(found: object, path: str) -> frozenset[str]:
    if found == EVERYTHING:
        return frozenset((EVERYTHING,))
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise validation(path, f"expected a list of texts, or {EVERYTHING!r}")
    return frozenset(found)
