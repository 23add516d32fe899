"""$search: words and phrases, joined by AND, OR and NOT, each looked for in every field of text."""

from __future__ import annotations

import re
from typing import Final

from octonet.kernel.errors import invalid
from octonet.kernel.schema import FieldType
from transports.engine.odata.conditions import Condition, Wanted, all_of, any_of
from transports.engine.odata.functions import LONGEST, escaped, likes
from transports.engine.odata.model import Entity
from transports.engine.odata.problems import syntax, unsupported

_DEEPEST: Final = 20
_OPTION: Final = "$search"
_TOKEN: Final = re.compile(r'\s*(?:(?P<phrase>"(?:[^"\\]|\\.)*")|(?P<sign>[()])|(?P<word>[^\s()"]+))')


def compiled(text: str, entity: Entity) -> Condition:
    """The condition that a row is found. Raises `Invalid`, and a 501 for what no pattern can say."""
    columns = [
        p.column for p in entity.shown if p.type in (FieldType.STRING, FieldType.TEXT) and _field(entity, p.column)
    ]
    if not columns:
        raise invalid(_OPTION, f"{entity.schema.name} has no field of text to search in", code="NOT_SEARCHABLE")
    return _Search(text, columns).whole()


def _field(entity: Entity, column: str) -> bool:
    return column in entity.schema.fields


class _Search:
    def __init__(self, text: str, columns: list[str]) -> None:
        self._columns = columns
        self._tokens: list[tuple[str, str, int]] = []
        self._at = 0
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise syntax(_OPTION, at, "a phrase does not end")
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        self._tokens.append(("end", "", at))

    def whole(self) -> Condition:
        found = self._either(Wanted(), 0)
        if self._kind != "end":
            raise self._unexpected()
        return found

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _text(self) -> str:
        return self._tokens[self._at][1]

    def _unexpected(self) -> Exception:
        kind, text, at = self._tokens[self._at]
        return syntax(_OPTION, at, "a word is expected" if kind == "end" else f"{text[:40]!r} is not expected")

    def _either(self, wanted: Wanted, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise syntax(_OPTION, self._tokens[self._at][2], "is nested too deeply")
        parts = [self._both(wanted, depth)]
        while self._kind == "word" and self._text == "OR":
            self._at += 1
            parts.append(self._both(wanted, depth))
        return any_of(parts) if wanted.truth else all_of(parts)

    def _both(self, wanted: Wanted, depth: int) -> Condition:
        parts = [self._one(wanted, depth)]
        while self._kind in ("word", "phrase") or self._text == "(":
            if self._kind == "word" and self._text == "OR":
                break
            if self._kind == "word" and self._text == "AND":
                self._at += 1
            parts.append(self._one(wanted, depth))
        return all_of(parts) if wanted.truth else any_of(parts)

    def _one(self, wanted: Wanted, depth: int) -> Condition:
        kind, text, at = self._tokens[self._at]
        if kind == "end" or text == ")" or (kind == "word" and text in ("AND", "OR")):
            raise self._unexpected()
        self._at += 1
        if kind == "word" and text == "NOT":
            if depth > _DEEPEST:
                raise syntax(_OPTION, at, "is nested too deeply")
            return self._one(Wanted(not wanted.truth), depth + 1)
        if kind == "sign":
            found = self._either(wanted, depth + 1)
            if self._text != ")":
                raise self._unexpected()
            self._at += 1
            return found
        sought = re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "phrase" else text
        return self._anywhere(sought, at, wanted)

    def _anywhere(self, sought: str, at: int, wanted: Wanted) -> Condition:
        pattern = escaped(sought)
        if len(pattern) > LONGEST:
            raise unsupported(_OPTION, "so long a text", at)
        # A field without a value does not hold the text: neither is null here.
        each = [likes(c, pattern, True, Wanted(wanted.truth, or_null=not wanted.truth)) for c in self._columns]
        return any_of(each) if wanted.truth else all_of(each)
