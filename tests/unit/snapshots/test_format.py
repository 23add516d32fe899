"""A snapshot's file gives back what was put into it, and tells when a byte of it is another."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel.errors import Invalid
from octonet.kernel.ids import CommandId, EntityId, ProjectName
from octonet.kernel.storage import Checkpoint
from octonet.snapshots.format import Checked, End, Head, Inbox, Rows, Writer, blocks, check

HEAD = Head(ProjectName("shop"), Checkpoint(7, 5, b"\x01" * 32, "s"), '[{"name":"Note"}]', 1_790_000_000_000)

_texts = st.text(st.characters(codec="utf-8"), max_size=20)
_numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=10,
)
_rows = st.builds(
    Rows, _texts, st.lists(st.tuples(_texts.map(EntityId), st.integers(1, 10**9), st.lists(_values, max_size=5)))
)
_inboxes = st.builds(Inbox, st.lists(st.tuples(_texts.map(CommandId), st.integers(1, 2**62))))


def _written(*between: Rows | Inbox) -> bytes:
    out = io.BytesIO()
    writer = Writer(out, HEAD)
    for block in between:
        writer.put(block)
    writer.finish(End({"Note": 3}, 2))
    return out.getvalue()


@given(st.lists(_rows | _inboxes, max_size=5))
def test_what_was_written_is_read_again(between: list[Rows | Inbox]) -> None:
    file = io.BytesIO(_written(*between))
    found = check(file)
    assert (found.head, found.end) == (HEAD, End({"Note": 3}, 2))
    assert list(blocks(file)) == between


@given(st.lists(_rows, min_size=1, max_size=2), st.data())
def test_a_flipped_bit_is_found_wherever_it_is(between: list[Rows], data: st.DataObject) -> None:
    damaged = bytearray(_written(*between))
    place, bit = data.draw(st.integers(0, len(damaged) - 1)), data.draw(st.integers(0, 7))
    damaged[place] ^= 1 << bit
    with pytest.raises(Invalid) as refused:
        check(io.BytesIO(damaged))
    assert refused.value.code in ("SNAPSHOT_DAMAGED", "SNAPSHOT_UNKNOWN")


@given(st.data())
def test_a_file_that_ends_early_or_goes_on_is_found_out(data: st.DataObject) -> None:
    whole = _written(Inbox([(CommandId("c1"), 7)]))
    cut = data.draw(st.integers(0, len(whole) - 1))
    for damaged in (whole[:cut], whole + b"\0"):
        with pytest.raises(Invalid) as refused:
            check(io.BytesIO(damaged))
        assert refused.value.code == "SNAPSHOT_DAMAGED"


def test_two_snapshots_with_other_content_have_other_digests() -> None:
    found: list[Checked] = [check(io.BytesIO(_written(Inbox([(CommandId(id), 7)])))) for id in ("c1", "c2", "c1")]
    assert found[0].digest == found[2].digest != found[1].digest
