"""Sealing secrets with AES-GCM, one key per project.

The nonce is the keyed hash of place and value: the same value at the same place seals to the same bytes, so that a
decision made again after a crash is the same decision. Nothing is learned from that but that a value did not change.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from octonet.kernel.errors import Internal
from octonet.kernel.ids import JsonValue, ProjectName
from octonet.kernel.sealing import SEALED, is_sealed

_KEY_BYTES = 32
_NONCE_BYTES = 12


class AesSealer:
    """Implements `kernel.sealing.Sealer` with a 32-byte key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(key, b"octonet seal", sha256))
        self._nonce_key = hmac.digest(key, b"octonet nonce", sha256)

    def seal(self, value: JsonValue, place: str) -> JsonValue:
        """See the port."""
        if value is None or is_sealed(value):
            return value
        clear, bound = msgspec.json.encode(value), place.encode()
        nonce = hmac.digest(self._nonce_key, bound + b"\0" + clear, sha256)[:_NONCE_BYTES]
        return {SEALED: base64.b64encode(nonce + self._cipher.encrypt(nonce, clear, bound)).decode()}

    def open(self, value: JsonValue, place: str) -> JsonValue:
        """See the port."""
        if not is_sealed(value):
            return value
        assert isinstance(value, dict)
        text = value[SEALED]
        assert isinstance(text, str)
        raw = base64.b64decode(text)
        try:
            clear = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode())
        except InvalidTag:
            raise Internal(f"a sealed value at {place} does not open: was the project's key replaced?") from None
        opened: JsonValue = msgspec.json.decode(clear)
        return opened


def project_key(directory: Path, project: ProjectName) -> bytes:
    """The project's key, made at first use, in a file that only its owner reads. Whoever loses it loses the secrets
    in the log."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"{project}.key"
    if not path.exists():
        # Whole or not at all: processes that start together must read the same key.
        fresh = directory / f"{project}.{os.getpid()}.new"
        with open(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(os.urandom(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise Internal(f"the key file {path.name} has {len(key)} bytes instead of {_KEY_BYTES}")
    return key


def derived(key: bytes, purpose: str) -> bytes:
    """A key of its own for one purpose, of 32 bytes."""
    return hmac.digest(key, f"octonet {purpose}".encode(), sha256)
