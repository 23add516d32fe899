"""The service document and the metadata document: written once for each version of a project's schemas."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from octonet.kernel.operation import Operation
from octonet.transport import Reply
from transports.engine.odata import options as parsing
from transports.engine.odata.call import Call
from transports.engine.odata.csdl import document
from transports.engine.odata.edmx import written
from transports.engine.odata.model import Model
from transports.engine.odata.negotiation import as_xml

_FORMAT = frozenset(("format",))
_KEPT = "odata.metadata"


def service(call: Call) -> Reply:
    """The entity sets."""
    sets = [{"name": e.set, "kind": "EntitySet", "url": e.set} for e in call.model.entities.values()]
    context: dict[str, object] = {}
    if call.format.metadata != "none":
        context["@odata.context"] = f"{call.root}/$metadata"
    return call.json({**context, "value": sets})


async def metadata(call: Call, catalog: Mapping[str, type[Operation]]) -> Reply:
    """The types, as XML or JSON."""
    options = parsing.parse(call.query, _FORMAT)
    xml = as_xml(call.incoming.headers.get("accept", ""), options.format, call.version)
    # Readers of XML that do not say how much they understand know 4.0 at most.
    told = call.version if not xml or "odata-maxversion" in call.incoming.headers else "4.0"
    texts = call.home.schemas.__dict__.setdefault(_KEPT, {})
    key = (xml, told)
    if key not in texts:
        # For hundreds of entities it takes a quarter of a second.
        texts[key] = await asyncio.to_thread(_made, call.model, catalog, told, xml)
    tag = f'"{call.home.schemas.digest[:32]}{"x" if xml else "j"}{told}"'
    headers = call.headers({"ETag": tag, "OData-Version": told})
    if call.incoming.headers.get("if-none-match") == tag:
        return Reply(b"", 304, headers)
    return Reply(texts[key], 200, headers, "application/xml;charset=utf-8" if xml else "application/json;charset=utf-8")


def _made(model: Model, catalog: Mapping[str, type[Operation]], version: str, xml: bool) -> bytes:
    found = document(model, catalog, version)
    return written(found) if xml else msgspec.json.encode(found)
