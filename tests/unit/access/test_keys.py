"""Keys are recognised by their spelling, and verified against what is stored of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from octonet.access import keys
from octonet.access.keys import Environment, Scheme

PEPPER = b"pepper"


def test_a_new_key_has_sixty_four_characters_and_says_what_it_is_for() -> None:
    for environment in Environment:
        made = keys.make(environment)
        assert len(made.text) == keys.LENGTH == 64
        assert made.text.startswith(f"sk_{environment}_")
        assert made.text.startswith(made.prefix)
        assert keys.read(made.text) == made


def test_no_two_keys_are_alike() -> None:
    made = {keys.make(Environment.TEST).text for _ in range(200)}
    assert len({text[:20] for text in made}) == 200


@given(st.integers(0, 63), st.characters(codec="ascii"))
def test_a_key_with_one_character_changed_is_no_key(place: int, other: str) -> None:
    text = keys.make(Environment.LIVE).text
    changed = text[:place] + other + text[place + 1 :]
    assert changed == text or keys.read(changed) is None


@given(st.text(max_size=80))
def test_other_texts_are_no_keys(text: str) -> None:
    assert keys.read(text) is None


def test_a_key_is_verified_under_either_scheme_and_no_other_is() -> None:
    right, wrong = keys.make(Environment.LIVE).text, keys.make(Environment.LIVE).text
    for scheme in Scheme:
        stored = keys.verifier(right, PEPPER, scheme)
        assert right not in stored
        assert keys.is_slow(stored) == (scheme is Scheme.BCRYPT)
        assert keys.verify(right, stored, PEPPER)
        assert not keys.verify(wrong, stored, PEPPER)


def test_without_the_pepper_a_stored_key_verifies_nothing() -> None:
    text = keys.make(Environment.LIVE).text
    assert not keys.verify(text, keys.verifier(text, PEPPER, Scheme.HMAC), b"another")


def test_a_scheme_nobody_knows_verifies_nothing() -> None:
    for stored in ("", "plain", "$2b$broken", "$argon2id$v=19$x"):
        assert not keys.verify(keys.make(Environment.LIVE).text, stored, PEPPER)
