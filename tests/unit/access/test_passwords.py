"""Passwords: slow work beside the loop, bounded, and as slow for nobody."""

from __future__ import annotations

import asyncio

import pytest

from octonet.access.keys import slow_hash
from octonet.access.passwords import NOBODYS, Passwords, check_new
from octonet.kernel.errors import Exhausted, ValidationError


async def test_a_password_is_verified_against_what_was_hashed_of_it() -> None:
    passwords = Passwords()
    stored = await passwords.hash("long enough")
    assert await passwords.verify("long enough", stored)
    assert not await passwords.verify("long enough.", stored)
    passwords.close()


@pytest.mark.parametrize("stored", ["", "None", "nobody", "hmac-sha256$00", NOBODYS[:-1]])
async def test_what_is_no_hash_of_a_password_is_nobodys(stored: str) -> None:
    passwords = Passwords()
    assert not await passwords.verify("nobody", stored)
    passwords.close()


def test_nobodys_hash_takes_as_long_as_somebodys() -> None:
    assert NOBODYS.split("$")[1:3] == slow_hash("x").split("$")[1:3]
    assert len(NOBODYS) == len(slow_hash("x"))


async def test_no_more_wait_than_there_is_room_for() -> None:
    passwords = Passwords()
    every = [asyncio.ensure_future(passwords.verify("guess", "")) for _ in range(40)]
    await asyncio.sleep(0)
    refused = [one for one in every if one.done()]
    assert len(refused) == 8
    for one in refused:
        with pytest.raises(Exhausted):
            await one
    for one in every:
        one.cancel()
    passwords.close()
    await asyncio.gather(*every, return_exceptions=True)


@pytest.mark.parametrize("password", ["", "short", "x" * 73, "ü" * 37, "long\0enough", "\ud800" * 25])
def test_a_password_that_bcrypt_would_not_read_whole_is_refused(password: str) -> None:
    with pytest.raises(ValidationError, match=r"\$\.password"):
        check_new(password, "$.password")


def test_any_other_is_fine() -> None:
    for password in ("12345678", "ü" * 36, "🐙" * 8):
        check_new(password, "$.password")
