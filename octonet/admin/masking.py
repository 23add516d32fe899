"""What is shown of an address: never a secret."""

from __future__ import annotations

import re
from typing import Final

_PASSWORD: Final = re.compile(r"(://[^:/?#]*):.*@", re.DOTALL)


def masked(uri: str) -> str:
    """The address without its password, whatever stands in it, and without parameters, which may hold one. Where it is
    not clear what belongs to the password, rather more is left out."""
    return _PASSWORD.sub(r"\1:***@", uri).partition("?")[0]
