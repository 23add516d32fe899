"""OData's texts: what they are read as, and that nothing else comes of any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel.errors import Kind, OctonetError
from transports.engine.odata import address, expression, multipart, options
from transports.engine.odata.conditions import EVERYTHING, NOTHING, Condition, all_of, any_of
from transports.engine.odata.splitting import split
from transports.engine.odata.syntax import Compare, Expression, In, Junction, Literal, LiteralKind, Not, Path

_PIECES = [
    "name", "score", "eq", "ne", "gt", "and", "or", "not", "in", "has", "null", "true", "'x'", "'it''s'", "1", "-2.5",
    "1e5", "(", ")", ",", "/", ":", "any", "all", "contains(", "tolower(", "2001-01-01", "2001-01-01T00:00:00Z", "@p",
    "$it", "$count", "books", " ", "  ", "'", "add", "12:30", "$", "é", "\0", "duration'P1D'", ";", "=", ".",
]  # fmt: skip
_texts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(_PIECES), max_size=25).map(" ".join))
_KINDS = (Kind.INVALID, Kind.UNPROCESSABLE, Kind.NOT_FOUND)


def _either_way(read: object, *arguments: object) -> object:
    """What is read, or None for what is refused in our own words."""
    assert callable(read)
    try:
        return read(*arguments)
    except OctonetError as problem:
        refused = problem
    assert refused.kind in _KINDS
    assert refused.message
    return None


@given(_texts)
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    _either_way(expression.parse, text, "$filter", {"@p": "name eq @p", "@q": text})


@given(_texts)
def test_any_text_is_a_query_or_refused(text: str) -> None:
    for name in ("filter", "orderby", "select", "expand", "search", "apply", "top", "count", "skiptoken"):
        _either_way(options.parse, f"${name}={text}")
    _either_way(options.parse, text)


@given(_texts, st.sampled_from(",;"))
def test_what_is_split_is_all_of_the_text(text: str, separator: str) -> None:
    found = _either_way(split, text, separator, "$select")
    if isinstance(found, list):
        assert separator.join(part for part, _ in found) == text
        assert all(text[at:].startswith(part) for part, at in found)


@given(st.binary(max_size=300), st.lists(st.sampled_from([b"--b\r\n", b"--b--", b"\r\n\r\n", b"GET a HTTP/1.1\r\n",
    b"Content-Type: application/http\r\n", b"Content-Type: multipart/mixed; boundary=c\r\n", b"--c\r\n", b"--c--"]),
    max_size=12))  # fmt: skip
def test_any_bytes_are_a_batch_or_refused(raw: bytes, pieces: list[bytes]) -> None:
    for body in (raw, b"".join(pieces), b"--b\r\n" + b"".join(pieces) + raw + b"--b--"):
        _either_way(multipart.read, body, "multipart/mixed; boundary=b", 5)


_literals = st.one_of(
    st.integers(-(10**9), 10**9).map(lambda n: Literal(LiteralKind.NUMBER, n, 0)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(lambda t: Literal(LiteralKind.STRING, t, 0)),
    st.booleans().map(lambda b: Literal(LiteralKind.BOOLEAN, b, 0)),
    st.just(Literal(LiteralKind.NULL, None, 0)),
)
_paths = st.lists(st.sampled_from(["name", "mentor", "Zoë_1"]), min_size=1, max_size=3).map(lambda n: Path(tuple(n), 0))
_comparisons = st.builds(Compare, st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]), _paths, _literals, st.just(0))
_expressions: st.SearchStrategy[Expression] = st.recursive(
    st.one_of(_comparisons, st.builds(In, _paths, st.lists(_literals, min_size=1, max_size=3).map(tuple), st.just(0))),
    lambda inner: st.one_of(
        st.builds(Not, inner, st.just(0)),
        st.builds(Junction, st.booleans(), st.lists(inner, min_size=2, max_size=3).map(tuple), st.just(0)),
    ),
    max_leaves=8,
)


def _written(tree: Expression) -> str:
    match tree:
        case Literal(LiteralKind.STRING, value):
            return "'{}'".format(str(value).replace("'", "''"))
        case Literal(LiteralKind.NULL):
            return "null"
        case Literal(_, value):
            return str(value).lower()
        case Path(names):
            return "/".join(names)
        case Compare(operator, left, right):
            return f"{_written(left)} {operator} {_written(right)}"
        case In(left, items):
            return f"{_written(left)} in ({','.join(map(_written, items))})"
        case Not(inner):
            return f"not ({_written(inner)})"
        case Junction(conjunctive, parts):
            return f" {'and' if conjunctive else 'or'} ".join(f"({_written(part)})" for part in parts)
        case _:
            raise AssertionError(tree)


@given(_expressions)
def test_what_is_written_is_read_as_it_was_meant(tree: Expression) -> None:
    text = _written(tree)
    assert _written(expression.parse(text, "$filter")) == text


def test_operators_bind_as_the_specification_says() -> None:
    for text, meant in (
        ("a eq 1 or b eq 2 and c eq 3", "(a eq 1) or ((b eq 2) and (c eq 3))"),
        ("not a eq true", None),
        ("not (a eq 1) and b eq 2", "(not (a eq 1)) and (b eq 2)"),
        ("a eq 1 AND b eq 2 and c eq 3", "(a eq 1) and (b eq 2) and (c eq 3)"),
    ):
        found = expression.parse(text, "$filter")
        if meant is not None:
            assert _written(found) == meant


@pytest.mark.parametrize(
    ("text", "at"),
    [("a eq", 4), ("a eq 'x", 5), ("a eq 1 b", 7), ("(a eq 1", 7), ("a eq 1)", 6), ("", 0), ("a ~ 1", 2),
     ("books/any(b b/x eq 1)", 12), ("books/all()", 6), ("a in @p", 5), ("a in 1", 5), ("a eq 1 and", 10)],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(text: str, at: int) -> None:
    with pytest.raises(OctonetError) as refused:
        expression.parse(text, "$filter")
    assert refused.value.code == "SYNTAX_ERROR"
    assert refused.value.faults[0].path == f"$filter[{at}]"


def test_what_is_too_deep_or_too_long_is_refused() -> None:
    for text in ("(" * 5000 + "a" + ")" * 5000, "not " * 5000 + "a", "a eq " + "-" * 5000 + "1", "a" * 40_000):
        with pytest.raises(OctonetError) as refused:
            expression.parse(text, "$filter")
        assert refused.value.code == "SYNTAX_ERROR"
    deep = "books(" + "$expand=author(" * 20 + ")" * 21
    with pytest.raises(OctonetError):
        options.parse(f"$expand={deep}")
    chain = " or ".join(f"a eq {n}" for n in range(1000))
    found = expression.parse(chain, "$filter")
    assert isinstance(found, Junction)
    assert len(found.parts) == 1000


@pytest.mark.parametrize("text", ["a lt now()", "not (a eq 1 or b in (1,now()))", "c/any(x:x/d gt now())", "f(now())"])
def test_a_call_is_found_wherever_it_is(text: str) -> None:
    assert expression.calls(expression.parse(text, "$filter"), "now")
    assert not expression.calls(expression.parse(text.replace("now()", "1"), "$filter"), "now")


@pytest.mark.parametrize(
    ("text", "key"), [("'a'", "a"), ("id='a'", "a"), ("'it''s'", "it's"), (" 'a' ", "a"), ("''", "")]
)
def test_keys_are_texts_in_quotes(text: str, key: str) -> None:
    assert address.key_of(text) == key


@pytest.mark.parametrize("text", ["", "5", "a", "'a", "'a''", "'a','b'", "key='a'", "'a'b"])
def test_anything_else_is_no_key(text: str) -> None:
    with pytest.raises(OctonetError) as refused:
        address.key_of(text)
    assert refused.value.code == "INVALID_KEY"


def test_conditions_join_to_the_smallest_that_says_the_same() -> None:
    one, other = Condition({"a": 1}, False), Condition({"b": {"$exists": False}}, True)
    assert all_of([]) == all_of([EVERYTHING]) == any_of([one, EVERYTHING]) == EVERYTHING
    assert any_of([]) == any_of([NOTHING]) == all_of([one, NOTHING]) == NOTHING
    assert all_of([one, EVERYTHING]) == any_of([one, NOTHING]) == one
    assert all_of([one, other]) == Condition({"$and": [one.tree, other.tree]}, False)
    assert any_of([one, other]) == Condition({"$or": [one.tree, other.tree]}, True)
