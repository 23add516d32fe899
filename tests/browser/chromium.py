"""A real Chromium, without a window: pages as a person has them, and what the browser complains of."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Page, async_playwright

_PROGRAMS: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_PATIENCE: Final = 60_000
"""Milliseconds."""
_NO_COMPLAINT: Final = "Failed to load resource: the server responded with a status of"
"""A refusal that the page tells by itself."""


def missing() -> str:
    """Why no browser can be started here; empty when one can."""
    return "" if _program() else f"no browser can be started here: none of {', '.join(_PROGRAMS)} is installed"


class Visit:
    """A fresh browser at a page. `complaints`: errors of scripts, and what the page's own policy forbade."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def faults(self) -> list[str]:
        """What axe finds in the page as it is now, whatever the impact."""
        found = (await Axe().run(self.page)).response["violations"]
        return [f"{fault['id']} ({fault['impact']}): {fault['nodes'][0]['html']}" for fault in found]

    async def keeps(self) -> list[Any]:
        """Everything that the browser would still have later."""
        stored = await self.page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
        return [*await self.page.context.cookies(), *stored]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_NO_COMPLAINT):
            self.complaints.append(message.text)


@asynccontextmanager
async def visit(url: str, **context: Any) -> AsyncIterator[Visit]:
    """Go there. `context`: of the browser, such as its ``viewport``."""
    async with async_playwright() as driver, await driver.chromium.launch(executable_path=_program()) as browser:
        page = await browser.new_page(**context)
        page.set_default_timeout(_PATIENCE)
        made = Visit(page)
        await page.goto(url)
        yield made


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)
