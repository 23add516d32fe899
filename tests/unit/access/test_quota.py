"""A day's limit, through any number of processes, never passed and never renewed by a restart."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.access.permissions import Permissions
from octonet.access.principal import Principal
from octonet.access.quota import Quota, TooOften
from octonet.kernel.errors import StorageUnavailable

DAY = 86_400_000


class Stock:
    """The one number that all processes share."""

    def __init__(self) -> None:
        self.taken: Counter[tuple[str, str]] = Counter()
        self.asked = 0
        self.away = False
        self.now = DAY * 20_000 + 1_000

    async def take(self, key: str, day: str, count: int) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise StorageUnavailable
        self.taken[key, day] += count
        return self.taken[key, day]

    def process(self) -> Quota:
        return Quota(self.take, lambda: self.now)


def key(daily: int) -> Principal:
    return Principal("k", "", Permissions({}, daily))


async def use(quota: Quota, principal: Principal) -> bool:
    if quota.spend(principal):
        return True
    try:
        await quota.take(principal)
    except TooOften:
        return False
    return True


@given(st.integers(1, 300), st.integers(1, 4), st.data())
def test_the_limit_is_reached_and_never_passed(limit: int, processes: int, data: st.DataObject) -> None:
    async def run() -> None:
        stock, principal = Stock(), key(limit)
        quotas = [stock.process() for _ in range(processes)]
        used = 0
        for _ in range(limit + 50):
            number = data.draw(st.integers(0, processes - 1))
            used += await use(quotas[number], principal)
        assert used <= limit
        for quota in quotas:
            while await use(quota, principal):
                used += 1
        assert used == limit

    asyncio.run(run())


async def test_hardly_any_use_asks_the_stock() -> None:
    stock = Stock()
    quota, principal = stock.process(), key(1000)
    assert all([await use(quota, principal) for _ in range(1000)])
    assert stock.asked == 50
    assert not await use(quota, principal)


async def test_many_at_once_wait_for_one_portion() -> None:
    stock = Stock()
    quota, principal = stock.process(), key(500)
    assert all(await asyncio.gather(*(use(quota, principal) for _ in range(10))))
    assert stock.asked == 1


async def test_a_stop_gives_back_and_a_restart_renews_nothing() -> None:
    stock, principal = Stock(), key(100)
    for _ in range(5):
        quota = stock.process()
        for _ in range(20):
            assert await use(quota, principal)
        await quota.close()
    assert not await use(stock.process(), principal)
    assert stock.taken["k", "2024-10-04"] == 100


async def test_a_new_day_begins_anew_and_until_then_it_is_said_how_long() -> None:
    stock, principal = Stock(), key(1)
    quota = stock.process()
    assert await use(quota, principal)
    with pytest.raises(TooOften) as refused:
        await quota.take(principal)
    assert refused.value.retry_after == DAY // 1000
    stock.now += DAY
    assert await use(quota, principal)


async def test_while_the_stock_is_away_nothing_is_given_beyond_what_was_taken() -> None:
    stock, principal = Stock(), key(500)
    quota = stock.process()
    assert await use(quota, principal)
    stock.away = True
    assert [await use(quota, principal) for _ in range(9)] == [True] * 9
    with pytest.raises(StorageUnavailable):
        await use(quota, principal)
