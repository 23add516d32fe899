"""The NATS door, unconnected: what is read of a request, how many are taken, what a tenant may do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import nkeys
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import COMMANDS
from jetstream import subjects, vouching
from jetstream.bus import read_headers
from jetstream.callout import inbox, permissions
from jetstream.vouching import Issuer, Permissions
from octonet.gateway import Gateway
from octonet.kernel.bus import DISCOVER, EVERY, Access, BusRequest, Doorman, Receive
from octonet.kernel.catalog import operations
from octonet.kernel.errors import Invalid, OctonetError
from octonet.kernel.event import Fact
from octonet.project import Projects
from projections import QUERIES
from transports.engine.nats import wire
from transports.engine.nats.calls import MOST, MOST_BYTES, Calls
from transports.engine.nats.description import Description
from transports.engine.nats.tally import Tally
from transports.engine.throttle import Throttle
from transports.engine.traffic import Traffic
from transports.engine.turnstile import Turnstile

OPERATIONS = {**QUERIES, **COMMANDS}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(
    ["filter", "data", "sort", "limit", "skip", "select", "options", "cursor", "after", "id", "x"]
)


class Bus:
    """One that goes nowhere."""

    url = "nats://nowhere"
    max_message = 2**20
    connected = True

    def __init__(self) -> None:
        self.told: list[tuple[bytes, Mapping[str, str]]] = []

    def subject(self, project: str, entity: str, op: str) -> str:
        return subjects.request(project, entity, op)

    def facts(self, project: str, entity: str) -> list[str]:
        return subjects.facts_of(project, entity)

    async def open(self) -> None: ...

    async def serve(self, operations: Collection[str], receive: Receive) -> None: ...

    async def describe(self, id: str, describe: Callable[[str], bytes]) -> None: ...

    async def guard(self, doorman: Doorman) -> None: ...

    def answer(self, request: BusRequest, body: bytes, headers: Mapping[str, str]) -> None:
        self.told.append((body, headers))

    async def leave(self) -> None: ...

    async def close(self) -> None: ...


def request(body: bytes = b"", reply: str = "_INBOX.x") -> BusRequest:
    return BusRequest("", "Customer", "count", reply, {}, body)


def calls(bus: Bus) -> Calls:
    gateway = Gateway(Projects([]), COMMANDS, QUERIES)
    tally = Tally((*OPERATIONS, DISCOVER), "")
    turnstile = Turnstile(Traffic(gateway.serves), Throttle(), None)
    return Calls(gateway, bus, Description(OPERATIONS, bus, tally, "x"), tally, turnstile, 2**30)


def _codes(bus: Bus) -> list[str]:
    return [json.loads(body)["error"]["code"] for body, _ in bus.told]


async def test_more_requests_than_can_be_under_way_are_refused_at_once() -> None:
    bus = Bus()
    found = calls(bus)
    for _ in range(MOST + 3):
        found.receive(request())
    assert _codes(bus) == ["RATE_LIMITED"] * 3
    assert bus.told[0][1]["Nats-Service-Error-Code"] == "429"
    await found.finish()
    # There is no such project here.
    assert _codes(bus)[3:] == ["UNKNOWN_PROJECT"] * MOST
    found.receive(request())
    await found.finish()
    assert _codes(bus)[-1] == "UNKNOWN_PROJECT"


async def test_more_bytes_than_can_be_under_way_are_refused_at_once() -> None:
    bus = Bus()
    found = calls(bus)
    large = b" " * (MOST_BYTES // 2)
    for _ in range(3):
        found.receive(request(large))
    assert _codes(bus) == ["RATE_LIMITED"]
    await found.finish()


async def test_what_names_no_inbox_is_not_begun() -> None:
    bus = Bus()
    found = calls(bus)
    found.receive(request(reply=""))
    await found.finish()
    await asyncio.sleep(0)
    assert bus.told == []


@given(st.sampled_from(sorted(OPERATIONS)), _JSON | st.dictionaries(_MEMBERS, _JSON | st.just("{}"), max_size=5))
def test_any_content_is_a_request_or_refused(op: str, content: Any) -> None:
    with contextlib.suppress(OctonetError):
        assert wire.wish(OPERATIONS[op], "Customer", content, {}).op == op


@given(st.binary(max_size=60))
def test_any_headers_are_read(raw: bytes) -> None:
    found = read_headers(b"NATS/1.0\r\n" + raw)
    assert all(name == name.lower() and "\r\n" not in value for name, value in found.items())


def test_of_a_header_that_comes_twice_the_first_counts() -> None:
    assert read_headers(b"NATS/1.0\r\nX-API-Key: a\r\nx-api-key: b\r\n\r\n") == {"x-api-key": "a"}


@given(st.text(max_size=300))
def test_an_error_is_told_in_one_printable_line(text: str) -> None:
    line = wire.failure(Invalid(text or "x")).headers["Nats-Service-Error"]
    assert line.isascii()
    assert line.isprintable()


def test_the_operations_are_known_by_their_files() -> None:
    assert set(operations("commands", "projections")) == set(OPERATIONS)
    assert set(OPERATIONS).isdisjoint({*(fact.value for fact in Fact), DISCOVER})


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("mostajs.Customer.count", ("", "Customer", "count")),
        ("mostajs.crm.Customer.count", ("crm", "Customer", "count")),
        ("mostajs.discover", ("", "", "discover")),
        ("mostajs.crm.discover", ("", "crm", "discover")),
    ],
)
def test_a_subject_names_project_entity_and_operation(subject: str, found: tuple[str, str, str]) -> None:
    assert subjects.asked_for(subject) == found


@given(st.text(max_size=20))
def test_no_name_in_a_scope_makes_a_pattern(name: str) -> None:
    if name == EVERY:
        return
    access = Access("sk_live_x", {name: frozenset({"findAll"})}, frozenset({name}))
    may = permissions(access)
    assert {token for one in may.subscribe[:-1] for token in one.split(".")} <= {
        "mostajs", "*", "created", "updated", "deleted", name,
    }  # fmt: skip
    for one in may.publish:
        assert one.split(".")[0] in ("mostajs", "$SRV")
        assert ">" not in one
        assert one.split(".")[1] != "*" or name == "default" or one.startswith("$SRV")


def test_nobody_shares_an_inbox_with_octonet() -> None:
    assert inbox("sk_live_0123456789ab") == "_INBOX_sk_live_0123456789ab"
    for odd in ("msk_live_a.b", "sk_live_>", "*", "octonet.x", "a b"):
        assert inbox(odd).removeprefix("_INBOX_").isalnum()
    assert inbox("") == "_INBOX"


def test_seeds_and_signatures_are_what_other_implementations_make_of_them() -> None:
    seed = vouching.make_seed()
    theirs = nkeys.from_seed(bytearray(seed.encode()))
    issuer = Issuer(seed)
    assert theirs.public_key.decode() == issuer.public
    token = issuer.signed("UABC", "$G", vouching.user("x", Permissions(["a"], ["b"])), 7)
    text, _, signature = token.rpartition(b".")
    assert theirs.verify(text, base64.urlsafe_b64decode(signature + b"=="))
    claims = json.loads(vouching.claims_of(token))
    assert (claims["sub"], claims["aud"], claims["exp"], claims["iss"]) == ("UABC", "$G", 7, issuer.public)
    made = bytes(nkeys.encode_seed(b"\x07" * 32, nkeys.PREFIX_BYTE_ACCOUNT)).decode()
    assert Issuer(made).public == nkeys.from_seed(bytearray(made.encode())).public_key.decode()


@pytest.mark.parametrize("wrong", ["", "SA", "x", "SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY", "é"])
def test_what_is_no_seed_of_an_account_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid, match="NATS_CALLOUT_SEED"):
        Issuer(wrong)


@pytest.mark.parametrize("wrong", [b"", b"a.b", b"a.b.c.d"])
def test_what_is_no_token_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="JWT"):
        vouching.claims_of(wrong)
