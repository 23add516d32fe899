"""Every operation through grpc-js, in the messages that it reads from the printed .proto files, row for row as REST."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass

from commands import COMMANDS
from projections import QUERIES
from tests import peers
from tests.acceptance.grpc_site import OPEN, SHOP, Shop, address, entered
from tests.acceptance.test_grpc_tools import printed
from tests.conformance.clients import Json, enter
from tests.running import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("peers") / "data", SHOP, **OPEN) as found:
        yield found
        assert "Traceback" not in found.log()


@pytest.fixture(scope="module")
def folder(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("proto")
    printed(server, "--to", str(found))
    return found


class Refused(Exception):
    """A status that is not OK."""

    def __init__(self, told: Json) -> None:
        super().__init__(told["details"])
        self.code = told["code"]
        self.details = base64.b64decode(told["trailers"].get("grpc-status-details-bin", ""))


class Js(Shop):
    """Calls that grpc-js makes."""

    where: dict[str, str]
    trailers: dict[str, str]

    async def call(self, service: str, method: str, message: Any, **more: Any) -> Any:
        asked = {**self.where, "service": service, "method": method, "message": _plain(message), **more}
        told = await peers.standing("grpc.mjs").ask(asked)
        if "code" in told:
            raise Refused(told)
        self.trailers = told["trailers"]
        gives = self.pool.FindServiceByName(service).FindMethodByName(method).output_type
        return _filled(GetMessageClass(gives)(), told["ok"])


def _plain(message: Any) -> Json:
    """A message as JavaScript has it."""
    found: Json = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            found[field.name] = list(value) if field.is_repeated else value
        else:
            found[field.name] = [_plain(each) for each in value] if field.is_repeated else _plain(value)
    return found


def _filled(message: Any, told: Json) -> Any:
    """The message that JavaScript was told."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Struct":
        for name, value in told.get("fields", {}).items():
            [(kind, content)] = value.items()
            message[name] = None if kind == "nullValue" else content
        return message
    fields = message.DESCRIPTOR.fields_by_name
    for name, value in told.items():
        field = fields[name]
        if field.message_type is None:
            if field.is_repeated:
                getattr(message, name).extend(value)
            else:
                setattr(message, name, value)
        elif field.is_repeated:
            for each in value:
                _filled(getattr(message, name).add(), each)
        elif value is not None:
            getattr(message, name).SetInParent()
            _filled(getattr(message, name), value)
    return message


@pytest.fixture
async def js(server: Server, folder: Path) -> Any:
    async with entered(server) as known:
        found = Js(known.channel, [], json.loads(SHOP.read_text()))
        found.pool = known.pool
        found.where = {"folder": str(folder), "address": address(server)}
        yield found


async def test_every_operation_answers_grpc_js_as_it_answers_rest(server: Server, js: Js) -> None:
    asked: set[str] = set()
    async with enter("rest", server) as rest:

        async def both(op: str, entity: str = "Customer", **members: Json) -> Json:
            """What both are told, which must be the same; of a command the row that it left."""
            asked.add(op)
            request = {"op": op, "entity": entity, **members}
            told = await js.ask(request)
            if op in QUERIES:
                assert await rest(request) == ("ok", told)
                return told["data"]
            assert told["position"]
            if isinstance(told.get("data"), dict):
                same = {"op": "findById", "entity": entity, "id": told["data"]["id"]}
                assert (await rest(same))[1]["data"] == told["data"]
            return told.get("data", told.get("metadata"))

        first = await both(
            "create", data={"email": "js1@x.org", "visits": 3, "profile": {"a": [1, None]}, "hobbies": []}
        )
        tag = (await both("create", "Tag", data={"label": "js"}))["id"]
        second = await both(
            "create",
            data={"email": "js2@x.org", "referrer": first["id"], "tags": [tag], "since": "2024-02-29T12:00:00.5Z"},
        )
        await both("create", "Order", data={"customer": second["id"], "total": 9.5})
        assert (await both("update", id=first["id"], data={"visits": None, "hobbies": ["go"]}))["visits"] is None
        assert (await both("increment", id=first["id"], field="visits", amount=2.5))["visits"] == 2.5
        assert (await both("addToSet", id=first["id"], field="hobbies", value="chess"))["hobbies"] == ["go", "chess"]
        assert (await both("pull", id=first["id"], field="hobbies", value="go"))["hobbies"] == ["chess"]
        await both("upsert", filter={"email": "js3@x.org"}, data={"visits": 7})
        assert await both("updateMany", filter={"visits": 7}, data={"vip": True}) == {"count": 1}
        rows = await both(
            "findAll", options={"sort": {"email": 1}, "limit": 2}, relations=["referrer", "tags", "orders"]
        )
        assert [row["email"] for row in rows] == ["js1@x.org", "js2@x.org"]
        assert rows[1]["orders"][0]["total"] == 9.5
        await both("findAll", options={"select": ["email", "createdAt"], "skip": 1})
        await both("findOne", filter={"visits": {"$gte": 7}})
        await both("findById", id=second["id"], relations=["referrer"])
        assert await both("findById", id="nobody") is None
        assert await both("count", filter={"vip": False}) == 2
        assert len(await both("search", query="JS2")) == 1
        groups = await both(
            "aggregate", stages=[{"$group": {"_by": "vip", "n": {"$count": True}}}, {"$sort": {"n": -1}}]
        )
        assert [group["n"] for group in groups] == [2, 1]
        assert await both("deleteMany", filter={"vip": True}) == 1
        assert await both("delete", id=first["id"]) is True
        assert await both("delete", id=first["id"]) is False
    assert asked == {*QUERIES, *COMMANDS}


async def test_grpc_js_is_told_statuses_details_and_trailers(js: Js) -> None:
    made = await js.call("mostajs.TagService", "Create", js.message("mostajs.TagInput")(data='{"label":"mine"}'))
    assert made.label == "mine"
    assert js.trailers["octonet-position"]
    with pytest.raises(Refused) as refused:
        await js.do("Tag", "Create", data=js.row("Tag", label="mine"))
    assert refused.value.code == 6
    assert b"UNIQUE_VIOLATION" in refused.value.details
