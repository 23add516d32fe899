"""Random histories: the server and a model made of dicts answer every request alike, and end with the same rows."""

from __future__ import annotations

import http.client
import json
from itertools import count
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.conformance.clients.rest import spell
from tests.conformance.model import TIMES, Json, Model, Refused, Row
from tests.conformance.world import LIBRARY
from tests.running import Server

_SCHEMAS = json.loads(LIBRARY.read_text())
_runs = count(1)

_entities = st.sampled_from(["Author", "Author", "Author", "Tag", "Book", "Book", "Loan", "Note", "Note"])
_number = st.integers(0, 5)
_words = st.sampled_from(["a", "b", "B", "c"])
_numbers = st.sampled_from([0, 1, -1, 2.5, 1e6])
_KEYS: dict[str, dict[str, st.SearchStrategy[Json]]] = {
    "Tag": {"label": st.sampled_from(["a", "b", " B ", "c"])},
    "Author": {
        "email": st.sampled_from(["a", "A ", "b", "c", "d", None]),
        "name": _words | st.none(),
        "rating": _numbers,
        "score": _numbers | st.none(),
        "level": st.sampled_from(["new", "known", "gone", "grand"]),
        "active": st.booleans() | st.none(),
        "keywords": st.lists(_words, max_size=3) | st.none(),
        "profile": st.sampled_from([None, {"n": [1, {"x": None}]}, "text", 5]),
        "mentor": _number | st.none(),
        "tags": st.lists(_number, max_size=3),
        "notes": st.lists(_number, max_size=2),
        "nmae": st.just("x"),
    },
    "Book": {"title": _words, "pages": _numbers | st.none(), "author": _number},
    "Loan": {"book": _number},
    "Note": {"slug": _words, "body": _words | st.none()},
}
_RELATIONS = ("mentor", "author", "book", "tags", "notes")
_SELDOM = {"nmae", "level", "email", "tags", "notes"}
_TEXT, _NUMBERS = ("name", "level", "slug", "label", "title", "body"), ("rating", "score", "pages")


def _data(entity: str) -> st.SearchStrategy[Row]:
    """Some members; those whose wrong values are refused come less often."""
    keys = _KEYS[entity]
    common = [name for name in keys if name not in _SELDOM]
    rare = [name for name in keys if name in _SELDOM]
    chosen = st.sets(st.sampled_from(common or rare), max_size=4)
    if common and rare:
        chosen = st.one_of(chosen, chosen, st.builds(lambda some, one: some | {one}, chosen, st.sampled_from(rare)))
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: keys[name] for name in sorted(names)}))


def _filter(entity: str) -> st.SearchStrategy[Row]:
    def condition(name: str) -> st.SearchStrategy[Row]:
        value = _words if name in _TEXT else st.sampled_from([0, 1, 2.5])
        operators = st.sampled_from(["$ne", "$gt", "$gte", "$lt", "$lte"])
        compared = st.builds(lambda operator, operand: {operator: operand}, operators, value)
        among = st.builds(lambda operator, some: {operator: some}, st.sampled_from(["$in", "$nin"]),
                          st.lists(value, min_size=1, max_size=3))  # fmt: skip
        exists = st.builds(lambda wanted: {"$exists": wanted}, st.booleans())
        return st.builds(lambda wanted: {name: wanted}, st.one_of(value, st.none(), compared, among, exists))

    columns = [name for name in _KEYS[entity] if name in (*_TEXT, *_NUMBERS)]
    if not columns:
        return st.builds(lambda n: {"book": n}, _number)
    return st.sampled_from(columns).flatmap(condition)


_wishes = _entities.flatmap(lambda entity: st.tuples(st.just(entity), _data(entity)))
_questions = _entities.flatmap(lambda entity: st.tuples(st.just(entity), _filter(entity)))
_changes = _entities.flatmap(lambda entity: st.tuples(st.just(entity), _filter(entity), _data(entity)))
_elements = st.one_of(
    st.tuples(st.just("keywords"), _words), st.tuples(st.just("tags"), _number), st.tuples(st.just("notes"), _number)
)


