"""Load on a gRPC server: one unary method over plain HTTP/2 connections, one call at a time on each.

The frames are written by hand, so that the loader costs less than what it loads: grpcio's own client needs as much as a
server does.
"""

from __future__ import annotations

import asyncio
import statistics
import struct
import time
from collections.abc import Callable

from benchmarks.load import Figures

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _WINDOW = 0, 1, 4, 6, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_LARGE = 2**30


def run_grpc(
    host: str, port: int, method: str, request: Callable[[], bytes], connections: int, seconds: int
) -> Figures:
    """Call ``/package.Service/Method`` with what `request` makes, a message each time."""
    return asyncio.run(_load(host, port, method, request, connections, seconds))


async def _load(
    host: str, port: int, method: str, request: Callable[[], bytes], connections: int, seconds: int
) -> Figures:
    headers = _headers(f"{host}:{port}", method)
    latencies: list[float] = []
    bad = 0
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal bad
        reader, writer = await asyncio.open_connection(host, port)
        settings = struct.pack(">HI", 4, _LARGE)
        window = _frame(_WINDOW, 0, 0, struct.pack(">I", _LARGE))
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + window)
        stream = 1
        while (began := time.perf_counter()) < end:
            message = request()
            body = b"\0" + len(message).to_bytes(4, "big") + message
            writer.write(_frame(_HEADERS, _END_HEADERS, stream, headers) + _frame(_DATA, _END_STREAM, stream, body))
            bad += not await _answered(reader, writer, stream)
            latencies.append((time.perf_counter() - began) * 1000)
            stream += 2
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    quantiles = statistics.quantiles(latencies, n=100)
    return Figures(len(latencies) / seconds, quantiles[49], quantiles[98], bad)


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: int) -> bool:
    """Wait for the end of a stream. Whether a message came on it: an error has none."""
    came = False
    while True:
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        content = await reader.readexactly(length) if length else b""
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            writer.write(_frame(_PING, _ACK, 0, content))
        elif int.from_bytes(head[5:], "big") == stream:
            came = came or kind == _DATA
            if flags & _END_STREAM:
                return came


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + content


def _headers(authority: str, method: str) -> bytes:
    """A call's headers, each as a literal that no table holds (RFC 7541, 6.2.2)."""
    found = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in found)


def _text(text: str) -> bytes:
    assert len(text) < 127
    return bytes((len(text),)) + text.encode()
