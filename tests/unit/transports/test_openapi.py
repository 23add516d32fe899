"""The OpenAPI document says what the door does."""

from __future__ import annotations

import aiohttp
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.unit.transports.memory import MemoryGateway

Document = dict[str, dict[str, dict[str, object]]]


async def document(client: aiohttp.ClientSession, path: str = "/openapi.json") -> Document:
    async with client.get(path) as reply:
        assert reply.status == 200
        found: Document = await reply.json()
        return found


async def test_the_document_is_valid(client: aiohttp.ClientSession) -> None:
    found = await document(client)
    assert list(OpenAPIV31SpecValidator(found).iter_errors()) == []


async def test_every_operation_of_the_catalog_is_described_for_every_entity(
    client: aiohttp.ClientSession, gateway: MemoryGateway
) -> None:
    found = await document(client)
    described = {
        operation["operationId"]
        for path in found["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    }
    assert {f"{op}_{entity}" for op in gateway.operations for entity in ("User", "Note")} <= described


async def test_secrets_are_taken_and_never_given(client: aiohttp.ClientSession) -> None:
    schemas = (await document(client))["components"]["schemas"]
    assert "password" in schemas["UserInput"]["properties"]  # type: ignore[index]
    assert "password" not in schemas["User"]["properties"]  # type: ignore[index]
    assert schemas["UserInput"]["required"] == ["name"]  # type: ignore[index]
    assert "required" not in schemas["UserPatch"]  # type: ignore[operator]


async def test_a_project_has_a_document_of_its_own(client: aiohttp.ClientSession) -> None:
    found = await document(client, "/shop/openapi.json")
    servers: object = found["servers"]
    assert servers == [{"url": "/shop"}]
    assert "/api/v1/users" not in found["paths"]
    assert "/api/v1/notes" in found["paths"]
