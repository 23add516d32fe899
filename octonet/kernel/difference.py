"""One difference between two schemas of a project, and what it does to rows that are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

_MEMBER: Final = re.compile(r"\$\.[^.\[]+(?:\.(?:fields|relations))?\.?([^.]*)")


class Effect(StrEnum):
    """What a difference does to rows that are there."""

    SAFE = "safe"
    MAY_FAIL = "may-fail"
    """Rows may stand against it; then nothing is changed."""
    LOSES = "loses"
    """Something that rows hold is no longer part of them."""


class Change(StrEnum):
    """What differs. The names are stable: programs may switch on them."""

    ENTITY_ADDED = "entity-added"
    ENTITY_REMOVED = "entity-removed"
    ENTITY_RENAMED = "entity-renamed"
    COLLECTION_RENAMED = "collection-renamed"
    FIELD_ADDED = "field-added"
    FIELD_REMOVED = "field-removed"
    TYPE_CHANGED = "type-changed"
    ELEMENTS_CHANGED = "elements-changed"
    REQUIRED_ADDED = "required-added"
    REQUIRED_REMOVED = "required-removed"
    UNIQUE_ADDED = "unique-added"
    UNIQUE_REMOVED = "unique-removed"
    ENUM_NARROWED = "enum-narrowed"
    ENUM_WIDENED = "enum-widened"
    DEFAULT_CHANGED = "default-changed"
    SPELLING_CHANGED = "spelling-changed"
    SPARSE_CHANGED = "sparse-changed"
    SENSITIVE_CHANGED = "sensitive-changed"
    RELATION_ADDED = "relation-added"
    RELATION_REMOVED = "relation-removed"
    RELATION_CHANGED = "relation-changed"
    INDEX_ADDED = "index-added"
    INDEX_REMOVED = "index-removed"
    TIMESTAMPS_ADDED = "timestamps-added"
    TIMESTAMPS_REMOVED = "timestamps-removed"
    SOFT_DELETE_ADDED = "soft-delete-added"
    SOFT_DELETE_REMOVED = "soft-delete-removed"
    DISCRIMINATOR_CHANGED = "discriminator-changed"


class Difference(msgspec.Struct, frozen=True):
    """One thing that differs. `path` names it by entity, such as ``$.Flight.fields.price.type``."""

    entity: str
    path: str
    kind: Change
    effect: Effect
    sentence: str


class ReportedDifference(msgspec.Struct, frozen=True):
    """A difference as ``POST /api/compare-schema`` tells it. `field` is the field or relation, the index by its
    number, or the member of the entity; empty for the entity as a whole."""

    type: str
    field: str
    detail: str


class Comparison(msgspec.Struct, frozen=True):
    """The answer of ``POST /api/compare-schema``."""

    compatible: bool
    exists: bool
    diffs: tuple[ReportedDifference, ...]


def comparison(differences: Sequence[Difference], *, exists: bool) -> Comparison:
    """The differences in the words of the contract: compatible is what does not differ at all. `exists` tells whether
    the entity is served."""
    diffs = tuple(ReportedDifference(d.kind, _member(d.path), d.sentence) for d in differences)
    return Comparison(not diffs, exists, diffs)


def _member(path: str) -> str:
    found = _MEMBER.match(path)
    return found[1] if found else ""
