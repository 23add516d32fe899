"""What the arguments of a field say: each is read as what it is declared to be, whether a variable holds it or the
document."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import COMMANDS
from octonet.kernel import schema_parse
from octonet.kernel.errors import Invalid, ValidationError
from octonet.kernel.operation import Raw
from projections import QUERIES
from transports.engine.graphql.api import Api
from transports.engine.graphql.settings import GraphqlSettings

SCHEMAS = schema_parse.parse((Path(__file__).parents[2] / "conformance" / "library.json").read_text())
API = Api({**QUERIES, **COMMANDS}, SCHEMAS, GraphqlSettings())


async def _said(document: str, given: dict[str, object]) -> dict[str, Raw]:
    operation = (await API.documents.read(document)).operation("")
    values = operation.values(given)
    (call,) = API.plan(operation, values).calls
    return call.members.read(values)


async def test_a_variable_and_what_it_holds_say_the_same() -> None:
    wanted = {"data": {"name": "Ada", "born": "1815-12-10T00:00:00.000Z", "keywords": ["x"], "bio": None}}
    text = 'mutation { createAuthor(input: {name: "Ada", born: "1815-12-10", keywords: "x", bio: null}) { id } }'
    held = {"name": "Ada", "born": "1815-12-10", "keywords": "x", "bio": None}
    made = await _said("mutation ($a: AuthorInput!) { createAuthor(input: $a) { id } }", {"a": held})
    assert await _said(text, {}) == made == wanted
    assert list(made["data"] if isinstance(made["data"], dict) else ()) == list(held)


async def test_what_a_client_sent_stays_as_it_was_sent() -> None:
    given: dict[str, object] = {"a": {"born": "1815-12-10", "keywords": "x"}}
    await _said("mutation ($a: AuthorInput!) { createAuthor(input: $a) { id } }", given)
    assert given == {"a": {"born": "1815-12-10", "keywords": "x"}}


@pytest.mark.parametrize("member", [{"name": 3}, {"active": "true"}, {"mentor": True}, {"rating": "3"}, {"born": 5}])
async def test_a_member_of_another_type_is_refused_by_its_place(member: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        await _said("mutation ($a: AuthorInput!) { createAuthor(input: $a) { id } }", {"a": {"bio": "x", **member}})
    (name,) = member
    assert [fault.path for fault in refused.value.faults] == [f"$.variables.a.{name}"]


async def test_a_variable_without_a_value_says_nothing_and_null_only_where_null_is_a_value() -> None:
    document = "query ($w: AuthorWhere, $n: Int) { authors(where: $w, limit: $n) { id } }"
    assert await _said(document, {}) == await _said(document, {"w": None, "n": None}) == {}
    adding = 'mutation ($e: JSON) { addToSetAuthor(id: "a", field: "keywords", element: $e) { id } }'
    assert (await _said(adding, {"e": None}))["value"] is None


async def test_null_is_refused_where_none_may_stand_whatever_the_variable_allows() -> None:
    document = 'mutation ($id: ID = "a") { deleteAuthor(id: $id) }'
    assert await _said(document, {}) == {"id": "a"}
    with pytest.raises(ValidationError, match=r"\$\.id: cannot be null"):
        await _said(document, {"id": None})


async def test_a_member_is_said_once() -> None:
    document = "query ($w: AuthorWhere, $f: String) { authors(where: $w, filter: $f) { id } }"
    where = {"id": {"eq": "a"}}
    assert await _said(document, {"w": where}) == await _said(document, {"f": '{"id":{"$eq":"a"}}'})
    with pytest.raises(Invalid, match=r"\$\.filter: says a second time what 'where' says"):
        await _said(document, {"w": where, "f": "{}"})
