"""Between a client that speaks MySQL 8.0 and a MariaDB that answers it: turns words, and refuses those that MySQL does
not know. `python -m tests.mysql_words PORT PORT_OF_MARIADB`."""

from __future__ import annotations

import asyncio
import re
import struct
import sys
from typing import Final

_HOST: Final = "127.0.0.1"
_QUERY, _PREPARE, _BULK = 0x03, 0x16, 0xFA
_LARGEST: Final = 0xFFFFFF

_TURNED: Final[tuple[tuple[str, str], ...]] = (
    (r"utf8mb4_0900_bin", "utf8mb4_nopad_bin"),
    (r"transaction_isolation(?= =)", "tx_isolation"),
    (r"@@transaction_isolation", "@@tx_isolation"),
    (r"@@server_uuid", "CONCAT_WS('-', @@hostname, @@port, @@datadir)"),
    (r"REGEXP_LIKE\(((?:`(?:[^`]|``)+`|[\w.])+), \?, 'c'\)", r"(\1 REGEXP ?)"),
)
_DEADLINE: Final = re.compile(r"max_execution_time = (\d+)")
_UNKNOWN: Final = re.compile(
    r"\bRETURNING\b|\b(COLUMN|INDEX|KEY) IF (NOT )?EXISTS\b|\bSEQUENCE\b|\bOR REPLACE TABLE\b"
    r"|\bmax_statement_time\b|\bidle_transaction_timeout\b|\btx_isolation\b|nopad_bin|\bEXECUTE IMMEDIATE\b|\bVALUE\("
)
_QUOTED: Final = re.compile(r"`(?:[^`]|``)*`|'(?:[^']|'')*'")


def turned(text: str) -> str:
    """A statement of MySQL as MariaDB says it. Raises `ValueError` with the word that MySQL does not know."""
    if unknown := _UNKNOWN.search(_QUOTED.sub("", text)):
        raise ValueError(unknown[0])
    for word, other in _TURNED:
        text = re.sub(word, other, text)
    return _DEADLINE.sub(lambda found: f"max_statement_time = {int(found[1]) / 1000}", text)


def _refusal(word: str) -> bytes:
    told = b"\xff" + struct.pack("<H", 1064) + b"#42000" + f"MySQL does not know {word!r}".encode()
    return _packet(1, told)


def _packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


async def _ask(client: asyncio.StreamReader, back: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
    """From the client to the server, by packets: a command is the first of its exchange."""
    whole = True
    while True:
        head = await client.readexactly(4)
        size, number = int.from_bytes(head[:3], "little"), head[3]
        payload = await client.readexactly(size)
        told = head + payload
        if whole and number == 0 and size and payload[0] in (_QUERY, _PREPARE, _BULK) and size < _LARGEST:
            try:
                if payload[0] == _BULK:
                    raise ValueError("a statement run over many rows")
                told = _packet(0, payload[:1] + turned(payload[1:].decode()).encode())
            except ValueError as unknown:
                back.write(_refusal(str(unknown)))
                continue
        whole = size < _LARGEST
        server.write(told)
        await server.drain()


async def _answer(server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    while data := await server.read(65536):
        client.write(data)
        await client.drain()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    try:
        server, out = await asyncio.open_connection(_HOST, port)
    except OSError:
        writer.close()
        return
    ways = {asyncio.ensure_future(_ask(reader, writer, out)), asyncio.ensure_future(_answer(server, writer))}
    _, open_ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in open_:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    out.close()
    writer.close()


async def _main(front: int, port: int) -> None:
    listener = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, port), _HOST, front)
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
