"""Dead letters as an operator sees and treats them."""

from __future__ import annotations

import base64
import sys

import msgspec
from tqdm import tqdm

from jetstream.command_stream import JetStreamCommands
from jetstream.connection import Connection
from jetstream.dead_letters import JetStreamDeadLetters
from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.instant import iso
from octonet.kernel.log import DeadLetter

_FAILED, _PARTLY = 1, 3
_SHOWN = 4096
_WIDTH = 16


class Letters:
    """The dead letters of one project."""

    def __init__(self, client: Connection, project: str, json: bool) -> None:
        self._name = ProjectName(project)
        self._letters = JetStreamDeadLetters(client, self._name)
        self._commands = JetStreamCommands(client, self._name)
        self._json = json

    async def list(self) -> int:
        """A table, or an array of objects; exit code 0 also when there are none."""
        found = [self._told(letter) async for letter in self._letters.all()]
        if self._json:
            _print(found)
            return 0
        if not found:
            print(f"project {self._name} has no dead letters")
            return 0
        print(f"{'SEQ':>6}  {'FRAME':>8}  {'FOUND':24}  {'BYTES':>8}  REASON")
        for one in found:
            print(f"{one['sequence']:>6}  {one['frame']:>8}  {one['time']:24}  {one['bytes']:>8}  {one['reason']}")
        return 0

    async def show(self, sequence: int) -> int:
        """One letter, its bytes in base64 or as a dump."""
        letter = await self._letters.get(sequence)
        told = self._told(letter)
        if self._json:
            _print(told | {"body": base64.b64encode(letter.body).decode()})
            return 0
        for name, value in told.items():
            print(f"{name + ':':10} {value}")
        for start in range(0, min(len(letter.body), _SHOWN), _WIDTH):
            print(_dump(start, letter.body[start : start + _WIDTH]))
        if len(letter.body) > _SHOWN:
            print(f"… {len(letter.body) - _SHOWN} bytes more; --json has them all")
        return 0

    async def clear(self, sequence: int | None, *, again: bool, quiet: bool) -> int:
        """Remove one letter, or with None all that are there now; `again`: once its frame is stored anew."""
        if sequence is not None:
            letters = [(await self._letters.get(sequence)).sequence]
        else:
            letters = [letter.sequence async for letter in self._letters.all()]
        done: list[int] = []
        bar = tqdm(letters, unit="letter", desc="retry" if again else "drop", disable=quiet or sequence is not None)
        for one in bar:
            try:
                if again:
                    await self._commands.publish((await self._letters.get(one)).body)
                await self._letters.remove(one)
            except OctonetError as problem:
                tqdm.write(f"  letter {one}: {problem.message}", file=sys.stderr)
            else:
                done.append(one)
        word = "retried" if again else "dropped"
        if self._json:
            _print({word: done, "failed": [one for one in letters if one not in done]})
        else:
            print(f"{len(done)} of {len(letters)} {word}")
        if len(done) == len(letters):
            return 0
        return _PARTLY if done else _FAILED

    def _told(self, letter: DeadLetter) -> dict[str, int | str]:
        return {
            "sequence": letter.sequence,
            "project": self._name,
            "frame": letter.frame,
            "time": iso(letter.at),
            "bytes": len(letter.body),
            "reason": letter.reason,
        }


def _print(document: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(document)).decode())


def _dump(start: int, piece: bytes) -> str:
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
    return f"{start:08x}  {piece.hex(' '):<{_WIDTH * 3}} {text}"
