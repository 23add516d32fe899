"""$batch: many requests in one, as multipart/mixed or JSON, answered in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, cast
from urllib.parse import quote, urlsplit
from uuid import uuid4

import msgspec

from octonet.kernel.errors import Invalid, OctonetError
from octonet.kernel.schema import ID
from octonet.transport import Incoming, Reply
from transports.engine.odata import batching_json, multipart, problems
from transports.engine.odata.call import Call, refuse_method
from transports.engine.odata.multipart import Part, Together
from transports.engine.odata.negotiation import preferences, version
from transports.engine.odata.together import Failed, Ids, carried_out
from transports.engine.odata.wish import Wish
from transports.engine.render import Refused

MOST: Final = 100
"""Requests of one batch."""
_CHANGES: Final = ("POST", "PATCH", "PUT", "DELETE")
_INHERITED: Final = frozenset(
    (
        "odata-version",
        "odata-maxversion",
        "octonet-min-position",
        "octonet-dry-run",
        "x-correlation-id",
        "x-request-id",
        "host",
    )
)
"""Headers of the batch that hold for its requests, where they have none of their own."""
_SAFE: Final = "/?$&=%'(),:;@*+!~-._"
_REFERENCE: Final = re.compile(r"/?\$([A-Za-z0-9_.~-]+)(.*)", re.DOTALL)
_FAILED: Final = 400
_KEY: Final = "idempotency-key"
_LONGEST_KEY: Final = 200
_LONGEST_URL: Final = 8000
"""As long as the addresses that come by themselves."""


class Parts(Protocol):
    """What the service lends to a batch."""

    async def serve(self, incoming: Incoming, references: Mapping[str, str]) -> Reply:
        """The answer to a request by itself. Never raises `OctonetError`s."""
        ...

    async def wish(
        self, incoming: Incoming, references: Mapping[str, str], coming: frozenset[tuple[str, str]]
    ) -> tuple[Call, Wish]:
        """The command that a request of a change set means. Raises `OctonetError`s."""
        ...


async def batch(incoming: Incoming, parts: Parts) -> Reply:
    """The answer to a batch. Raises `Invalid`, code INVALID_BATCH or BATCH_TOO_LARGE, where it is none."""
    if incoming.method != "POST":
        raise refuse_method(incoming.method, "POST")
    if "if-match" in incoming.headers:
        raise Invalid("If-Match is a condition on one row, not on a batch", code="UNKNOWN_MEMBER")
    told = version(incoming)
    go_on = preferences(incoming).go_on
    declared = incoming.headers.get("content-type", "")
    as_json = declared.partition(";")[0].strip().lower() == "application/json"
    found: Sequence[Part | Together] = (
        batching_json.read(incoming, MOST) if as_json else multipart.read(incoming.body, declared, MOST)
    )
    run = _Run(incoming, parts, go_on)
    answers = await run.all(found)
    headers = {"OData-Version": told}
    if go_on:
        headers["Preference-Applied"] = "odata.continue-on-error"
    if as_json:
        body = batching_json.written(answers, found)
        return Reply(body, 200, headers, "application/json;odata.metadata=minimal;charset=utf-8")
    boundary = f"batchresponse_{uuid4()}"
    return Reply(multipart.written(answers, boundary), 200, headers, f"multipart/mixed; boundary={boundary}")


class _Run:
    """One batch on its way."""

    def __init__(self, outer: Incoming, parts: Parts, go_on: bool) -> None:
        self._outer = outer
        self._parts = parts
        self._go_on = go_on
        self._root = outer.target.partition("?")[0].removesuffix("/").removesuffix("/$batch")
        self._made: dict[str, str] = {}
        """Id of a request → the address of what it made."""
        self._failed: set[str] = set()
        self._count = 0

    async def all(self, found: Sequence[Part | Together]) -> list[tuple[str, Reply] | list[tuple[str, Reply]]]:
        """The answers, up to the first failure where the client did not ask to go on."""
        answers: list[tuple[str, Reply] | list[tuple[str, Reply]]] = []
        for one in found:
            answer = await (self._together(one) if isinstance(one, Together) else self._one(one))
            answers.append(answer)
            failed = not isinstance(answer, list) and answer[1].status >= _FAILED
            if failed and not self._go_on:
                break
        return answers

    async def _one(self, part: Part) -> tuple[str, Reply]:
        try:
            reply = await self._parts.serve(self._incoming(part), self._references())
        except OctonetError as problem:
            reply = problems.reply(problem, version(self._outer))
        self._note(part, reply)
        return part.id, reply

    def _note(self, part: Part, reply: Reply) -> None:
        if not part.id:
            return
        if reply.status >= _FAILED:
            self._failed.add(part.id)
        self._made[part.id] = reply.headers.get("Location", part.url)

    async def _together(self, together: Together) -> tuple[str, Reply] | list[tuple[str, Reply]]:
        """A change set; its failure is one answer."""
        if len(together.parts) == 1:
            id, reply = await self._one(together.parts[0])
            return (id, reply) if reply.status >= _FAILED else [(id, reply)]
        if not together.parts:
            return []
        try:
            return await self._as_one(together.parts)
        except OctonetError as problem:
            self._failed.update(part.id for part in together.parts)
            return "", problems.reply(problem, version(self._outer))

    async def _as_one(self, parts: Sequence[Part]) -> list[tuple[str, Reply]]:
        """Several changes, all or nothing. What one makes, later ones may refer to: so it is given its id here."""
        wishes: list[tuple[Call, Wish]] = []
        coming: set[tuple[str, str]] = set()
        for part in parts:
            if part.method not in _CHANGES:
                raise Invalid(f"a change set holds no {part.method}", code="INVALID_BATCH")
            call, wish = await self._parts.wish(self._incoming(part), self._references(), frozenset(coming))
            entity = wish.entity
            if part.id and wish.request.op == "create" and entity is not None:
                wish = _identified(wish)
                id = str(cast("dict[str, object]", wish.request.data)[ID])
                coming.add((entity.schema.name, id))
                self._made[part.id] = call.address_of(entity, id)
            wishes.append((call, wish))
        try:
            written = await carried_out(wishes)
        except Failed as failed:
            raise failed.problem from None
        pairs = zip(parts, wishes, written, strict=True)
        return [(part.id, wish.tell(found)) for part, (_, wish), found in pairs]

    def _references(self) -> dict[str, str]:
        return {f"${id}": address for id, address in self._made.items() if id not in self._failed}

    def _incoming(self, part: Part) -> Incoming:
        """The request as if it had come by itself. Raises `Invalid`, code INVALID_BATCH."""
        target = self._target(part.url)
        below = target.partition("?")[0][len(self._root) :]
        if below.startswith("/$batch"):
            raise Invalid("a batch holds no batch", code="INVALID_BATCH")
        headers = {**_inherited(self._outer.headers), **part.headers}
        self._count += 1
        key = self._outer.headers.get(_KEY)
        if key is not None and part.method in _CHANGES:
            # A batch that is repeated under its key is repeated in all its parts.
            headers.setdefault(_KEY, f"{key[:_LONGEST_KEY]}.{self._count}" if key else key)
        return msgspec.structs.replace(
            self._outer, method=part.method, target=target, headers=headers, body=part.body, below=below
        )

    def _target(self, url: str) -> str:
        """The path and query that an address of any kind means: absolute, from the root of the host or of the service,
        or from what another request made."""
        reference = _REFERENCE.fullmatch(url)
        if reference is not None and reference[1] in self._made:
            if reference[1] in self._failed:
                raise Refused(424, "FAILED_DEPENDENCY", f"request {reference[1]!r}, which this one needs, failed")
            return self._target(self._made[reference[1]] + reference[2])
        if len(url) > _LONGEST_URL:
            raise Invalid(f"an address has at most {_LONGEST_URL} characters", code="INVALID_BATCH")
        if "://" in url:
            split = urlsplit(url)
            url = split.path + (f"?{split.query}" if split.query else "")
        url = quote(url, safe=_SAFE)
        if not url.startswith("/"):
            return f"{self._root}/{url}"
        if url.startswith(f"{self._root}/"):
            return url
        raise Invalid(f"the address {url[:100]!r} is not of this service", code="INVALID_BATCH")


def _identified(wish: Wish) -> Wish:
    """A creation whose row has its id already. Under an idempotency key it keeps to what was sent: it must be the same
    the next time."""
    data = wish.request.data
    assert isinstance(data, dict)
    if ID in data:
        return wish
    id = Ids.of(wish.request).next()
    return msgspec.structs.replace(wish, request=msgspec.structs.replace(wish.request, data={ID: id, **data}))


def _inherited(headers: Mapping[str, str]) -> dict[str, str]:
    """Who asks was found out already; what is said of the content of a batch says nothing of its parts."""
    credentials = {"x-api-key", "authorization", "x-project"}
    found = {name: value for name, value in headers.items() if name in _INHERITED or name in credentials}
    accept = headers.get("accept", "")
    if "json" in accept:
        found["accept"] = accept
    return found
