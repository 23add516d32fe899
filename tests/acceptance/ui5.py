"""A page with SAP UI5's OData client in it, served from the npm package, as an application has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests import peers

_PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>UI5</title>
<script src="/resources/ui5loader.js"></script>
<script id="sap-ui-bootstrap" src="/resources/ui5loader-autoconfig.js" data-sap-ui-async="true"></script>
</head><body></body></html>"""


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The address of the page."""
    sources = peers.HERE / "node_modules" / "@openui5" / "sap.ui.core" / "src"

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    application = web.Application()
    application.router.add_get("/", page)
    application.router.add_static("/resources", sources)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
