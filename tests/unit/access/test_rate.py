"""So many uses a second, through any number of processes, never passed and never renewed by a restart."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.access.permissions import Permissions
from octonet.access.principal import Principal
from octonet.access.rate import Rate, TooFast
from octonet.kernel.errors import Unavailable


class Broker:
    """The numbers that all processes share; `late`: milliseconds that pass before an answer."""

    def __init__(self) -> None:
        self.taken: Counter[tuple[str, int]] = Counter()
        self.asked = 0
        self.away = False
        self.late = 0
        self.now = 1_700_000_000_000

    async def add(self, key: str, second: int, amount: int) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable
        self.now += self.late
        self.taken[key, second] += amount
        return self.taken[key, second]

    def process(self) -> Rate:
        return Rate(self.add, lambda: self.now)


def key(limit: int) -> Principal:
    return Principal("k", "", Permissions({}, per_second=limit))


async def use(rate: Rate, principal: Principal) -> bool:
    try:
        await rate.use(principal)
    except TooFast:
        return False
    return True


@given(st.integers(1, 100), st.integers(1, 4), st.data())
def test_in_no_second_is_the_limit_passed_whoever_is_asked_and_restarts(
    limit: int, processes: int, data: st.DataObject
) -> None:
    async def run() -> None:
        broker, principal = Broker(), key(limit)
        rates = [broker.process() for _ in range(processes)]
        used: Counter[int] = Counter()

        async def one(rate: Rate) -> None:
            if await use(rate, principal):
                used[broker.now // 1000] += 1

        for _ in range(30):
            number = data.draw(st.integers(0, processes - 1))
            match data.draw(st.sampled_from(("use", "many", "wait", "restart"))):
                case "use":
                    await one(rates[number])
                case "many":
                    await asyncio.gather(*(one(rates[number]) for _ in range(limit)))
                case "wait":
                    broker.now += 400
                case "restart":
                    rates[number] = broker.process()
        assert not used or max(used.values()) <= limit

    asyncio.run(run())


@given(st.integers(1, 200), st.integers(1, 200))
def test_one_process_alone_may_use_all_of_it(limit: int, at_once: int) -> None:
    async def run() -> None:
        broker, principal = Broker(), key(limit)
        rate = broker.process()
        told = await asyncio.gather(*(use(rate, principal) for _ in range(at_once)))
        told += [await use(rate, principal) for _ in range(limit)]
        assert told.count(True) == limit
        broker.now += 1000
        assert await use(rate, principal)

    asyncio.run(run())


async def test_hardly_any_use_asks_the_broker_and_a_refusal_asks_once() -> None:
    broker = Broker()
    rate, principal = broker.process(), key(1000)
    assert all([await use(rate, principal) for _ in range(1000)])
    assert broker.asked == 20
    assert not any([await use(rate, principal) for _ in range(1000)])
    assert broker.asked == 20


async def test_what_is_used_up_by_others_is_asked_once_a_second() -> None:
    broker, principal = Broker(), key(10)
    first, second = broker.process(), broker.process()
    assert all([await use(first, principal) for _ in range(10)])
    assert not any([await use(second, principal) for _ in range(100)])
    assert broker.asked == 11


async def test_a_portion_that_comes_when_its_second_is_over_is_not_used() -> None:
    broker, principal = Broker(), key(5)
    broker.late = 1000
    assert not await use(broker.process(), principal)


async def test_who_is_refused_is_told_to_come_back_in_a_second() -> None:
    broker, principal = Broker(), key(1)
    rate = broker.process()
    await rate.use(principal)
    with pytest.raises(TooFast) as refused:
        await rate.use(principal)
    assert (refused.value.code, refused.value.retry_after) == ("RATE_LIMIT", 1)


async def test_what_is_told_follows_what_is_used() -> None:
    broker, principal = Broker(), key(40)
    rate = broker.process()
    assert rate.allowance(principal).left == 40
    await rate.use(principal)
    assert rate.allowance(principal).left == 39
    for _ in range(50):
        await use(rate, principal)
    assert rate.allowance(principal).left == 0
    broker.now += 1000
    assert rate.allowance(principal).left == 40


async def test_while_the_broker_is_away_nothing_is_given_beyond_what_was_taken() -> None:
    broker, principal = Broker(), key(40)
    rate = broker.process()
    await rate.use(principal)
    broker.away = True
    await rate.use(principal)
    with pytest.raises(Unavailable):
        await rate.use(principal)
