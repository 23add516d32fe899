"""`/try`, as somebody has it who comes with a browser: from the form to a first request that is answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Route, expect

from tests.browser import chromium
from tests.browser.chromium import Visit, visit
from tests.running import FLIGHTS, Server

pytestmark = pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing())

expect.set_options(timeout=60_000)

_HOSTILE: Final = '"><img src=x onerror="document.title=\'owned\'">'
"""Too long for a name, so that the page must show it again."""
_INTRUDER: Final = "document.body.append(Object.assign(document.createElement('script'), {text: 'ran = true'}))"
_NARROW: Final = {"viewport": {"width": 320, "height": 640}}
_LOOKS: Final[list[dict[str, Any]]] = [
    {"color_scheme": "light", **_NARROW},
    {"color_scheme": "dark", "reduced_motion": "reduce"},
]


def _server(directory: Path, per_hour: int) -> Server:
    limit = str(per_hour)
    return Server(directory, FLIGHTS / "schemas.json", OCTONET_OPEN_MODE="", OCTONET_TRIAL_RATE_LIMIT_PER_HOUR=limit)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with _server(tmp_path_factory.mktemp("try") / "data", 100) as server:
        yield f"{server.url}/try"


async def _create(there: Visit, alias: str) -> None:
    await there.page.get_by_label("Name of the sandbox").fill(alias)
    await there.page.get_by_role("button", name="Create my sandbox").click()


async def _is_ready(there: Visit) -> None:
    await expect(there.page.get_by_role("heading", name="Your sandbox is ready")).to_be_focused()


async def test_the_keyboard_alone_leads_from_the_form_to_the_first_answer(url: str) -> None:
    async with visit(url) as there:
        page, press = there.page, there.page.keyboard.press
        await press("Tab")
        await expect(page.get_by_label("Name of the sandbox")).to_be_focused()
        await page.keyboard.type("by-keyboard")
        await press("Enter")
        await _is_ready(there)
        assert re.match(r"sk_test_\w+", await page.locator("#key").inner_text())
        assert await page.locator("#project").inner_text() == "sandbox-by-keyboard"
        await press("Tab")
        await expect(page.get_by_role("button", name="Copy the key")).to_be_focused()
        await press("Enter")
        await expect(page.locator("#copied")).not_to_be_empty()
        await press("Tab")
        await expect(page.get_by_role("button", name="Send the first request")).to_be_focused()
        await press("Enter")
        await expect(page.locator("#sent")).to_have_text(
            re.compile(r"GET /api/v1/sandbox-by-keyboard/\w+ was answered with status 200\.")
        )
        assert json.loads(await page.locator("#answer").inner_text())["status"] == "ok"
        assert there.complaints == []
        assert await there.keeps() == []


@pytest.mark.parametrize("look", _LOOKS, ids=["narrow and light", "dark"])
async def test_the_page_is_fit_for_everybody_in_every_state(url: str, look: dict[str, Any]) -> None:
    async with visit(url, **look) as there:

        async def looked_at() -> tuple[list[str], bool]:
            fits = await there.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            return await there.faults(), fits

        assert await looked_at() == ([], True)
        await _create(there, "x" * 31)
        await expect(there.page.get_by_role("alert")).not_to_be_empty()
        assert await looked_at() == ([], True)
        await _create(there, f"for-everybody-{look['color_scheme']}")
        await _is_ready(there)
        await there.page.get_by_role("button", name="Send the first request").click()
        await expect(there.page.locator("#answer")).to_be_visible()
        assert await looked_at() == ([], True)
        assert there.complaints == []


async def test_a_name_that_is_taken_is_said_to_be_so_at_its_field(url: str) -> None:
    async with visit(url) as first:
        await _create(first, "taken")
        await _is_ready(first)
    async with visit(url) as there:
        await _create(there, "taken")
        field = there.page.get_by_label("Name of the sandbox")
        await expect(field).to_be_focused()
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(there.page.get_by_role("alert")).not_to_be_empty()
        told = await there.page.get_by_role("alert").inner_text()
        await expect(field).to_have_accessible_description(re.compile(re.escape(told), re.IGNORECASE))
        await _create(there, "not-taken")
        await _is_ready(there)
        assert there.complaints == []


async def test_whoever_must_wait_is_told_how_long(tmp_path: Path) -> None:
    with _server(tmp_path / "data", 1) as server:
        async with visit(f"{server.url}/try") as there:
            await _create(there, "")
            await _is_ready(there)
        for scripts in (True, False):
            async with visit(f"{server.url}/try", java_script_enabled=scripts) as there:
                await _create(there, "")
                told = there.page.get_by_role("alert")
                await expect(told).to_have_text(re.compile(r"Try again in (a|\d+) minutes?\."))


async def test_without_scripts_the_form_is_answered_with_a_page(url: str) -> None:
    async with visit(url, java_script_enabled=False) as there:
        await _create(there, "without-scripts")
        await _is_ready(there)
        assert await there.page.locator("#project").inner_text() == "sandbox-without-scripts"
        assert re.match(r"sk_test_\w+", await there.page.locator("#key").inner_text())
        assert "sandbox-without-scripts" in await there.page.locator("#curl").inner_text()
        assert await there.page.get_by_role("button").count() == 0
        assert there.complaints == []
        assert await there.page.context.cookies() == []


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_hostile_name_is_shown_and_never_run(url: str, scripts: bool) -> None:
    async with visit(url, java_script_enabled=scripts) as there:
        await _create(there, _HOSTILE)
        await expect(there.page.get_by_role("alert")).not_to_be_empty()
        await expect(there.page.get_by_label("Name of the sandbox")).to_have_value(_HOSTILE)
        assert await there.page.locator("img").count() == 0
        assert await there.page.title() == "Error: Try Octonet"
        assert there.complaints == []


async def test_the_script_takes_an_answer_for_text_whatever_it_says(url: str) -> None:
    names = ("projectSlug", "apiKey", "expiresAt", "exampleCurl", "mcpUrl", "message")
    made = {**dict.fromkeys(names, _HOSTILE), "quota": {"reqPerDay": 500}}
    answers = [(409, {"error": {"code": _HOSTILE, "message": _HOSTILE}}), (201, {"data": made})]

    async def answer(route: Route) -> None:
        # No server of ours says such things.
        status, told = answers.pop(0)
        await route.fulfill(status=status, json=told)

    async with visit(url) as there:
        await there.page.route("**/try", answer)
        await _create(there, "")
        await expect(there.page.get_by_role("alert")).to_contain_text("<img")
        await _create(there, "")
        await _is_ready(there)
        assert await there.page.locator("img").count() == 0
        assert there.complaints == []


async def test_the_page_is_sent_for_nobody_else_to_keep_frame_or_reinterpret(url: str) -> None:
    async with visit(url) as there:
        sent = [(each["name"].lower(), each["value"]) for each in (await there.page.request.get(url)).headers_array]
    for name, value in (
        ("cache-control", "no-store"),
        ("content-type", "text/html; charset=utf-8"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ):
        assert [found for given, found in sent if given == name] == [value]
    [policy] = [found for given, found in sent if given == "content-security-policy"]
    assert "default-src 'none';" in policy
    assert "frame-ancestors 'none';" in policy
    assert "set-cookie" not in dict(sent)


async def test_nothing_but_the_page_itself_may_run_on_it(url: str) -> None:
    async with visit(url) as there:
        await there.page.evaluate(_INTRUDER)
        assert await there.page.evaluate("typeof ran") == "undefined"
        assert "Content Security Policy" in there.complaints[0]
