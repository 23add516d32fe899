"""A server with a gRPC door, and grpcio on the other side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from tests.conformance.clients.grpc import Client, refused
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
OPEN: dict[str, Any] = {"MOSTA_NET_GRPC_ENABLED": "true"}
Status = grpc.StatusCode


def address(server: Server) -> str:
    """Where its gRPC door is."""
    return server.listens["grpc"].removeprefix("grpc://")


class Shop(Client):
    """Calls by short names."""

    def row(self, entity: str, **fields: Any) -> Any:
        """A row as a message."""
        return self.message(f"octonet.v1.{entity}")(**fields)

    def asked(self, entity: str, method: str, **fields: Any) -> Any:
        """A request."""
        return self.message(f"octonet.v1.{entity}Service{method}Request")(**fields)

    async def do(self, entity: str, method: str, **fields: Any) -> Any:
        """One unary call."""
        return await self.call(f"octonet.v1.{entity}Service", method, self.asked(entity, method, **fields))

    def begun(self, entity: str, method: str, message: Any, metadata: Any = (), **more: Any) -> Any:
        """One unary call, of which the metadata is wanted too."""
        gives = self.message(f"octonet.v1.{entity}Service{method}Response")
        unary = self.channel.unary_unary(
            f"/octonet.v1.{entity}Service/{method}",
            request_serializer=lambda each: each.SerializeToString(),
            response_deserializer=gives.FromString,
        )
        return unary(message, metadata=[*self.metadata, *metadata], **more)

    def watch(self, entity: str, **fields: Any) -> Any:
        """The facts about an entity."""
        gives = self.message(f"octonet.v1.{entity}ServiceWatchResponse")
        stream = self.channel.unary_stream(
            f"/octonet.v1.{entity}Service/Watch",
            request_serializer=lambda each: each.SerializeToString(),
            response_deserializer=gives.FromString,
        )
        return stream(self.asked(entity, "Watch", **fields), metadata=self.metadata)

    async def plain(self, entity: str, method: str, **fields: Any) -> Any:
        """One call of the package `mostajs`."""
        found = self.pool.FindServiceByName(f"mostajs.{entity}Service").FindMethodByName(method)
        message = GetMessageClass(found.input_type)(**fields)
        return await self.call(f"mostajs.{entity}Service", method, message)


@asynccontextmanager
async def entered(
    server: Server, key: str = "", project: str = "", credentials: Any = None, options: Any = None
) -> AsyncIterator[Shop]:
    """A connection."""
    metadata = ([("x-api-key", key)] if key else []) + ([("x-project", project)] if project else [])
    where = address(server)
    channel = (
        grpc.aio.insecure_channel(where, options=options)
        if credentials is None
        else grpc.aio.secure_channel(where, credentials, options=options)
    )
    async with channel:
        shop = Shop(channel, metadata, json.loads(server.schemas.read_text()))
        shop.pool = await shop.describe()
        yield shop


async def error(call: Any) -> tuple[Any, str, Any]:
    """Status, code and error of a call that must fail."""
    try:
        await call
    except grpc.aio.AioRpcError as problem:
        code, told = refused(problem)
        return problem.code(), code, told["error"]
    raise AssertionError("it did not fail")


async def read(stream: Any, count: int) -> list[Any]:
    """The next messages of a stream."""
    return [await asyncio.wait_for(stream.read(), 60) for _ in range(count)]
