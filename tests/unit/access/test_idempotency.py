"""Idempotency keys: which requests are one command."""

from __future__ import annotations

import msgspec
import pytest

from octonet.access.idempotency import Idempotency, Once
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Invalid
from octonet.kernel.operation import Request

ASKED = Request("create", "Customer", data={"name": "Ada", "rating": 1}, idempotency_key="k")


def once(request: Request = ASKED, *, account: str = "a", key: bytes = b"installation") -> Once:
    found = Idempotency(key).once(Actor("rest", account=account), request, "Customer")
    assert found is not None
    return found


def test_a_request_that_names_the_collection_is_the_one_that_names_the_entity() -> None:
    assert once(msgspec.structs.replace(ASKED, entity="customers")) == once()


def test_the_order_of_members_and_what_the_caller_waits_for_do_not_matter() -> None:
    again = msgspec.structs.replace(ASKED, data={"rating": 1, "name": "Ada"}, min_position="p")
    assert once(again) == once()


def test_another_content_under_the_same_key_is_the_same_command_with_another_fingerprint() -> None:
    other = once(msgspec.structs.replace(ASKED, data={"name": "Bob"}))
    assert other.command == once().command
    assert other.fingerprint != once().fingerprint


def test_the_same_key_of_somebody_else_is_another_command() -> None:
    assert once(account="b").command != once().command
    assert once(key=b"another").command != once().command


def test_a_request_without_a_key_is_done_as_often_as_it_comes() -> None:
    asked = msgspec.structs.replace(ASKED, idempotency_key=msgspec.UNSET)
    assert Idempotency(b"k").once(Actor("rest"), asked, "Customer") is None


@pytest.mark.parametrize("key", [7, "", "x" * 256, "a\nb"])
def test_a_key_that_is_none_is_refused(key: object) -> None:
    with pytest.raises(Invalid) as refused:
        once(msgspec.structs.replace(ASKED, idempotency_key=key))
    assert refused.value.code == "INVALID_IDEMPOTENCY_KEY"
