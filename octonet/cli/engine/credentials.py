"""Addresses as they may be shown."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"(?<=//)[^\s,]*@")


def masked(uri: str) -> str:
    """An address without user and password."""
    return _CREDENTIALS.sub("…@", uri)
