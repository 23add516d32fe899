"""Answers requests: many at a time, but not any number."""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter_ns
from typing import Final

import msgspec

from octonet.gateway import Gateway
from octonet.kernel.bus import DISCOVER, Bus, BusRequest
from octonet.kernel.errors import Exhausted, Internal, OctonetError, TooLarge
from octonet.transport import Incoming, Passage, Turnstile
from transports.engine import limits
from transports.engine.caller import known, visitor
from transports.engine.nats import wire
from transports.engine.nats.description import Description
from transports.engine.nats.tally import Tally
from transports.engine.nats.wire import Answer

log = logging.getLogger("octonet.nats")

NAME: Final = "nats"
MOST: Final = 512
"""Requests under way in one process."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes that they may have together."""
_HEADERS: Final = 4096
"""Bytes of a message that are left for its headers."""


class Overloaded(Exhausted):
    """Too many requests are under way: try again."""

    default_code = "RATE_LIMITED"
    retry_after = 1


class Calls:
    """The requests of one process. `largest`: bytes that one may have."""

    def __init__(
        self,
        gateway: Gateway,
        bus: Bus,
        description: Description,
        tally: Tally,
        turnstile: Turnstile,
        largest: int,
    ) -> None:
        self._gateway = gateway
        self._bus = bus
        self._description = description
        self._tally = tally
        self._turnstile = turnstile
        self._largest = largest
        self._bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, request: BusRequest) -> None:
        """Begin to answer. A request that nobody waits for is refused by not being done: whoever sends a command hears
        what became of it, or may believe that nothing did."""
        if not request.reply:
            self._tally.unanswerable(request.op)
            log.debug("a request for %s names no inbox for its answer: it is not done", request.op)
            return
        if len(self._tasks) >= MOST or self._bytes + len(request.body) > MOST_BYTES:
            self._refuse(request, Overloaded("too many requests are under way at the moment"))
            return
        if len(request.body) > self._largest:
            sentence = f"a request may have {self._largest} bytes, this one has {len(request.body)}"
            self._refuse(request, TooLarge(sentence, code="BODY_TOO_LARGE"))
            return
        self._bytes += len(request.body)
        task = asyncio.create_task(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, request))

    async def finish(self) -> None:
        """Wait until everything that came is answered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _refuse(self, request: BusRequest, problem: OctonetError) -> None:
        self._tell(request, wire.failure(problem), problem, 0)

    async def _answer(self, request: BusRequest) -> None:
        began = perf_counter_ns()
        refused: OctonetError | None = None
        passage: Passage | None = None
        try:
            passage = self._turnstile.enter(wire.incoming(request, NAME))
            # Where its answer goes is nobody's address: it is not recorded.
            incoming = msgspec.structs.replace(passage.incoming, address="")
            act = self._discover if request.op == DISCOVER else self._execute
            told = await act(request, incoming)
            if len(told.body) > self._bus.max_message - _HEADERS:
                sentence = "the answer is larger than a message can be: ask for fewer rows or columns"
                raise TooLarge(sentence, code="ANSWER_TOO_LARGE")
        except OctonetError as problem:
            refused, told = problem, wire.failure(problem)
        if passage is not None:
            passage.leave(refused)
        if (left := limits.headers()) is not None:
            told = Answer(told.body, {**told.headers, **left})
        self._tell(request, told, refused, perf_counter_ns() - began)

    async def _execute(self, request: BusRequest, incoming: Incoming) -> Answer:
        who = known(self._gateway, incoming, NAME) or await visitor(self._gateway, incoming, NAME)
        operation = self._gateway.operations[request.op]
        wanted = wire.wish(operation, wire.entity_of(request), wire.body(request), incoming.headers)
        return wire.answer(await self._gateway.execute(wire.project_of(request), wanted, who))

    async def _discover(self, request: BusRequest, incoming: Incoming) -> Answer:
        who = await visitor(self._gateway, incoming, NAME)
        # A project stands where an operation's entity does.
        project = wire.project_of(BusRequest(request.entity, "", request.op, "", request.headers, b""))
        home = await self._gateway.visit(project, who)
        return Answer(self._description.discovery(project, home.schemas), {})

    def _tell(self, request: BusRequest, told: Answer, refused: OctonetError | None, took: int) -> None:
        self._tally.answered(request.op, took, "" if refused is None else f"{refused.code}: {refused.message}")
        self._bus.answer(request, told.body, told.headers)

    def _done(self, task: asyncio.Task[None], request: BusRequest) -> None:
        self._tasks.discard(task)
        self._bytes -= len(request.body)
        if task.cancelled():
            return
        problem = task.exception()
        if problem is not None:
            log.error("a request for %s failed", request.op, exc_info=problem)
            self._refuse(request, Internal("something went wrong on the server"))
