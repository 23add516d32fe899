"""Commands that have their effect together or not at all: what is checked before, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from octonet.draft import CommandDraft
from octonet.kernel.errors import CHANGE_SET_REFUSED, Invalid, OctonetError

T = TypeVar("T")


class Refusal(msgspec.Struct, frozen=True):
    """Why a change set had no effect: which of its requests was refused, counted from 0, and its error. Only with code
    OUTCOME_UNKNOWN it may have had one."""

    index: int
    problem: OctonetError


def check_keys(drafts: Sequence[CommandDraft]) -> None:
    """What happens as one is repeated as one: all requests of a change set have a key of their own, or none has."""
    keys = {draft.id for draft in drafts if draft.once is not None}
    if keys and len(keys) < len(drafts):
        sentence = "every request of a change set has an idempotency key of its own, or none has one"
        raise Invalid(sentence, code="INVALID_IDEMPOTENCY_KEY")


def all_or_none(found: Sequence[T | BaseException]) -> list[T] | Refusal:
    """What became of the requests, or which of them was refused. Raises what is no error of ours."""
    written: list[T] = []
    refused: Refusal | None = None
    for index, each in enumerate(found):
        if not isinstance(each, BaseException):
            written.append(each)
        elif not isinstance(each, OctonetError):
            raise each
        elif refused is None or refused.problem.code == CHANGE_SET_REFUSED:
            refused = Refusal(index, each)
    return written if refused is None else refused
