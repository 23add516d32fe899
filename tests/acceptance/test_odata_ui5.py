"""SAP UI5's own OData client, in a real Chromium, through $batch as it always goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import peers
from tests.acceptance import ui5
from tests.browser import chromium
from tests.running import Server

LIBRARY = Path(__file__).parents[1] / "conformance" / "library.json"


@pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing() or "there is a browser")
async def test_an_application_reads_and_changes_what_it_shows(tmp_path: Path) -> None:
    peers.install()
    async with ui5.served() as origin:
        with Server(tmp_path / "data", LIBRARY, MOSTA_NET_CORS_ORIGIN=origin) as server:
            asked: list[str] = []
            async with chromium.visit(origin) as visit:
                visit.page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
                await visit.page.wait_for_function("!!(window.sap && sap.ui && sap.ui.require)")
                script = (peers.HERE / "ui5.js").read_text().partition("\n")[2]
                told: dict[str, Any] = await visit.page.evaluate(script, server.url)
        assert "Traceback" not in server.log()
    assert told["kinds"] == ["Edm.String", "NavigationProperty", True]
    assert told["tags"] == ['"1"', '"2"']
    [found] = told["found"]
    assert (found["name"], told["total"]) == ("Ada Lovelace", 1)
    assert [(book["title"], book["pages"]) for book in found["books"]] == [("Notes", 42)]
    assert told["stale"] == 412
    assert told["rating"] == 7
    assert told["left"] == ["Ada Lovelace"]
    methods = {line.removeprefix(f"{'POST'} {server.url}") for line in asked if "/odata/" in line and "POST" in line}
    assert methods == {"/odata/$batch"}
