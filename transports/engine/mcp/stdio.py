"""The protocol over standard input and output, a message a line. Nothing else is written there: what prints by itself
goes to standard error from here on."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from typing import BinaryIO, Final

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from octonet.kernel.errors import Invalid
from transports.engine import coerce
from transports.engine.mcp import rpc, sdk
from transports.engine.mcp.listening import Listening
from transports.engine.mcp.toolbox import Toolbox
from transports.engine.mcp.view import View
from transports.engine.mcp.visit import Visit

_OUT: Final = 1
_ERR: Final = 2


async def serve(view: View, longest: int) -> None:
    """Serve one client until it closes its end. A line may have `longest` bytes."""
    toolbox, visit = Toolbox(view.gateway.operations), Visit(view)
    listening = Listening(toolbox)
    server = sdk.make(toolbox, listening, lambda _: visit)
    with os.fdopen(os.dup(_OUT), "wb") as out:
        os.dup2(_ERR, _OUT)
        to_server, inbox = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outbox, from_server = anyio.create_memory_object_stream[SessionMessage](0)
        reading = asyncio.create_task(_read(to_server, outbox.clone(), longest))
        writing = asyncio.create_task(_write(from_server, out))
        try:
            await server.run(inbox, outbox, server.create_initialization_options())
        finally:
            listening.close()
            reading.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)


async def _read(
    to_server: MemoryObjectSendStream[SessionMessage | Exception],
    outbox: MemoryObjectSendStream[SessionMessage],
    longest: int,
) -> None:
    async with to_server, outbox:
        async for line in _lines(longest):
            message = _message(line)
            if isinstance(message, types.JSONRPCError):
                await outbox.send(SessionMessage(message))
            elif message is not None:
                await to_server.send(SessionMessage(message))


def _message(line: bytes) -> types.JSONRPCMessage | None:
    """The message in a line, None in an empty one; what cannot be read gives the error that it is answered with."""
    if not line.strip():
        return None
    try:
        return types.jsonrpc_message_adapter.validate_python(coerce.json_text(line), by_name=False)
    except Invalid as problem:
        error = types.ErrorData(code=rpc.code_of(problem), message=problem.message, data=dict(rpc.data_of(problem)))
    except ValidationError:
        error = types.ErrorData(code=rpc.INVALID_REQUEST, message="a line must hold one JSON-RPC message")
    return types.JSONRPCError(jsonrpc="2.0", id=None, error=error)


async def _write(from_server: MemoryObjectReceiveStream[SessionMessage], out: BinaryIO) -> None:
    async with from_server:
        async for message in from_server:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            await asyncio.to_thread(_put, out, text.encode() + b"\n")


def _put(out: BinaryIO, line: bytes) -> None:
    out.write(line)
    out.flush()


async def _lines(longest: int) -> AsyncIterator[bytes]:
    """The lines of standard input. Not by a thread: one that waits for a line could not be told to stop."""
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    mode = os.fstat(source.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or source.isatty()):
        # A file, or nothing at all: it never keeps anybody waiting.
        for line in source:
            yield line
        return
    reader = asyncio.StreamReader(longest)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source
    )
    try:
        async for line in reader:
            yield line
    finally:
        transport.close()
