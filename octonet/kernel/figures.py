"""Figures that a process tells of itself: counted cheaply where things happen, put into families when asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

Labels = tuple[tuple[str, str], ...]

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


class Kind(StrEnum):
    """What becomes of a figure over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One figure. Of a histogram `value` is the sum, and `counts` has one number more than the family has bounds."""

    labels: Labels
    value: float
    counts: tuple[int, ...] = ()


class Family(msgspec.Struct, frozen=True, array_like=True):
    """All figures of one name; the unit is the end of it, as Prometheus wants it."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]
    bounds: tuple[float, ...] = ()


class Histogram:
    """How often which values came."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def sample(self, labels: Labels) -> Sample:
        """As it stands."""
        return Sample(labels, self.total, tuple(self.counts))


def labels(**named: str) -> Labels:
    """In the order given."""
    return tuple(named.items())


def counter(name: str, help: str, found: Mapping[Labels, float]) -> Family:
    """What only grows while the process lives."""
    return Family(name, Kind.COUNTER, help, tuple(Sample(key, value) for key, value in found.items()))


def gauge(name: str, help: str, found: Mapping[Labels, float]) -> Family:
    """What comes and goes."""
    return Family(name, Kind.GAUGE, help, tuple(Sample(key, value) for key, value in found.items()))


def histogram(name: str, help: str, found: Mapping[Labels, Histogram], bounds: tuple[float, ...] = SECONDS) -> Family:
    """How values spread."""
    samples = tuple(one.sample(key) for key, one in found.items())
    return Family(name, Kind.HISTOGRAM, help, samples, bounds)
