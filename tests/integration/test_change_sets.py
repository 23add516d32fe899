"""A change set has its whole effect or none, whatever is decided beside it and whatever comes twice."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from jetstream.api import publish
from jetstream.connection import connect
from jetstream.server import EmbeddedServer
from octonet.access.gate import insider
from octonet.app import Node
from octonet.change_set import Refusal
from octonet.config import Settings
from octonet.gateway import Written
from octonet.kernel.errors import CHANGE_SET_REFUSED, Invalid, OctonetError
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.operation import Request
from octonet.reader import Read
from tests.acceptance.checker import violations
from tests.integration.conftest import SHOP, running

ME = insider("test")


def create(entity: str, **data: object) -> Request:
    return Request("create", entity, data=data)


async def together(node: Node, *requests: Request) -> list[Written] | Refusal:
    return await node.gateway.execute_together(DEFAULT_PROJECT, requests, ME)


async def rows(node: Node, entity: str, **where: object) -> list[dict[str, object]]:
    found = await node.gateway.execute(
        DEFAULT_PROJECT, Request("findAll", entity, filter=where, options={"limit": 1000}), ME
    )
    assert isinstance(found, Read)
    return [dict(row) for row in found.answer.rows or []]


async def check(nats: EmbeddedServer, settings: Settings) -> list[str]:
    return await violations(nats.endpoint, Path(settings.data_dir) / "octonet.db", SHOP, [])


async def test_later_requests_see_what_earlier_ones_did(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        told = await together(
            node,
            create("Customer", id="c", email="c@x.org"),
            create("Order", id="o", total=1, customer="c"),
            Request("increment", "Customer", id="c", field="visits", amount=2, expected_version=1),
            Request("update", "Order", id="o", data={"total": 7}),
        )
        assert isinstance(told, list)
        assert [one.version for one in told] == [1, 1, 2, 2]
        assert len({one.outcome.position.entry for one in told}) == 1
        assert (await rows(node, "Order", id="o"))[0]["total"] == 7
    assert await check(nats, settings) == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (create("Tag", id="t1", label="again"), "DUPLICATE_ID"),
        (create("Tag", label="taken"), "UNIQUE_VIOLATION"),
        (create("Order", total=1, customer="nobody"), "REFERENCE_NOT_FOUND"),
        (Request("update", "Tag", id="taken", data={"label": "y"}, expected_version=9), "VERSION_MISMATCH"),
        (Request("increment", "Customer", id="nobody", field="visits", amount=1), "NOT_FOUND"),
        (create("Tag", label=7), "VALIDATION_ERROR"),
        (create("Tag", nonsense=7), "VALIDATION_ERROR"),
        (Request("findAll", "Tag"), "UNKNOWN_OP"),
        (create("Ghost"), "ENTITY_NOT_FOUND"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_request_that_is_refused_refuses_them_all(
    settings: Settings, nats: EmbeddedServer, wrong: Request, code: str, place: int
) -> None:
    async with running(settings, nats) as node:
        await node.gateway.execute(DEFAULT_PROJECT, create("Tag", id="taken", label="taken"), ME)
        requests = [create("Tag", id="t1", label="one"), Request("delete", "Tag", id="taken")]
        if code in ("UNIQUE_VIOLATION", "VERSION_MISMATCH"):
            requests[1] = create("Tag", id="t2", label="two")
        if code == "DUPLICATE_ID":
            requests[1] = create("Tag", id="t1", label="two")
            wrong = create("Tag", id="t3", label="three")
        requests.insert(place, wrong)
        told = await together(node, *requests)
        assert isinstance(told, Refusal)
        guilty = place if code != "DUPLICATE_ID" else 2 if place < 2 else 1
        assert (told.index, told.problem.code) == (guilty, code)
        assert [row["id"] for row in await rows(node, "Tag")] == ["taken"]
        # And what was refused stands in nobody's way.
        assert isinstance(await together(node, create("Tag", id="t1", label="one")), list)
    assert await check(nats, settings) == []


async def test_sets_and_single_commands_in_one_batch_do_not_disturb_each_other(
    settings: Settings, nats: EmbeddedServer
) -> None:
    async with running(settings, nats) as node:
        chance = random.Random(7)

        async def one(number: int) -> tuple[int, bool]:
            if number % 3 == 0:
                wish = create("Tag", id=f"s{number}", label=f"label {number % 20}")
                try:
                    await node.gateway.execute(DEFAULT_PROJECT, wish, ME)
                except OctonetError:
                    return number, False
                return number, True
            size = chance.randint(2, 5)
            parts = [create("Tag", id=f"m{number}-{at}", label=f"set {number} {at}") for at in range(size)]
            if number % 3 == 1:
                parts[chance.randrange(size)] = create("Tag", id=f"m{number}-x", label=f"label {number % 20}")
            return number, isinstance(await together(node, *parts), list)

        done = dict(await asyncio.gather(*(one(number) for number in range(120))))
        ids = {str(row["id"]) for row in await rows(node, "Tag")}
        for number, applied in done.items():
            mine = [id for id in ids if id == f"s{number}" or id.startswith(f"m{number}-")]
            assert bool(mine) == applied, number
        assert all(done[number] for number in done if number % 3 == 2)
        taken = [number for number in done if number % 3 != 2 and done[number]]
        # Each label is given once, to a single command or to a set.
        assert len({number % 20 for number in taken}) == len(taken) == 20
    assert await check(nats, settings) == []


async def test_a_set_with_keys_that_comes_again_has_one_effect_and_one_outcome(
    settings: Settings, nats: EmbeddedServer
) -> None:
    wishes = [
        Request("create", "Customer", data={"id": "c", "email": "c@x.org"}, idempotency_key="k#0"),
        Request("increment", "Customer", id="c", field="visits", amount=1, idempotency_key="k#1"),
    ]
    async with running(settings, nats) as node:
        first = await together(node, *wishes)
        assert isinstance(first, list)
    async with running(settings, nats) as node:
        assert await together(node, *wishes) == first
        other = msgspec.structs.replace(wishes[1], amount=2)
        told = await together(node, wishes[0], other)
        assert isinstance(told, Refusal)
        assert told.problem.code == "IDEMPOTENCY_KEY_REUSED"
        assert (await rows(node, "Customer"))[0]["visits"] == 1
        for wrong in ((wishes[0], wishes[0]), (wishes[0], create("Tag", label="without"))):
            with pytest.raises(Invalid, match="idempotency key of its own"):
                await together(node, *wrong)
    assert await check(nats, settings) == []


async def test_a_set_of_which_a_part_cannot_be_read_is_refused_whole(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        assert isinstance(await together(node, *(create("Tag", id=f"t{n}", label=f"l{n}") for n in range(3))), list)
        client = await connect(nats.endpoint)
        stored = (await client.jetstream().get_last_msg("OCTO_CMD_default", "octo.cmd.default")).data
        assert stored is not None
        _, envelopes = msgspec.msgpack.decode(stored)
        for number, envelope in enumerate(envelopes):
            envelope[0] = f"018f0000-0000-7000-8000-00000000000{number}"
            envelope[3]["id"], envelope[3]["data"]["label"] = f"n{number}", f"new {number}"
        envelopes[1][3]["op"] = "explode"
        await publish(client, "octo.cmd.default", msgspec.msgpack.encode(["", envelopes]), {})
        await client.close()
        await node.gateway.execute(DEFAULT_PROJECT, create("Tag", id="after", label="after"), ME)
        assert sorted(str(row["id"]) for row in await rows(node, "Tag")) == ["after", "t0", "t1", "t2"]
    assert await check(nats, settings) == []


async def test_the_log_says_of_each_refused_request_why(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        wishes = [Request("create", "Tag", data={"label": f"{at}"}, idempotency_key=f"why{at}") for at in range(2)]
        wishes.append(Request("increment", "Customer", id="nobody", field="visits", amount=1, idempotency_key="why2"))
        assert isinstance(await together(node, *wishes), Refusal)
        codes = []
        for wish in wishes:
            with pytest.raises(OctonetError) as refused:
                await node.gateway.execute(DEFAULT_PROJECT, wish, ME)
            codes.append(refused.value.code)
        assert codes == [CHANGE_SET_REFUSED, CHANGE_SET_REFUSED, "NOT_FOUND"]


@pytest.mark.parametrize("size", [0, 101])
async def test_a_set_has_a_bounded_size(settings: Settings, nats: EmbeddedServer, size: int) -> None:
    async with running(settings, nats) as node:
        with pytest.raises(Invalid, match="1 to 100"):
            await together(node, *(create("Tag", label=f"{number}") for number in range(size)))
