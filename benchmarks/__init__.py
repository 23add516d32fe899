"""Octonet measured against a bare aiohttp server and the obvious direct design, interleaved in one run."""
