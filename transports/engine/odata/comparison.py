"""Comparisons of a property, or of a function of one, with a constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from octonet.kernel.errors import Fault, ValidationError
from octonet.kernel.faults import quote
from octonet.kernel.schema import FieldType
from transports.engine.odata import functions
from transports.engine.odata.conditions import Condition, Wanted, any_of, compares, is_null
from transports.engine.odata.functions import LONGEST, escaped, likes, never_like, two_valued
from transports.engine.odata.model import Property
from transports.engine.odata.problems import syntax, unsupported
from transports.engine.odata.scope import Scope
from transports.engine.odata.syntax import Arithmetic, Call, Expression, Literal, LiteralKind, Path

FUNCTIONS: Final = frozenset({"tolower", "toupper", "length", "indexof", "year", "date"})
"""Those of which a comparison can be a filter."""
_OURS: Final = {"eq": "$eq", "ne": "$ne", "gt": "$gt", "ge": "$gte", "lt": "$lt", "le": "$lte"}
_TEXTUAL: Final = (FieldType.STRING, FieldType.TEXT)
_TYPES: Final = {
    LiteralKind.BOOLEAN: (FieldType.BOOLEAN,),
    LiteralKind.NUMBER: (FieldType.NUMBER,),
    # A date between quotes is what clients wrote when there were no others here.
    LiteralKind.STRING: (*_TEXTUAL, FieldType.DATE),
    LiteralKind.GUID: _TEXTUAL,
    LiteralKind.DATE: (FieldType.DATE,),
    LiteralKind.MOMENT: (FieldType.DATE,),
}


def constant(expression: Expression) -> Expression:
    """The expression, computed where it is the same for every row."""
    if isinstance(expression, Arithmetic):
        left, right = constant(expression.left), constant(expression.right)
        if isinstance(left, Literal) and isinstance(right, Literal):
            return _computed(expression, left.value, right.value)
    if isinstance(expression, Call):
        if expression.name == "now" and not expression.arguments:
            return Literal(LiteralKind.MOMENT, functions.now(), expression.at)
        if expression.name in ("tolower", "toupper") and len(expression.arguments) == 1:
            inner = constant(expression.arguments[0])
            if isinstance(inner, Literal) and isinstance(inner.value, str):
                text = inner.value.lower() if expression.name == "tolower" else inner.value.upper()
                return Literal(inner.kind, text, expression.at)
    return expression


def _computed(expression: Arithmetic, left: object, right: object) -> Expression:
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return expression
    match expression.operator:
        case "add":
            value = left + right
        case "sub" | "-":
            value = left - right
        case "mul":
            value = left * right
        case _:
            return expression
    return Literal(LiteralKind.NUMBER, value, expression.at)


def of_constants(option: str, operator: str, left: Literal, right: Literal) -> bool:
    """A comparison that is the same for every row."""
    a, b = left.value, right.value
    if a is None or b is None or operator in ("eq", "ne"):
        same = (a is None and b is None) or (left.kind is right.kind and a == b)
        return same if operator == "eq" else not same if operator == "ne" else False
    if isinstance(a, str) and isinstance(b, str):
        return {"gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[operator]
    if isinstance(a, int | float) and isinstance(b, int | float):
        return {"gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[operator]
    raise syntax(option, left.at, "is compared with a value of another type")


def _check(scope: Scope, found: Property, literal: Literal) -> None:
    if literal.kind is LiteralKind.OTHER:
        raise unsupported(scope.option, "a constant of this type", literal.at)
    if found.type in (FieldType.JSON, FieldType.ARRAY):
        raise unsupported(scope.option, f"a comparison of {quote(found.name)} with anything but null", literal.at)
    if found.type not in _TYPES[literal.kind]:
        message = f"{quote(found.name)} is of type {found.edm}: it is not compared with a {literal.kind}"
        place = f"{scope.option}[{literal.at}]"
        raise ValidationError(f"{place}: {message}", faults=(Fault(place, message),))


def of_property(scope: Scope, found: Property, operator: str, literal: Literal, wanted: Wanted) -> Condition:
    """``property <operator> constant``: true or false, never null."""
    if literal.kind is LiteralKind.NULL:
        if operator in ("eq", "ne"):
            return is_null(found.column, (operator == "eq") is wanted.truth)
        return wanted.certain(False)
    _check(scope, found, literal)
    value = literal.value
    return two_valued(found.column, operator, lambda asked: compares(found.column, _OURS[asked], value), wanted)


def among(scope: Scope, found: Property, literals: Sequence[Literal], wanted: Wanted) -> Condition:
    """``property in (constants)``."""
    for literal in literals:
        if literal.kind is not LiteralKind.NULL:
            _check(scope, found, literal)
    values = [literal.value for literal in literals if literal.kind is not LiteralKind.NULL]
    with_null = len(values) < len(literals)
    inside = Condition({found.column: {"$in": values}}, False)
    if wanted.truth:
        return any_of((inside, is_null(found.column))) if with_null else inside
    outside = Condition({found.column: {"$nin": values}}, False) if values else is_null(found.column, False)
    return outside if with_null else any_of((outside, is_null(found.column)))


def cased(expression: Expression) -> tuple[str, Expression]:
    """``tolower`` or ``toupper`` where one of them stands around, else nothing; and what is inside."""
    if isinstance(expression, Call) and expression.name in ("tolower", "toupper") and len(expression.arguments) == 1:
        return expression.name, expression.arguments[0]
    return "", expression


def subject(option: str, call: Call) -> Path:
    """The property that a function is of."""
    wanted = 2 if call.name == "indexof" else 1
    if len(call.arguments) != wanted:
        raise syntax(option, call.at, f"{call.name} takes {'two arguments' if wanted > 1 else 'one argument'}")
    if not isinstance(call.arguments[0], Path):
        raise unsupported(option, f"{call.name}() of what is computed", call.at)
    return call.arguments[0]


def of_function(
    scope: Scope, found: Property, call: Call, operator: str, literal: Literal, wanted: Wanted
) -> Condition:
    """``function(property) <operator> constant``."""
    needed = (FieldType.DATE,) if call.name in ("year", "date") else _TEXTUAL
    if found.type not in needed:
        raise syntax(scope.option, call.at, f"{call.name} is not for {quote(found.name)}, of type {found.edm}")
    if literal.kind is LiteralKind.NULL:
        return of_property(scope, found, operator, literal, wanted)
    valued = _valued(scope, found, call, literal)
    if valued is None:
        raise unsupported(scope.option, f"this comparison of {call.name}()", call.at)

    def known(asked: str) -> Condition:
        condition = valued(asked)
        if condition is None:
            raise unsupported(scope.option, f"this comparison of {call.name}()", call.at)
        return condition

    return two_valued(found.column, operator, known, wanted)


def _valued(scope: Scope, found: Property, call: Call, literal: Literal) -> Callable[[str], Condition | None] | None:
    column, value = found.column, literal.value
    match call.name:
        case "date":
            return functions.days(column, str(value)) if literal.kind is LiteralKind.DATE else None
        case "year":
            return functions.years(column, value) if type(value) is int else None
        case "length":
            return functions.lengths(column, value) if type(value) is int else None
        case "indexof":
            sought = constant(call.arguments[1])
            if not isinstance(sought, Literal) or sought.kind is not LiteralKind.STRING or type(value) is not int:
                return None
            text = str(sought.value)
            return functions.places(column, text, value).get if len(escaped(text)) < LONGEST else None
        case _:
            return _cased_comparison(column, call.name, str(value)) if literal.kind is LiteralKind.STRING else None


def _cased_comparison(column: str, case: str, text: str) -> Callable[[str], Condition | None] | None:
    pattern = f"^{escaped(text)}$"
    if len(pattern) > LONGEST:
        return None

    def valued(operator: str) -> Condition | None:
        if operator not in ("eq", "ne"):
            return None
        asked = Wanted(operator == "eq")
        if text != (text.lower() if case == "tolower" else text.upper()):
            return never_like(column, asked)
        return likes(column, pattern, True, asked)

    return valued
