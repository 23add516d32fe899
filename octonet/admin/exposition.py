"""Figures as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from octonet.kernel.figures import Family, Kind, Sample


def exposition(told: Iterable[tuple[str, Iterable[Family]]], accept: str) -> tuple[bytes, str]:
    """The text and its media type. `told`: by process, whose name becomes a label; empty for what belongs to none."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(_merged(told)))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collected(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _merged(told: Iterable[tuple[str, Iterable[Family]]]) -> list[Metric]:
    found: dict[str, Metric] = {}
    for process, families in told:
        for family in families:
            metric = found.get(family.name)
            if metric is None:
                metric = found[family.name] = Metric(family.name.removesuffix("_total"), family.help, family.kind)
            for sample in family.samples:
                _add(metric, family, sample, process)
    return list(found.values())


def _add(metric: Metric, family: Family, sample: Sample, process: str) -> None:
    labels = dict(sample.labels)
    if process:
        labels["process"] = process
    if family.kind is not Kind.HISTOGRAM:
        metric.add_sample(family.name, labels, sample.value)
        return
    bounds = [*map(floatToGoString, family.bounds), "+Inf"]
    totals = list(accumulate(sample.counts))
    for bound, total in zip(bounds, totals, strict=True):
        metric.add_sample(f"{family.name}_bucket", {**labels, "le": bound}, total)
    metric.add_sample(f"{family.name}_count", labels, totals[-1])
    metric.add_sample(f"{family.name}_sum", labels, sample.value)
