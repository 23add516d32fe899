"""Field numbers are never given anew, whatever becomes of the schema, and whoever folds its history has the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from commands import COMMANDS
from octonet.kernel.schema import Schemas
from octonet.kernel.schema_parse import parse
from projections import QUERIES
from transports.engine.grpc.descriptions import Described
from transports.engine.grpc.fields import FIRST, FIRST_OF_MOSTAJS, Shape, shapes

Fields = dict[str, str]


def _entity(fields: Fields, name: str = "Cat", collection: str = "cats", **more: Any) -> Any:
    return {"name": name, "collection": collection, "fields": {f: {"type": t} for f, t in fields.items()}, **more}


def _schemas(*entities: Any) -> Schemas:
    return parse(json.dumps(entities))


def _cats(*history: Fields) -> list[Shape]:
    """The shape after each of these, of an entity that has these fields in turn."""
    read = [_schemas(_entity(fields)) for fields in history]
    return [shapes(read[: at + 1])["Cat"] for at in range(len(read))]


def _numbers(shape: Shape) -> dict[str, int]:
    return {part.column: part.number for part in shape.plain}


def test_a_first_schema_is_numbered_in_its_order_from_two_on() -> None:
    [shape] = _cats({"b": "string", "a": "number", "c": "date"})
    assert _numbers(shape) == {"b": 2, "a": 3, "c": 4}
    assert [part.number for part in shape.parts] == [FIRST, FIRST + 1, FIRST + 2]


def test_fields_in_another_order_keep_their_numbers() -> None:
    before, after = _cats({"a": "string", "b": "number"}, {"b": "number", "a": "string"})
    assert _numbers(before) == _numbers(after) == {"a": 2, "b": 3}


def test_the_number_of_a_removed_field_is_kept_for_it() -> None:
    _, gone, other, back = _cats(
        {"a": "string", "b": "number"}, {"b": "number"}, {"b": "number", "c": "string"}, {"a": "string", "b": "number"}
    )
    assert (_numbers(gone), gone.plain_numbers.gone, gone.plain_numbers.left) == ({"b": 3}, (2,), ("a",))
    assert _numbers(other) == {"b": 3, "c": 4}
    assert _numbers(back) == {"a": 2, "b": 3}
    assert back.plain_numbers.gone == (4,)


def test_a_field_of_another_type_is_another_field_until_it_has_its_type_again() -> None:
    _, number, text, back = _cats({"a": "string"}, {"a": "number"}, {"a": "text"}, {"a": "number"})
    assert (_numbers(number), number.plain_numbers.gone, number.plain_numbers.left) == ({"a": 3}, (2,), ())
    # Both are text, and travel alike.
    assert _numbers(text) == {"a": 2}
    assert _numbers(back) == {"a": 3}


def test_an_entity_that_is_renamed_keeps_its_numbers() -> None:
    history = [
        _schemas(_entity({"a": "string", "b": "number"})),
        _schemas(_entity({"b": "number"})),
        _schemas(_entity({"c": "string", "b": "number"}, "Tiger")),
    ]
    assert _numbers(shapes(history)["Tiger"]) == {"b": 3, "c": 4}


def test_an_entity_that_comes_back_has_its_numbers_again() -> None:
    dog = _entity({"x": "string"}, "Dog", "dogs")
    cat = _entity({"a": "string"})
    history = [_schemas(_entity({"b": "string", "a": "string"}), dog), _schemas(dog), _schemas(cat, dog)]
    assert _numbers(shapes(history)["Cat"]) == {"a": 3}


def test_numbers_of_protobuf_itself_are_left_out() -> None:
    many = {f"f{n}": "string" for n in range(4)}
    found = shapes([_schemas(_entity(many))])["Cat"]
    assert max(_numbers(found).values()) < 19_000
    from transports.engine.grpc.numbers import Slot, numbered

    slots = [Slot(f"f{n}", "string") for n in range(19_010)]
    numbers = numbered([_schemas(_entity({"a": "string"}))], lambda _: slots, 2)["Cat"].of
    assert not any(19_000 <= number < 20_000 for number in numbers.values())
    assert len(set(numbers.values())) == len(slots)


def test_names_that_are_spelled_alike_are_told_apart_by_their_numbers() -> None:
    [shape] = _cats({"fooBar": "string", "foo_bar": "string", "related": "string", "version": "string"})
    spelled = {part.column: part.name for part in shape.parts}
    assert spelled == {"fooBar": "foo_bar", "foo_bar": "foo_bar_12", "related": "related", "version": "version"}
    assert len({*spelled.values(), *shape.system.values()}) == 7


_FIELDS = st.dictionaries(
    st.sampled_from(["a", "b", "aB", "a_b", "c1", "name", "related", "when", "idOf"]),
    st.sampled_from(["string", "text", "number", "boolean", "date", "json", "array"]),
    max_size=6,
).flatmap(lambda fields: st.permutations(list(fields.items())).map(dict))
_ENTITIES = st.lists(
    st.tuples(st.sampled_from(["Cat", "Dog", "CatList"]), _FIELDS, st.booleans(), st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one[0],
)


def _read(entities: Sequence[tuple[str, Fields, bool, bool]]) -> Schemas:
    there = [name for name, *_ in entities]
    made = []
    for name, fields, linked, timed in entities:
        relations = {"friend": {"target": there[0], "type": "many-to-one"}} if linked else {}
        made.append(_entity(fields, name, name.lower() + "s", relations=relations, timestamps=timed))
    return _schemas(*made)


@given(st.lists(_ENTITIES, min_size=1, max_size=6))
def test_no_number_ever_means_two_fields_in_any_history(history: list[Any]) -> None:
    read = [_read(entities) for entities in history]
    meant: dict[tuple[str, str, int], tuple[str, str]] = {}
    for at in range(len(read)):
        found = shapes(read[: at + 1])
        assert found == shapes(read[: at + 1])
        for name, shape in found.items():
            fields = read[at].entities[name].fields
            told = [("v1", part.number, (part.column, part.kind.value)) for part in shape.parts]
            for part in shape.plain:
                type_ = fields[part.column].type.value.replace("text", "string")
                told.append(("plain", part.number, (part.column, type_)))
            for package, number, meaning in told:
                assert number >= (FIRST if package == "v1" else FIRST_OF_MOSTAJS)
                assert meant.setdefault((package, name, number), meaning) == meaning
            assert not {part.number for part in shape.parts} & set(shape.numbers.gone)
            assert not {part.number for part in shape.plain} & set(shape.plain_numbers.gone)
    # What was written with any of them can be read with any other: protobuf itself takes the files.
    described = Described(read, {**QUERIES, **COMMANDS})
    for name in described.shapes:
        described.sent(name, "Create")
