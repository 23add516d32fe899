"""Reads an expression: a parser by precedence over the tokens, pure and bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from transports.engine.odata.functions import KNOWN
from transports.engine.odata.lexer import Kind, Token, tokens, unquoted
from transports.engine.odata.problems import syntax, unsupported
from transports.engine.odata.syntax import (
    Arithmetic,
    Call,
    Compare,
    Count,
    Expression,
    In,
    Junction,
    Lambda,
    Literal,
    LiteralKind,
    Not,
    Path,
)

DEEPEST: Final = 30
"""Levels of parentheses, negations and arguments: what lies deeper our filters could not say either."""
_COMPARISONS: Final = ("eq", "ne", "gt", "ge", "lt", "le")
_BINDING: Final[Mapping[str, int]] = {
    "or": 1, "and": 2, "eq": 3, "ne": 3, "gt": 4, "ge": 4, "lt": 4, "le": 4, "in": 4, "has": 4,
    "add": 5, "sub": 5, "mul": 6, "div": 6, "divby": 6, "mod": 6,
}  # fmt: skip
_UNARY: Final = 7
_WORDS: Final = {
    "null": (LiteralKind.NULL, None),
    "true": (LiteralKind.BOOLEAN, True),
    "false": (LiteralKind.BOOLEAN, False),
    "nan": (LiteralKind.OTHER, None),
}
_KINDS: Final = {
    Kind.MOMENT: LiteralKind.MOMENT,
    Kind.DATE: LiteralKind.DATE,
    Kind.GUID: LiteralKind.GUID,
    Kind.TIME: LiteralKind.OTHER,
    Kind.TYPED: LiteralKind.OTHER,
}


def parse(text: str, option: str, aliases: Mapping[str, str] | None = None) -> Expression:
    """The expression that a query option holds. Aliases (``@p``) stand for their own texts. Raises `Invalid`, code
    SYNTAX_ERROR, naming option and character, and a 501 for what no column here could answer."""
    return Parser(text, option, aliases or {}).whole()


def calls(tree: Expression | None, name: str) -> bool:
    """Whether a function is called anywhere in an expression."""
    match tree:
        case Call(called, arguments):
            return called == name or any(calls(argument, name) for argument in arguments)
        case Compare(_, left, right) | Arithmetic(_, left, right):
            return calls(left, name) or calls(right, name)
        case In(left, items):
            return any(calls(each, name) for each in (left, *items))
        case Not(inner):
            return calls(inner, name)
        case Junction(_, parts):
            return any(calls(part, name) for part in parts)
        case Lambda():
            return calls(tree.body, name)
        case _:
            return False


class Parser:
    """One text."""

    def __init__(self, text: str, option: str, aliases: Mapping[str, str], depth: int = 0) -> None:
        self._tokens = tokens(text, option)
        self._option = option
        self._aliases = aliases
        self._at = 0
        self._depth = depth

    def whole(self) -> Expression:
        """The one expression that the text is."""
        self._spaces()
        found = self._expression(0)
        self._spaces()
        self.end()
        return found

    def end(self) -> None:
        """Nothing follows."""
        if self._here.kind is not Kind.END:
            raise self._unexpected()

    @property
    def _here(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        found = self._tokens[self._at]
        self._at += found.kind is not Kind.END
        return found

    def _spaces(self) -> bool:
        if self._here.kind is Kind.SPACE:
            self._at += 1
            return True
        return False

    def _takes(self, text: str) -> bool:
        """Whether this punctuation stands here; it is then passed."""
        if self._here.kind is Kind.PUNCTUATION and self._here.text == text:
            self._at += 1
            return True
        return False

    def _needs(self, text: str) -> None:
        if not self._takes(text):
            raise syntax(self._option, self._here.at, f"{text!r} is expected")

    def _unexpected(self) -> Exception:
        here = self._here
        what = "the expression ends too early" if here.kind is Kind.END else f"{here.text[:40]!r} is not expected"
        return syntax(self._option, here.at, what)

    def _expression(self, least: int) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise syntax(self._option, self._here.at, f"expressions are nested at most {DEEPEST} levels deep")
        left = self._unary()
        while (operator := self._operator(least)) is not None:
            left = self._binary(left, operator)
        self._depth -= 1
        return left

    def _operator(self, least: int) -> Token | None:
        """The binary operator that follows, if it binds more tightly than `least`; the spaces before it are passed."""
        start = self._at
        if self._spaces() and self._here.kind is Kind.NAME:
            binding = _BINDING.get(self._here.text.lower())
            if binding is not None and binding > least:
                found = self._next()
                # A list may follow its operator without a space.
                if self._spaces() or self._here.text == "(":
                    return found
                raise syntax(self._option, self._here.at, f"a space is expected behind {found.text!r}")
        self._at = start
        return None

    def _binary(self, left: Expression, operator: Token) -> Expression:
        word = operator.text.lower()
        if word in ("and", "or"):
            return self._junction(left, word)
        if word == "in":
            return In(left, self._items(), operator.at)
        if word == "has":
            raise unsupported(self._option, "'has'", operator.at)
        right = self._expression(_BINDING[word])
        if word in _COMPARISONS:
            return Compare(word, left, right, operator.at)
        return Arithmetic(word, left, right, operator.at)

    def _junction(self, left: Expression, word: str) -> Expression:
        """All parts of one chain at one level, however long it is."""
        parts = [left, self._expression(_BINDING[word])]
        while True:
            start = self._at
            again = self._operator(_BINDING[word] - 1)
            if again is None or again.text.lower() != word:
                self._at = start
                return Junction(word == "and", tuple(parts), parts[0].at)
            parts.append(self._expression(_BINDING[word]))

    def _items(self) -> tuple[Expression, ...]:
        here = self._here
        if here.kind is Kind.NAME and here.text.startswith("@"):
            self._next()
            inside = self._inside(here)
            if inside is None:
                raise syntax(self._option, here.at, f"{here.text} is not given a value")
            return inside._items_alone()
        if self._takes("["):
            return self._json_list()
        self._needs("(")
        return self._list()

    def _json_list(self) -> tuple[Expression, ...]:
        """A list as JSON writes it, of constants; the opening bracket is passed already."""
        found: list[Expression] = []
        self._spaces()
        while not self._takes("]"):
            if found:
                self._needs(",")
                self._spaces()
            here = self._here
            if here.kind is Kind.JSON:
                self._next()
                found.append(Literal(LiteralKind.STRING, self._json_text(here), here.at))
            else:
                found.append(self._unary())
            self._spaces()
        return tuple(found)

    def _json_text(self, here: Token) -> str:
        try:
            return msgspec.json.decode(here.text, type=str)
        except (msgspec.DecodeError, UnicodeError):
            raise syntax(self._option, here.at, "is no text of JSON") from None

    def _items_alone(self) -> tuple[Expression, ...]:
        found = self._items()
        self.end()
        return found

    def _inside(self, alias: Token) -> Parser | None:
        """The text that an alias stands for; None for one that is given none."""
        if "." in alias.text or self._here.text == "/":
            raise unsupported(self._option, "an annotation", alias.at)
        text = self._aliases.get(alias.text)
        if text is None:
            return None
        # An alias within an alias could make a short address a long expression.
        return Parser(text, alias.text, {}, self._depth + 1)

    def _list(self) -> tuple[Expression, ...]:
        """What stands between parentheses, commas between; the opening one is passed already."""
        self._spaces()
        if self._takes(")"):
            return ()
        found = [self._expression(0)]
        while True:
            self._spaces()
            if self._takes(")"):
                return tuple(found)
            self._needs(",")
            self._spaces()
            found.append(self._expression(0))

    def _unary(self) -> Expression:
        here = self._here
        if here.kind is Kind.PUNCTUATION and here.text == "-":
            self._next()
            return Arithmetic("-", Literal(LiteralKind.NUMBER, 0, here.at), self._expression(_UNARY), here.at)
        if here.kind is Kind.NAME and here.text.lower() == "not":
            following = self._tokens[self._at + 1]
            if following.kind is Kind.SPACE or following.text == "(":
                self._next()
                self._spaces()
                return Not(self._expression(_UNARY), here.at)
        return self._primary()

    def _primary(self) -> Expression:
        here = self._next()
        if here.kind is Kind.STRING:
            return Literal(LiteralKind.STRING, unquoted(here.text), here.at)
        if here.kind is Kind.NUMBER:
            return self._number(here)
        if here.kind in _KINDS:
            return Literal(_KINDS[here.kind], here.text, here.at)
        if here.kind is Kind.PUNCTUATION and here.text == "(":
            self._spaces()
            found = self._expression(0)
            self._spaces()
            self._needs(")")
            return found
        if here.kind is Kind.NAME:
            return self._named(here)
        if here.text in ("[", "{"):
            raise unsupported(self._option, "a list or an object here", here.at)
        self._at -= here.kind is not Kind.END
        raise self._unexpected()

    def _number(self, here: Token) -> Literal:
        text = here.text
        if text.endswith("INF"):
            return Literal(LiteralKind.OTHER, None, here.at)
        whole = text.lstrip("+-").isdecimal() and len(text) < 20
        return Literal(LiteralKind.NUMBER, int(text) if whole else float(text), here.at)

    def _named(self, here: Token) -> Expression:
        name = here.text
        if name.startswith("@"):
            inside = self._inside(here)
            # What is given no value is null (OData, URL Conventions, 5.2).
            return Literal(LiteralKind.NULL, None, here.at) if inside is None else inside.whole()
        word = _WORDS.get(name.lower())
        if word is not None and self._here.text not in ("/", "("):
            return Literal(*word, here.at)
        if self._takes("("):
            if "." in name and name.lower() not in KNOWN:
                raise unsupported(self._option, f"the function {name}", here.at)
            return Call(name.lower(), self._list(), here.at)
        if name.startswith("$") and name not in ("$it", "$this"):
            raise unsupported(self._option, name, here.at)
        return self._path(here)

    def _path(self, first: Token) -> Expression:
        names = [first.text]
        while self._takes("/"):
            step = self._next()
            if step.kind is not Kind.NAME:
                self._at -= step.kind is not Kind.END
                raise self._unexpected()
            lower = step.text.lower()
            if lower in ("any", "all") and self._takes("("):
                return self._lambda(Path(tuple(names), first.at), lower == "all", step)
            if step.text == "$count":
                if self._takes("("):
                    raise unsupported(self._option, "a filter within $count", step.at)
                return Count(Path(tuple(names), first.at), step.at)
            if step.text.startswith("$"):
                raise unsupported(self._option, step.text, step.at)
            if self._here.text == "(":
                raise unsupported(self._option, "a function in a path", step.at)
            names.append(step.text)
        return Path(tuple(names), first.at)

    def _lambda(self, path: Path, universal: bool, step: Token) -> Expression:
        self._spaces()
        if self._takes(")"):
            if universal:
                raise syntax(self._option, step.at, "all needs a condition")
            return Lambda(path, False, "", None, step.at)
        variable = self._next()
        if variable.kind is not Kind.NAME or not variable.text[0].isalpha():
            raise syntax(self._option, variable.at, "the name of a variable is expected")
        self._spaces()
        self._needs(":")
        self._spaces()
        body = self._expression(0)
        self._spaces()
        self._needs(")")
        return Lambda(path, universal, variable.text, body, step.at)
