"""The numbers of fields survive whatever becomes of a schema, and restarts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.grpc_site import OPEN, Shop, entered
from tests.acceptance.test_grpc_tools import LINT, buf, printed
from tests.running import Server

Fields = dict[str, str]
_STEPS: list[tuple[str, Fields]] = [
    ("Cat", {"name": "string", "age": "number", "born": "date"}),
    ("Cat", {"name": "string", "age": "number", "born": "date", "tail": "boolean"}),
    ("Cat", {"name": "string", "born": "date", "tail": "boolean"}),
    ("Cat", {"tail": "boolean", "fur": "text", "born": "date", "name": "string"}),
    ("Cat", {"tail": "boolean", "fur": "text", "born": "date", "name": "string", "age": "number"}),
    ("Tiger", {"name": "string", "tail": "boolean", "age": "number"}),
]
_NUMBERS = [
    {"name": 2, "age": 3, "born": 4},
    {"name": 2, "age": 3, "born": 4, "tail": 5},
    {"name": 2, "born": 4, "tail": 5},
    {"tail": 5, "fur": 6, "born": 4, "name": 2},
    {"tail": 5, "fur": 6, "born": 4, "name": 2, "age": 3},
    {"name": 2, "tail": 5, "age": 3},
]


def _numbers(shop: Shop, message: str) -> dict[str, int]:
    fields = shop.pool.FindMessageTypeByName(message).fields
    return {field.name: field.number for field in fields if field.name not in ("id", "version", "related")}


def _entity(name: str, fields: Fields) -> Any:
    return {"name": name, "collection": "cats", "fields": {field: {"type": type_} for field, type_ in fields.items()}}


def _write(path: Path, name: str, fields: Fields) -> None:
    path.write_text(json.dumps([_entity(name, fields)]))


async def test_numbers_survive_every_change_of_the_schema_and_restarts(tmp_path: Path) -> None:
    schemas = tmp_path / "schemas.json"
    old = tmp_path / "old"
    for at, ((name, fields), numbers) in enumerate(zip(_STEPS, _NUMBERS, strict=True)):
        _write(schemas, name, fields)
        with Server(tmp_path / "data", schemas, DB_SCHEMA_STRATEGY="update", **OPEN) as server:
            async with entered(server) as shop:
                assert _numbers(shop, f"mostajs.{name}") == numbers, at
                typed = _numbers(shop, f"octonet.v1.{name}")
                assert typed == {field: number + 9 for field, number in numbers.items()}
                row = shop.row(name, name=f"n{at}", tail=True) if "tail" in fields else shop.row(name, name=f"n{at}")
                assert (await shop.do(name, "Create", data=row)).row.name == f"n{at}"
            new = tmp_path / f"new{at}"
            printed(server, "--to", str(new))
            (new / "buf.yaml").write_text(LINT)
            if at and name == _STEPS[at - 1][0]:
                assert buf("breaking", "--against", str(old), folder=new) == ""
            old = new
    # At rest, too: the command reads the log by itself.
    text = printed(server, "--package", "mostajs")
    assert "reserved 4, 6;" in text
    assert "double age = 3;" in text
    assert "double age = 4;" in printed(server, "--package", "mostajs", "--no-log")


async def test_a_schema_that_changes_while_the_server_runs_changes_the_messages(tmp_path: Path) -> None:
    schemas = tmp_path / "schemas.json"
    _write(schemas, "Cat", {"name": "string", "age": "number"})
    with Server(tmp_path / "data", schemas, **OPEN) as server:
        async with aiohttp.ClientSession(server.url) as session:

            async def change(fields: Fields) -> None:
                body = {"schemas": [_entity("Cat", fields)], "confirm": True}
                async with session.post("/api/upload-schemas-json", json=body) as reply:
                    assert reply.status == 200, await reply.text()

            async with entered(server) as shop:
                assert _numbers(shop, "mostajs.Cat") == {"name": 2, "age": 3}
            await change({"tail": "boolean", "name": "string", "age": "number"})
            async with entered(server) as shop:
                assert _numbers(shop, "mostajs.Cat") == {"tail": 4, "name": 2, "age": 3}
                made = await shop.do("Cat", "Create", data=shop.row("Cat", name="Tom", tail=True))
                assert made.row.tail is True
    assert "Traceback" not in server.log()
