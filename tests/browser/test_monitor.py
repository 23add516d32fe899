"""The page of the monitor as a browser has it: for a key, by the keyboard, and without a fault that axe finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.acceptance.office import chief, staffed
from tests.acceptance.replica_client import NOTE
from tests.browser import chromium
from tests.browser.chromium import visit
from tests.running import Server

pytestmark = pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing())

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = staffed(tmp_path_factory.mktemp("monitor-page") / "data").start()
    yield found
    found.kill()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_whoever_shows_a_key_sees_replicas_rules_and_events_as_they_come(server: Server, scheme: str) -> None:
    root = await chief(server)
    names = [f"{scheme}-a", f"{scheme}-b"]
    for name in names:
        assert await root.status("POST", "/api/projects", {"name": name, "schemas": [NOTE]}) == 201
    rule = {"name": f"{scheme}-rule", "source": names[0], "target": names[1], "mode": "bidirectional"}
    assert await root.status("POST", "/api/replicas/rules", rule) == 201
    async with visit(f"{server.url}/monitor", color_scheme=scheme) as there:
        page = there.page
        await expect(page.get_by_label("API key")).to_be_visible()
        assert await there.faults() == []
        await page.get_by_label("API key").fill(await root.key())
        await page.keyboard.press("Enter")
        await expect(page.locator("#rules")).to_contain_text(f"{names[0]} ↔ {names[1]}")
        await expect(page.locator("#state")).to_have_text("Up to date.")
        wish = {"name": "near", "uri": f"sqlite:///{scheme}-near.db"}
        assert await root.status("POST", f"/api/projects/{names[0]}/replicas", wish) == 201
        await expect(page.locator("#replicas")).to_contain_text("near")
        await expect(page.locator("#events")).to_contain_text("replica.added")
        assert await there.faults() == []
        assert there.complaints == []
        assert await there.keeps() == []
