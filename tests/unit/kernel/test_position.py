"""How positions are spelled."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel.errors import Invalid
from octonet.kernel.ids import ProjectName
from octonet.kernel.position import Position, Positions

SHOP = Positions(ProjectName("shop"), b"key")
_ANY = st.builds(Position, st.integers(0, 2**63), st.integers(0, 2**31))


@given(_ANY)
def test_a_position_comes_back_from_its_spelling(position: Position) -> None:
    assert SHOP.decode(SHOP.encode(position)) == position


@given(_ANY)
def test_a_command_line_takes_no_position_for_an_option(position: Position) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--until")
    token = SHOP.encode(position)
    assert parser.parse_args(["--until", token]).until == token


@given(_ANY, st.data())
def test_a_letter_changed_makes_it_nobodys_position(position: Position, data: st.DataObject) -> None:
    token = SHOP.encode(position)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda letter: letter != token[at]))
    with pytest.raises(Invalid) as refused:
        SHOP.decode(token[:at] + letter + token[at + 1 :])
    assert refused.value.code == "INVALID_POSITION"


@given(_ANY)
def test_another_project_and_another_installation_refuse_it(position: Position) -> None:
    for other in (Positions(ProjectName("else"), b"key"), Positions(ProjectName("shop"), b"other")):
        with pytest.raises(Invalid, match="is not a position"):
            other.decode(SHOP.encode(position))
