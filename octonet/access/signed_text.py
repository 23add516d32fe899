"""Texts that only this installation can have given out: what they say, behind a signature, fit for addresses and
cookies."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable


def give(subject: str, until: int, sign: Callable[[bytes], bytes]) -> str:
    """A text about `subject`, good until then, in milliseconds since 1970. ASCII, without padding."""
    said = f"{until}.{subject}".encode()
    return base64.urlsafe_b64encode(sign(said) + said).rstrip(b"=").decode()


def read(text: str, now: int, size: int, sign: Callable[[bytes], bytes]) -> str | None:
    """What a text is about; None when it was not given here, or is over. `size`: bytes of a signature."""
    try:
        body = text.encode("ascii")
        raw = base64.b64decode(body + b"=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    signature, said = raw[:size], raw[size:]
    if not hmac.compare_digest(signature, sign(said)):
        return None
    until, _, subject = said.decode().partition(".")
    return subject if int(until) > now else None
