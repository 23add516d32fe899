"""What a backup holds, in one file that is written last: a directory without it is no backup.

The file is a line of JSON below a line with its SHA-256. It is signed with the key of the installation, so that an
installation that still has its key takes nothing for its own that somebody else has made.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from octonet.access.sealing import derived
from octonet.kernel.errors import Invalid, NotFound
from octonet.kernel.row_hash import EntityHash
from octonet.segments import Segment

FORMAT: Final = 1
NAME: Final = "manifest"
_NAME: Final = re.compile(r"_?[a-z0-9][a-z0-9-]*")
"""Names become those of files: no other ones are taken from a manifest that somebody else may have written."""


class Proof(msgspec.Struct, frozen=True):
    """The hashes of all rows of a project's database when it had folded this entry."""

    entry: int
    entities: Mapping[str, EntityHash]


class Backed(msgspec.Struct, frozen=True):
    """One project's log: its last message and that one's digest (hexadecimal), the last frame of the command stream
    that it has decided, the digest of its schema, the bytes of its largest message."""

    project: str
    last: int
    digest: str
    frame: int
    schema: str
    largest: int
    segments: tuple[Segment, ...]
    proof: Proof | None = None


class KeyFile(msgspec.Struct, frozen=True):
    """A project's sealing key, and the SHA-256 of its file."""

    project: str
    file: str
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """A whole backup. `by` is the version of Octonet that made it, `key` the installation's public key, in base64."""

    format: int
    at: str
    by: str
    key: str
    projects: tuple[Backed, ...]
    keys: tuple[KeyFile, ...] = ()


class _Signed(msgspec.Struct, frozen=True):
    manifest: msgspec.Raw
    signature: str


class _Version(msgspec.Struct, frozen=True):
    format: int


_encode = msgspec.json.Encoder().encode


class Signer:
    """Signs for an installation, whose system project has this key."""

    def __init__(self, system_key: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(derived(system_key, "backup"))
        self.key = base64.b64encode(self._private.public_key().public_bytes_raw()).decode()
        """The public key, in base64."""

    def sign(self, text: bytes) -> str:
        """The signature, in base64."""
        return base64.b64encode(self._private.sign(text)).decode()


def write(folder: Path, manifest: Manifest, signer: Signer) -> None:
    """Complete the backup, in place of the one that was there."""
    said = _encode(manifest)
    body = _encode(_Signed(msgspec.Raw(said), signer.sign(said))) + b"\n"
    fresh = folder / f"{NAME}.new"
    with fresh.open("wb") as file:
        file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / NAME)
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)


def read(folder: Path) -> Manifest:
    """What the backup in this directory holds. Raises `NotFound`, code NO_BACKUP; `Invalid`, code BACKUP_DAMAGED, or
    BACKUP_TOO_NEW when a later version of Octonet made it."""
    path = folder / NAME
    try:
        text = path.read_bytes()
    except OSError:
        raise NotFound(
            f"{folder} holds no backup: there is no {NAME} in it. Name the directory that `octonet backup --to` "
            "wrote; one that was broken off is completed by running it again",
            code="NO_BACKUP",
        ) from None
    said, _, body = text.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != said:
        raise damaged(path, "has other bytes than were written")
    try:
        signed = msgspec.json.decode(body, type=_Signed)
        found = msgspec.json.decode(signed.manifest, type=_Version)
        if found.format != FORMAT:
            raise Invalid(
                f"the backup in {folder} has format {found.format}, this Octonet reads format {FORMAT}: restore it "
                "with the version that made it, or a later one",
                code="BACKUP_TOO_NEW",
            )
        manifest = msgspec.json.decode(signed.manifest, type=Manifest)
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(manifest.key))
        public.verify(base64.b64decode(signed.signature), bytes(signed.manifest))
    except (ValueError, InvalidSignature) as problem:
        raise damaged(path, str(problem) or "its signature is wrong") from None
    names = [*(one.project for one in manifest.projects), *(one.project for one in manifest.keys)]
    if not all(map(_NAME.fullmatch, names)):
        raise damaged(path, "names a project as none is called")
    return manifest


def damaged(path: Path, how: str) -> Invalid:
    """The refusal of a backup of which this file is not as it was written."""
    return Invalid(
        f"the backup is damaged: {path} {how}. Nothing of it was restored; use another copy of the backup",
        code="BACKUP_DAMAGED",
    )
