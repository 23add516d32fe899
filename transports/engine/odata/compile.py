"""Compiles an expression to our filter language. What that cannot say is refused with 501, never made wider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from octonet.kernel.errors import Fault, Invalid
from octonet.kernel.faults import quote
from octonet.kernel.schema import ID, FieldType, RelationKind
from transports.engine.odata import comparison
from transports.engine.odata.comparison import constant
from transports.engine.odata.conditions import (
    Condition,
    Lookup,
    Wanted,
    all_of,
    any_of,
    compares,
    is_null,
)
from transports.engine.odata.functions import KNOWN, LONGEST, escaped, likes, never_like, pattern_of
from transports.engine.odata.model import Property
from transports.engine.odata.problems import syntax, unsupported
from transports.engine.odata.scope import Scope
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

_SIDES: Final = {"contains": ("", ""), "startswith": ("^", ""), "endswith": ("", "$")}
_FLIPPED: Final = {"eq": "eq", "ne": "ne", "gt": "lt", "lt": "gt", "ge": "le", "le": "ge"}
_ANY: Final = {("gt", 0), ("ne", 0), ("ge", 1)}
_NONE: Final = {("eq", 0), ("lt", 1), ("le", 0)}
_TEXTUAL: Final = (FieldType.STRING, FieldType.TEXT)
TRUE: Final = Wanted()
Leaf = Callable[[Scope, Property], Condition]


def compiled(expression: Expression, scope: Scope, wanted: Wanted = TRUE) -> Condition:
    """The condition that the expression is as wanted. Raises `Invalid`, and a 501 for what no filter can say."""
    match expression:
        case Junction(conjunctive, parts):
            found = [compiled(part, scope, wanted) for part in parts]
            return all_of(found) if conjunctive is wanted.truth else any_of(found)
        case Not(inner):
            return compiled(inner, scope, wanted.negated())
        case Compare():
            return _compare(expression, scope, wanted)
        case In():
            return _in(expression, scope, wanted)
        case Lambda():
            return _lambda(expression, scope, wanted)
        case Call():
            return _call(expression, scope, wanted)
        case Path():
            return through(scope, expression, lambda inner, found: _truth(inner, found, expression.at, wanted))
        case Literal():
            return _constant(expression, scope, wanted)
        case Count() | Arithmetic():
            raise syntax(scope.option, expression.at, "is neither true nor false")


def _constant(literal: Literal, scope: Scope, wanted: Wanted) -> Condition:
    if literal.kind is LiteralKind.NULL:
        return Wanted().certain(wanted.or_null)
    if literal.kind is LiteralKind.BOOLEAN:
        return wanted.certain(literal.value is True)
    raise syntax(scope.option, literal.at, "is neither true nor false")


def _truth(scope: Scope, found: Property, at: int, wanted: Wanted) -> Condition:
    if found.type is not FieldType.BOOLEAN:
        raise syntax(scope.option, at, f"{quote(found.name)} is neither true nor false")
    condition = compares(found.column, "$eq", wanted.truth)
    return any_of((condition, is_null(found.column))) if wanted.or_null else condition


def through(scope: Scope, path: Path, leaf: Leaf) -> Condition:
    """What the leaf says of the property that a path ends at, said of the row that it starts from."""
    return _steps(scope, scope.steps(path), path.at, leaf)


def _steps(scope: Scope, names: tuple[str, ...], at: int, leaf: Leaf) -> Condition:
    if not names:
        raise unsupported(scope.option, "a comparison of whole rows", at)
    first, rest = names[0], names[1:]
    if not rest and (found := scope.property(first, at)) is not None:
        if found.link:
            raise unsupported(scope.option, f"a condition on the links {quote(first)}", at)
        return leaf(scope, found)
    navigation = scope.navigation(first, at)
    if navigation.collection:
        raise syntax(scope.option, at, f"{quote(first)} leads to many rows: ask with any or all")
    holder = scope.entity.properties[navigation.holder]
    if rest in ((), (ID,)):
        # The id at the other end stands at this one; a bare relation is its id, as it has always been here.
        return leaf(scope, holder)
    target = scope.model.target(navigation)
    there = _steps(scope.at(target), rest, at, leaf)
    found_there = Condition({holder.column: {"$in": Lookup(target.schema.name, there.tree, ID)}}, there.of_null)
    return any_of((found_there, is_null(holder.column))) if there.of_null else found_there


def _compare(expression: Compare, scope: Scope, wanted: Wanted) -> Condition:
    operator, left, right = expression.operator, constant(expression.left), constant(expression.right)
    if isinstance(left, Literal) and isinstance(right, Literal):
        return wanted.certain(comparison.of_constants(scope.option, operator, left, right))
    if isinstance(left, Literal):
        operator, left, right = _FLIPPED[operator], right, left
    if not isinstance(right, Literal):
        raise unsupported(scope.option, "a comparison of two properties", expression.at)
    literal = right
    if isinstance(left, Path):
        return through(
            scope, left, lambda inner, found: comparison.of_property(inner, found, operator, literal, wanted)
        )
    if isinstance(left, Count):
        return _counted(left, operator, literal, scope, wanted)
    if isinstance(left, Call) and left.name in comparison.FUNCTIONS:
        call = left
        return through(
            scope,
            comparison.subject(scope.option, call),
            lambda inner, found: comparison.of_function(inner, found, call, operator, literal, wanted),
        )
    return _of_truth(left, operator, literal, scope, wanted, expression.at)


def _of_truth(left: Expression, operator: str, literal: Literal, scope: Scope, wanted: Wanted, at: int) -> Condition:
    """``(a and b) eq true`` and the like: true, false, and never null."""
    if isinstance(left, Call):
        _check_known(left, scope)
    if isinstance(left, Arithmetic) or (isinstance(left, Call) and left.name not in _BOOLEAN):
        raise unsupported(scope.option, f"a comparison of {_name(left)}", left.at)
    if operator not in ("eq", "ne") or literal.kind is not LiteralKind.BOOLEAN:
        raise unsupported(scope.option, "this comparison of a condition", at)
    same = (operator == "eq") is wanted.truth
    return compiled(left, scope, Wanted((literal.value is True) is same, or_null=not same))


def _name(expression: Expression) -> str:
    return f"{expression.name}()" if isinstance(expression, Call) else "what is computed"


def _counted(left: Count, operator: str, literal: Literal, scope: Scope, wanted: Wanted) -> Condition:
    asked = (operator, literal.value)
    if literal.kind is not LiteralKind.NUMBER or asked not in _ANY | _NONE:
        raise unsupported(scope.option, "$count, unless it asks whether there is any,", left.at)
    exists = Lambda(left.path, False, "", None, left.at)
    return _lambda(exists, scope, wanted if asked in _ANY else wanted.negated())


def _in(expression: In, scope: Scope, wanted: Wanted) -> Condition:
    items = [constant(item) for item in expression.items]
    literals = [item for item in items if isinstance(item, Literal)]
    if len(literals) < len(items):
        raise unsupported(scope.option, "a list of anything but constants", expression.at)
    left = constant(expression.left)
    if isinstance(left, Path):
        return through(scope, left, lambda inner, found: comparison.among(inner, found, literals, wanted))
    each = tuple(Compare("eq", left, literal, expression.at) for literal in literals)
    return compiled(Junction(False, each, expression.at), scope, wanted)


def _lambda(expression: Lambda, scope: Scope, wanted: Wanted) -> Condition:
    names = scope.steps(expression.path)
    if len(names) > 1:
        raise unsupported(scope.option, "any or all behind another navigation", expression.at)
    if not names:
        raise syntax(scope.option, expression.at, "leads to no rows")
    navigation = scope.entity.navigations.get(names[0])
    if navigation is None or navigation.relation.kind is not RelationKind.ONE_TO_MANY:
        if navigation is None:
            scope.property(names[0], expression.path.at)
        raise unsupported(scope.option, f"any or all over {quote(names[0])}", expression.path.at)
    target = scope.model.target(navigation)
    inner = scope.within(target, expression.variable)
    asked = Wanted(False, or_null=True) if expression.universal else Wanted()
    tree = {} if expression.body is None else compiled(expression.body, inner, asked).tree
    lookup = Lookup(target.schema.name, tree, navigation.relation.column)
    # Any: its id is among the owners of such rows. All: it is not among the owners of others.
    inside = wanted.truth is not expression.universal
    return Condition({ID: {"$in" if inside else "$nin": lookup}}, not inside)


def _call(expression: Call, scope: Scope, wanted: Wanted) -> Condition:
    name = expression.name
    _check_known(expression, scope)
    if name not in _BOOLEAN:
        raise unsupported(scope.option, f"{name}() here", expression.at)
    if len(expression.arguments) != 2:
        raise syntax(scope.option, expression.at, f"{name} takes two arguments")
    sought = constant(expression.arguments[1])
    if isinstance(sought, Literal) and sought.kind is LiteralKind.NULL:
        return Wanted().certain(wanted.or_null)
    if not isinstance(sought, Literal) or sought.kind is not LiteralKind.STRING:
        raise unsupported(scope.option, f"{name}() with anything but a text", expression.at)
    text = str(sought.value)
    case, path = comparison.cased(constant(expression.arguments[0]))
    if not isinstance(path, Path):
        raise unsupported(scope.option, f"{name}() of what is computed", expression.at)
    return through(scope, path, lambda inner, found: _likes(inner, found, expression, text, case, wanted))


def _check_known(call: Call, scope: Scope) -> None:
    if call.name not in KNOWN:
        place, message = f"{scope.option}[{call.at}]", f"{quote(call.name)} is not a function"
        raise Invalid(f"{place}: {message}", code="UNKNOWN_FUNCTION", faults=(Fault(place, message),))


def _likes(scope: Scope, found: Property, call: Call, text: str, case: str, wanted: Wanted) -> Condition:
    if found.type not in _TEXTUAL:
        raise syntax(scope.option, call.at, f"{quote(found.name)} holds no text")
    if call.name == "matchespattern":
        pattern = None if case else pattern_of(text)
    else:
        before, after = _SIDES[call.name]
        pattern = before + escaped(text) + after
        if case and text != (text.lower() if case == "tolower" else text.upper()):
            return never_like(found.column, wanted)
    if pattern is None or len(pattern) > LONGEST:
        raise unsupported(scope.option, "this pattern", call.at)
    return likes(found.column, pattern, bool(case), wanted)


_BOOLEAN: Final = frozenset({*_SIDES, "matchespattern"})
