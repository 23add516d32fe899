"""What is no call, or a bad one, is refused in the words of gRPC, and the server serves on."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import COMMANDS
from projections import QUERIES
from tests.acceptance.grpc_site import OPEN, SHOP, Shop, Status, address, entered, error
from tests.running import Server

_OPERATIONS = [op[0].upper() + op[1:] for op in (*QUERIES, *COMMANDS)]
_PATHS = [
    *(f"/octonet.v1.CustomerService/{method}" for method in (*_OPERATIONS, "Batch")),
    *(
        f"/mostajs.CustomerService/{method}"
        for method in ("FindAll", "FindById", "Create", "Update", "Delete", "Count")
    ),
    "/octonet.core.v1.OperationService/Execute",
    "/octonet.core.v1.OperationService/Batch",
    "/grpc.health.v1.Health/Check",
]
_OURS = {Status.INTERNAL, Status.UNKNOWN, Status.UNAVAILABLE}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("bad") / "data", SHOP, **OPEN) as found:
        yield found
        assert found.alive()
        assert "Traceback" not in found.log()


@pytest.fixture
async def shop(server: Server) -> AsyncIterator[Shop]:
    async with entered(server) as found:
        yield found
        assert (await found.do("Tag", "Count")).count == 0


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_answered_and_none_is_our_fault(server: Server, data: st.DataObject) -> None:
    sent = data.draw(st.lists(st.tuples(st.sampled_from(_PATHS), st.binary(max_size=60)), min_size=10, max_size=30))

    async def status(channel: grpc.aio.Channel, path: str, content: bytes) -> Any:
        try:
            await asyncio.wait_for(channel.unary_unary(path)(content), 60)
        except grpc.aio.AioRpcError as problem:
            return problem.code()
        return Status.OK

    async def ask() -> None:
        async with grpc.aio.insecure_channel(address(server)) as channel:
            for path, content in sent:
                assert await status(channel, path, content) not in _OURS, (path, content)

    asyncio.run(ask())


async def test_a_message_of_the_wrong_types_is_an_invalid_argument(shop: Shop) -> None:
    call = shop.channel.unary_unary("/octonet.v1.TagService/FindById")
    for content in (b"\xff", b"\x0a\xff", b"\x0a\x02\xff\xfe", b"\x0a\x80\x80\x80\x80\x80\x80"):
        status, code, told = await error(call(content))
        assert (status, code, told["details"][0]["path"]) == (Status.INVALID_ARGUMENT, "PARSE_ERROR", "$")
    # Another wire type is an unknown field, as protobuf has it: then the id is missing.
    assert (await error(call(b"\x08\x05")))[:2] == (Status.INVALID_ARGUMENT, "MISSING_ID")


@pytest.mark.parametrize(
    "path",
    ["/octonet.v1.TagService/Truncate", "/octonet.v2.TagService/Count", "/mostajs.TagService/Search", "/x", "/x/y/z"],
)
async def test_what_is_no_method_is_unimplemented(shop: Shop, path: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await shop.channel.unary_unary(path)(b"")
    assert refused.value.code() is Status.UNIMPLEMENTED


async def test_text_that_no_database_can_hold_is_refused(shop: Shop) -> None:
    status, code, told = await error(shop.do("Tag", "Create", data=shop.row("Tag", label="a\0b")))
    assert (status, code, told["details"][0]["path"]) == (Status.INVALID_ARGUMENT, "VALIDATION_ERROR", "$.data.label")
    assert (await error(shop.do("Tag", "FindById", id="a\0b")))[:2] == (Status.INVALID_ARGUMENT, "VALIDATION_ERROR")
    late = shop.row("Customer", email="t@x.org", since={"seconds": 2**60})
    assert (await error(shop.do("Customer", "Create", data=late)))[1] == "VALIDATION_ERROR"
    told = shop.row("Tag", label="v", version=3)
    assert (await error(shop.do("Tag", "Create", data=told)))[:2] == (Status.INVALID_ARGUMENT, "UNKNOWN_FIELD")


async def test_an_error_that_says_much_is_told_in_a_few_kilobytes(shop: Shop) -> None:
    many = {"paths": ["x" * 200 + str(number) for number in range(2000)]}
    status, code, _ = await error(shop.do("Tag", "Update", id="t", update_mask=many))
    assert (status, code) == (Status.INVALID_ARGUMENT, "UNKNOWN_FIELD")


async def test_a_call_that_is_given_up_leaves_nothing_behind(server: Server, shop: Shop) -> None:
    for _ in range(50):
        call = shop.begun("Customer", "FindAll", shop.asked("Customer", "FindAll"))
        await asyncio.sleep(random.random() / 500)
        call.cancel()
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await shop.begun("Customer", "FindAll", shop.asked("Customer", "FindAll"), timeout=-1)
    assert late.value.code() is Status.DEADLINE_EXCEEDED


async def test_metadata_beyond_bounds_and_odd_metadata_are_refused(shop: Shop) -> None:
    count = shop.channel.unary_unary("/octonet.v1.TagService/Count")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await count(b"", metadata=[("x-long", "x" * 100_000)])
    assert refused.value.code() is Status.RESOURCE_EXHAUSTED
    for name, value in (("octonet-dry-run", "yes"), ("if-match", "seven"), ("x-project", "\x21" * 300)):
        problem = (await error(count(b"", metadata=[(name, value)])))[0]
        assert problem in (Status.INVALID_ARGUMENT, Status.NOT_FOUND), name


def test_bytes_that_are_no_http2_are_cut_off(server: Server) -> None:
    host, port = address(server).split(":")
    source = random.Random(7)
    for opening in (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
        for _ in range(20):
            with socket.create_connection((host, int(port)), 60) as connection:
                try:
                    connection.sendall(opening + source.randbytes(source.randrange(2000)))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except (ConnectionResetError, BrokenPipeError):
                    continue
    assert server.alive()


async def test_a_message_larger_than_allowed_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("small")
    with Server(folder / "data", SHOP, OCTONET_MAX_BODY="100000", **OPEN) as server:
        async with entered(server) as shop:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await shop.do("Tag", "Create", data=shop.row("Tag", label="x" * 200_000))
            assert refused.value.code() is Status.RESOURCE_EXHAUSTED
            packed = shop.channel.unary_unary("/octonet.v1.TagService/Count")
            assert await packed(b"", compression=grpc.Compression.Gzip) is not None
