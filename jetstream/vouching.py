"""What nats-server must be told, signed, about who may enter: nkeys and claims, as far as an issuer needs them."""

from __future__ import annotations

import base64
import binascii
import os
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from octonet.kernel.errors import Invalid

_ACCOUNT: Final = 0 << 3
_SEED: Final = 18 << 3
_HEADER: Final = {"typ": "JWT", "alg": "ed25519-nkey"}
_SEED_LENGTH: Final = 36
_VERSION: Final = 2
_SUBSCRIPTIONS: Final = 1000
"""That a connection may have."""
_encode = msgspec.json.Encoder().encode


class Issuer:
    """The key of an account, by which its users are vouched for. `seed`: as nkeys are written, ``SA…``."""

    def __init__(self, seed: str) -> None:
        """Raises `Invalid` for what is no seed of an account."""
        self._key = Ed25519PrivateKey.from_private_bytes(_raw(seed))
        self.public = _spelled(bytes([_ACCOUNT]) + self._key.public_key().public_bytes_raw())

    def signed(self, subject: str, audience: str, claims: Mapping[str, object], expires: int = 0) -> bytes:
        """A JWT about somebody, by their public key. `expires`: seconds since 1970; 0 for never."""
        said: dict[str, object] = {
            "jti": os.urandom(12).hex(),
            "iat": int(time.time()),
            "iss": self.public,
            "sub": subject,
            "aud": audience,
            "nats": {**claims, "version": _VERSION},
        }
        if "name" in claims:
            said["name"] = claims["name"]
        if expires:
            said["exp"] = expires
        text = b"%b.%b" % (_part(_encode(_HEADER)), _part(_encode(said)))
        return b"%b.%b" % (text, _part(self._key.sign(text)))


class Permissions(msgspec.Struct, frozen=True):
    """Subjects that a user may publish on, save those that are `denied`, and subscribe to; nothing else."""

    publish: Sequence[str]
    subscribe: Sequence[str]
    denied: Sequence[str] = ()


def user(name: str, may: Permissions) -> dict[str, object]:
    """The claims of a user."""
    return {
        "type": "user",
        "name": name,
        "pub": {"allow": list(may.publish), "deny": list(may.denied)},
        "sub": {"allow": list(may.subscribe)},
        "subs": _SUBSCRIPTIONS,
        "data": -1,
        "payload": -1,
    }


def make_seed() -> str:
    """A fresh seed of an account."""
    return _spelled(bytes([_SEED | (_ACCOUNT >> 5), (_ACCOUNT & 31) << 3]) + os.urandom(32))


def claims_of(token: bytes) -> bytes:
    """The claims of a JWT, JSON text, unverified: whoever could forge one here has the server itself. Raises
    `ValueError`."""
    parts = token.split(b".")
    if len(parts) != 3:
        raise ValueError("not a JWT")
    return base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4))


def _part(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _spelled(content: bytes) -> str:
    whole = content + binascii.crc_hqx(content, 0).to_bytes(2, "little")
    return base64.b32encode(whole).decode().rstrip("=")


def _raw(seed: str) -> bytes:
    text = seed.strip()
    try:
        whole = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        whole = b""
    content, check = whole[:-2], whole[-2:]
    kind = bytes([_SEED | (_ACCOUNT >> 5), (_ACCOUNT & 31) << 3])
    if len(whole) != _SEED_LENGTH or binascii.crc_hqx(content, 0).to_bytes(2, "little") != check or content[:2] != kind:
        raise Invalid("the seed that NATS_CALLOUT_SEED names is none of an account: one begins with SA")
    return content[2:]
