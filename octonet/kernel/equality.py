"""Equality of JSON values: ``true`` is not ``1``, the order of an object's members does not matter."""

from __future__ import annotations

import msgspec

from octonet.kernel.ids import JsonValue

_encoder = msgspec.json.Encoder(order="sorted")


def same(a: JsonValue, b: JsonValue) -> bool:
    """Whether two values are the same JSON."""
    if a != b:
        return False
    if isinstance(a, list | dict):
        # Python finds [True] == [1]; their texts differ.
        return _encoder.encode(a) == _encoder.encode(b)
    return isinstance(a, bool) is isinstance(b, bool)
