"""API keys: how they are made, spelled, recognised and verified.

A key is ``sk_live_`` or ``sk_test_``, a public part to look it up by, a secret of 38 characters (226 bits) and a
checksum: one that was mistyped is refused without a look at any database. What is stored of a key is its public part
and a verifier, which names its scheme: ``hmac-sha256$…`` for keys made here, which cannot be guessed and so need no
slow hash, or bcrypt's own ``$2b$…``, for keys that were brought along or where a tenant's policy wants it.

Keys that were brought along from a predecessor have its shapes: ``sk_live_…``, ``sk_test_…`` or ``msk_…``, of other
lengths and without our checksum. They are looked up by their first 12 to 16 characters, as many as are known of them.
"""

from __future__ import annotations

import hmac
import secrets
import zlib
from enum import StrEnum
from hashlib import sha256
from typing import Final

import bcrypt
import msgspec

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LOOKUP: Final = 12
_SECRET: Final = 38
_CHECKSUM: Final = 6
LENGTH: Final = 8 + _LOOKUP + _SECRET + _CHECKSUM
"""Characters of a key that was made here."""
_LONGEST: Final = 72
"""What bcrypt looks at."""
_HMAC: Final = "hmac-sha256$"
_BCRYPT: Final = ("$2a$", "$2b$", "$2y$")


_FOREIGN: Final = ("sk_live_", "sk_test_", "msk_live_", "msk_test_")
_FOREIGN_LENGTHS: Final = range(24, 257)
FOREIGN_LOOKUP: Final = range(12, 17)
"""How many characters of a key that was brought along may be public."""


class Environment(StrEnum):
    """What a key is for."""

    LIVE = "live"
    TEST = "test"


class Scheme(StrEnum):
    """How a key's verifier is made."""

    HMAC = "hmac"
    BCRYPT = "bcrypt"


class KeyText(msgspec.Struct, frozen=True):
    """A key as somebody sent it, well formed."""

    text: str
    prefix: str
    """Its public part: what it is looked up by."""


def make(environment: Environment) -> KeyText:
    """A new key."""
    body = f"sk_{environment}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_LOOKUP + _SECRET))
    return KeyText(body + _checksum(body), _prefix(body))


def read(text: str) -> KeyText | None:
    """The key in this text; None when it cannot be one that was made here."""
    if len(text) != LENGTH or not text.isascii() or not text.startswith(("sk_live_", "sk_test_")):
        return None
    body, checksum = text[:-_CHECKSUM], text[-_CHECKSUM:]
    return KeyText(text, _prefix(text)) if checksum == _checksum(body) else None


def is_foreign(text: str) -> bool:
    """Whether this can be a key that was brought along."""
    return len(text) in _FOREIGN_LENGTHS and _has_foreign_shape(text)


def is_foreign_part(text: str) -> bool:
    """Whether this can be the public part of a key that was brought along."""
    return len(text) in FOREIGN_LOOKUP and _has_foreign_shape(text)


def foreign_parts(text: str) -> list[str]:
    """What the public part of a key that was brought along may be, the longest first."""
    return [text[:length] for length in reversed(FOREIGN_LOOKUP)]


def verifier(text: str, pepper: bytes, scheme: Scheme) -> str:
    """What is stored of a key. bcrypt takes a tenth of a second and more."""
    if scheme is Scheme.BCRYPT:
        return slow_hash(text)
    return _HMAC + hmac.digest(pepper, text.encode(), sha256).hex()


def slow_hash(text: str) -> str:
    """bcrypt's hash, for what could be guessed: passwords."""
    return bcrypt.hashpw(text.encode()[:_LONGEST], bcrypt.gensalt()).decode()


def is_slow(stored: str) -> bool:
    """Whether verifying against this takes long enough to be done elsewhere than on the event loop."""
    return stored.startswith(_BCRYPT)


def verify(text: str, stored: str, pepper: bytes) -> bool:
    """Whether this is the key that the verifier was made of. Unknown schemes verify nothing."""
    if stored.startswith(_HMAC):
        return hmac.compare_digest(stored, verifier(text, pepper, Scheme.HMAC))
    if not is_slow(stored):
        return False
    try:
        return bcrypt.checkpw(text.encode()[:_LONGEST], stored.encode())
    except ValueError:
        return False


def _has_foreign_shape(text: str) -> bool:
    return text.startswith(_FOREIGN) and text.isascii() and text.replace("-", "_").isidentifier()


def _prefix(text: str) -> str:
    return text[: 8 + _LOOKUP]


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[digit]
    return digits
