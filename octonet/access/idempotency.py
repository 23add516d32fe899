"""Idempotency keys: one key is one command, whichever process or door it comes through.

The command's id is a keyed hash of who asked and the key they gave, so every copy of a request is the same command;
the inbox knows it, and the log holds its outcome. A keyed hash of the request's content stands beside the decision, so
that another request under the same key is found out without its content being kept.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from octonet.kernel.envelope import Actor
from octonet.kernel.errors import invalid
from octonet.kernel.ids import CommandId
from octonet.kernel.operation import Raw, Request

_LONGEST: Final = 255
_CODE: Final = "INVALID_IDEMPOTENCY_KEY"
_PATH: Final = "$.idempotencyKey"
_encode = msgspec.json.Encoder(order="sorted").encode


class Once(msgspec.Struct, frozen=True):
    """What stands for one request that is to be carried out once."""

    command: CommandId
    fingerprint: bytes


class Idempotency:
    """The idempotency keys of one project. `key` (up to 64 bytes) is secret: a hash of little content could be guessed
    otherwise."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def once(self, actor: Actor, request: Request, entity: str) -> Once | None:
        """The command that this request is, None when it has no key; `entity` is the name of what the request may name
        by its collection, too. Raises `Invalid` for a key that is not text of 1 to 255 printable characters."""
        if request.idempotency_key is msgspec.UNSET:
            return None
        given = _checked(request.idempotency_key)
        absent = msgspec.UNSET
        content = msgspec.structs.replace(
            request, entity=entity, idempotency_key=absent, min_position=absent, dry_run=absent
        )
        owner = actor.account or actor.key
        command = self._hash(f"{owner}\0{given}".encode(), 16).hex()
        return Once(CommandId(f"key-{command}"), self._hash(_encode(content), 16))

    def _hash(self, content: bytes, size: int) -> bytes:
        return blake2b(content, key=self._key, digest_size=size).digest()


def _checked(given: Raw) -> str:
    if not isinstance(given, str):
        raise invalid(_PATH, "must be text", code=_CODE)
    if not 1 <= len(given) <= _LONGEST:
        raise invalid(_PATH, f"must have 1 to {_LONGEST} characters", code=_CODE)
    if not given.isprintable():
        raise invalid(_PATH, "must be printable", code=_CODE)
    return given
