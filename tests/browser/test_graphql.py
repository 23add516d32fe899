"""The GraphQL door as a browser has it: a page that asks the door itself, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser import chromium
from tests.browser.chromium import visit
from tests.running import FLIGHTS, Server

pytestmark = pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing())

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("page") / "data", FLIGHTS / "schemas.json") as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_document_is_run_and_the_schema_is_shown(server: Server, scheme: str) -> None:
    async with visit(f"{server.url}/graphql", color_scheme=scheme) as there:
        page, answer = there.page, there.page.locator("#answer")
        assert await there.faults() == []
        await page.get_by_label("Document").fill("query($n: Int) { flights(limit: $n) { id } flightCount }")
        await page.get_by_label("Variables").fill('{"n": 2}')
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#told")).to_contain_text("200")
        assert json.loads(await answer.inner_text()) == {"data": {"flights": [], "flightCount": 0}}
        await page.get_by_role("button", name="Show the schema").click()
        await expect(answer).to_contain_text("origin: Airport")
        await page.get_by_label("Document").fill("{ nobody }")
        await page.get_by_label("Variables").fill("")
        await page.get_by_role("button", name="Run").click()
        await expect(answer).to_contain_text("ENTITY_NOT_FOUND")
        assert there.complaints == []


async def test_a_subscription_shows_what_happens(server: Server) -> None:
    numbers = count()
    async with visit(f"{server.url}/graphql") as there, aiohttp.ClientSession(server.url) as session:
        page, answer = there.page, there.page.locator("#answer")
        await page.get_by_label("Document").fill("subscription { airportEvents { kind row { iata } } }")
        await page.get_by_role("button", name="Run").click()
        for n in numbers:
            # Until the page listens, nobody tells it anything.
            values = f'{{iata: "A{n}", name: "x", latitude: 1, longitude: 2}}'
            query = f"mutation {{ createAirport(input: {values}) {{ id }} }}"
            async with session.post("/graphql", json={"query": query}) as reply:
                assert "errors" not in await reply.json()
            await page.wait_for_timeout(50)
            if "CREATED" in await answer.inner_text() or n > 1000:
                break
        await expect(answer).to_contain_text('"kind": "CREATED"')
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#told")).to_have_text("stopped")
        assert there.complaints == []
