"""Signed checkpoints: what a log had come to, vouched for outside of it, so that a log whose end was cut off, or that
was made anew, is found out. Ed25519: whoever has the public key can check them, and only who has the private one can
make them."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from octonet.kernel.errors import Invalid
from octonet.kernel.ids import ProjectName
from octonet.kernel.integrity import Vouched

_BY: Final = "a signed checkpoint"


class _Said(msgspec.Struct, frozen=True):
    """What is signed."""

    project: str
    entry: int
    digest: str
    at: str


class Checkpoint(msgspec.Struct, frozen=True):
    """A line of JSON: what was said, and the signature of its text under the public key beside it."""

    said: _Said
    key: str
    signature: str


_encode = msgspec.json.Encoder().encode


class Notary:
    """Signs for one project. `seed` are 32 secret bytes."""

    def __init__(self, project: ProjectName, seed: bytes) -> None:
        self._project = project
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = base64.b64encode(self._private.public_key().public_bytes_raw()).decode()
        """The public key, in base64."""

    def sign(self, entry: int, digest: bytes, at: str) -> bytes:
        """A signed checkpoint, as a line of JSON."""
        said = _Said(self._project, entry, digest.hex(), at)
        signature = base64.b64encode(self._private.sign(_encode(said))).decode()
        return _encode(Checkpoint(said, self.key, signature)) + b"\n"

    def read(self, line: bytes) -> Vouched:
        """What a line vouches for. Raises `Invalid` when it is no checkpoint of this project under its key."""
        try:
            found = msgspec.json.decode(line, type=Checkpoint)
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.key))
            public.verify(base64.b64decode(found.signature), _encode(found.said))
            digest = bytes.fromhex(found.said.digest)
        except (ValueError, InvalidSignature) as problem:
            reason = str(problem) or "the signature is wrong"
            raise Invalid(f"a checkpoint was not signed for project {self._project!r} here: {reason}") from None
        return Vouched(found.said.entry, digest, f"{_BY} of {found.said.at}")


class CheckpointFile:
    """The newest checkpoint of a project."""

    def __init__(self, path: Path, notary: Notary) -> None:
        self._path = path
        self._notary = notary

    def note(self, entry: int, digest: bytes, at: str) -> None:
        """Put a newer one in place of the one that is there, whole or not at all."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        fresh.write_bytes(self._notary.sign(entry, digest, at))
        fresh.replace(self._path)

    def newest(self) -> Vouched | None:
        """What the file vouches for, None without one. Raises `Invalid` when somebody else wrote it."""
        try:
            line = self._path.read_bytes()
        except FileNotFoundError:
            return None
        return self._notary.read(line)