class Library(RuleBasedStateMachine):
    """One history. Ids are its own, so that rows softly deleted by an earlier one do not matter."""

    port: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        self._model = Model(_SCHEMAS)
        self._run = next(_runs)

    @initialize()
    def clear(self) -> None:
        for entity in ("Loan", "Book", "Author", "Tag", "Note"):
            self._send({"op": "deleteMany", "entity": entity, "options": {"all": True}})

    @rule(id=_number, wish=_wishes, email=st.sampled_from("abcdef"), number=_number)
    def create(self, id: int, wish: tuple[str, Row], email: str, number: int) -> None:
        entity, data = wish
        needed: dict[str, Row] = {"Author": {"email": email}, "Book": {"title": "t", "author": number},
                                  "Loan": {"book": number}, "Note": {"slug": email}}  # fmt: skip
        self._both(op="create", entity=entity, data={"id": self._id(id), **needed.get(entity, {}), **data})

    @rule(id=_number, wish=_wishes)
    def update(self, id: int, wish: tuple[str, Row]) -> None:
        self._both(op="update", entity=wish[0], id=self._id(id), data=wish[1])

    @rule(id=_number, key=st.sampled_from("abc"), wish=_data("Author"))
    def upsert_author(self, id: int, key: str, wish: Row) -> None:
        self._both(op="upsert", entity="Author", filter={"email": key}, data={"id": self._id(id), **wish})

    @rule(id=_number, key=st.sampled_from("abc"), wish=_data("Note"))
    def upsert_note(self, id: int, key: str, wish: Row) -> None:
        self._both(op="upsert", entity="Note", filter={"slug": key}, data={"id": self._id(id), **wish})

    @rule(id=_number, entity=_entities)
    def delete(self, id: int, entity: str) -> None:
        self._both(op="delete", entity=entity, id=self._id(id))

    @rule(change=_changes)
    def update_many(self, change: tuple[str, Row, Row]) -> None:
        self._both(op="updateMany", entity=change[0], filter=self._ids(change[1]), data=change[2])

    @rule(question=_questions)
    def delete_many(self, question: tuple[str, Row]) -> None:
        self._both(op="deleteMany", entity=question[0], filter=self._ids(question[1]))

    @rule(id=_number, field=st.sampled_from(["rating", "score"]), amount=_numbers)
    def increment(self, id: int, field: str, amount: float) -> None:
        self._both(op="increment", entity="Author", id=self._id(id), field=field, amount=amount)

    @rule(id=_number, op=st.sampled_from(["addToSet", "pull"]), element=_elements)
    def change_element(self, id: int, op: str, element: tuple[str, Json]) -> None:
        field, value = element
        value = self._id(value) if field in _RELATIONS else value
        self._both(op=op, entity="Author", id=self._id(id), field=field, value=value)

    @rule(id=_number, entity=_entities)
    def find_by_id(self, id: int, entity: str) -> None:
        self._both(op="findById", entity=entity, id=self._id(id))

    @rule(question=_questions, direction=st.sampled_from([1, -1]), by=st.booleans(), limit=st.integers(1, 4))
    def find_all(self, question: tuple[str, Row], direction: int, by: bool, limit: int) -> None:
        entity, where = question
        where = self._ids(where)
        sort = {**({next(iter(where)): direction} if by else {}), "id": direction}
        self._both(op="findAll", entity=entity, filter=where, options={"sort": sort, "limit": limit})

    @rule(question=_questions)
    def count(self, question: tuple[str, Row]) -> None:
        self._both(op="count", entity=question[0], filter=self._ids(question[1]))

    def teardown(self) -> None:
        for entity in self._model.schemas:
            mine = {"id": {"$gte": self._id(0), "$lte": self._id(9)}}
            self._both(op="findAll", entity=entity, filter=mine, options={"includeDeleted": True})
        self._connection.close()

    def _both(self, **request: Json) -> None:
        if "data" in request:
            request["data"] = self._ids(request["data"])
        status, told = self._send(request)
        wanted = self._wanted(request)
        if isinstance(wanted, Refused):
            assert 400 <= status < 500, (request, told)
            assert told["error"]["code"] in wanted.codes, (request, told)
            return
        assert status in (200, 201), (request, told, wanted)
        found = told["metadata"]["count"] if request["op"] == "updateMany" else _without_times(told["data"])
        assert found == wanted, request

    def _wanted(self, request: Row) -> Json | Refused:
        try:
            return self._model.apply(request)
        except Refused as refused:
            return refused

    def _send(self, request: Row) -> tuple[int, Any]:
        method, path, body = spell(request)
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def _id(self, number: int) -> str:
        return f"{self._run:06d}-{number}"

    def _ids(self, members: Row) -> Row:
        """References and links by number, spelled as this history's ids."""

        def spelled(value: Json) -> Json:
            if isinstance(value, list):
                return [self._id(each) for each in value]
            return self._id(value) if isinstance(value, int) else value

        return {name: spelled(value) if name in _RELATIONS else value for name, value in members.items()}


def _without_times(data: Json) -> Json:
    if isinstance(data, list):
        return [_without_times(row) for row in data]
    if not isinstance(data, dict):
        return data
    row = {name: value for name, value in data.items() if name not in TIMES}
    return row | {"deletedAt": "gone"} if row.get("deletedAt") else row


def test_the_server_answers_random_histories_as_the_model_does(site: Server) -> None:
    run_state_machine_as_test(
        type("Library", (Library,), {"port": site.port}),
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            # Making a failing history shorter would take minutes of server time.
            phases=[Phase.explicit, Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
