"""What the door says of itself: as a service of NATS (ADR-32), and as the reference's discovery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from octonet import __version__
from octonet.kernel.bus import DISCOVER, SERVICE, Bus
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.operation import Operation
from octonet.kernel.schema import Schemas
from transports.engine.made_once import MadeOnce
from transports.engine.nats.tally import Count, Tally

_QUEUE: Final = "octonet"
_TEXT: Final = "One JSON entity schema, every operation by request and reply"
_encode = msgspec.json.Encoder().encode


class Description:
    """Of one process, which has this `id` as a service."""

    def __init__(self, catalog: Mapping[str, type[Operation]], bus: Bus, tally: Tally, id: str) -> None:
        self._catalog = catalog
        self._bus = bus
        self._tally = tally
        self._id = id
        self._made = MadeOnce(lambda project, schemas: _encode(self._discovered(project, schemas)))

    def service(self, verb: str) -> bytes:
        """The answer to ``PING``, ``INFO`` or ``STATS``."""
        told: dict[str, object] = {
            "type": f"io.nats.micro.v1.{verb.lower()}_response",
            "name": SERVICE,
            "id": self._id,
            "version": __version__,
            "metadata": {},
        }
        if verb == "INFO":
            told |= {"description": _TEXT, "endpoints": [self._endpoint(*each) for each in self._endpoints()]}
        if verb == "STATS":
            stats = [{**self._endpoint(*each), **_stats(each[2])} for each in self._endpoints()]
            told |= {"started": self._tally.began, "endpoints": stats}
        return _encode(told)

    def discovery(self, project: ProjectName, schemas: Schemas) -> bytes:
        """The entities of a project, what may be asked of them, and where."""
        return self._made.of(project, schemas)

    def subjects(self, project: ProjectName, schemas: Schemas) -> list[str]:
        """Every subject that a project's requests and facts have."""
        named = "" if project == DEFAULT_PROJECT else project
        asked = [self._bus.subject(named, entity, op) for entity in schemas.entities for op in self._catalog]
        told = [subject for entity in schemas.entities for subject in self._bus.facts(project, entity)]
        return [*asked, self._bus.subject(named, "", DISCOVER), *told]

    def _discovered(self, project: ProjectName, schemas: Schemas) -> dict[str, object]:
        entities = [
            {
                "name": schema.name,
                "collection": schema.collection,
                "fields": list(schema.fields),
                "operations": list(self._catalog),
            }
            for schema in schemas.entities.values()
        ]
        return {"entities": entities, "subjects": self.subjects(project, schemas)}

    def _endpoints(self) -> Iterator[tuple[str, str, Count]]:
        for op in self._catalog:
            count = self._tally.by_operation[op]
            yield op, self._bus.subject("", "*", op), count
            yield f"{op}-of-project", self._bus.subject("*", "*", op), count
        count = self._tally.by_operation[DISCOVER]
        yield DISCOVER, self._bus.subject("", "", DISCOVER), count
        yield f"{DISCOVER}-of-project", self._bus.subject("", "*", DISCOVER), count

    def _endpoint(self, name: str, subject: str, count: Count) -> dict[str, object]:
        return {"name": name, "subject": subject, "queue_group": _QUEUE, "metadata": {}}


def _stats(count: Count) -> dict[str, object]:
    """Both endpoints of an operation tell of all its requests: they are counted together."""
    return {
        "num_requests": count.requests,
        "num_errors": count.errors,
        "last_error": count.last_error,
        "processing_time": count.time,
        "average_processing_time": count.time // count.requests if count.requests else 0,
        "data": {"unanswerable": count.unanswerable},
    }
