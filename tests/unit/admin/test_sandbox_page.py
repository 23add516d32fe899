"""The page of sandboxes runs nothing but itself, whatever text it shows."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.admin.sandbox_page import error_page, page, result_page
from octonet.transport import Reply

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        '"><script>alert(1)</script>',
        "' autofocus onfocus=alert(1) x='",
        "</code><img src=x onerror=alert(1)>",
        "$key",
        "&lt;",
    ]
)
SANDBOX = {
    "alias": "shop",
    "projectSlug": "sandbox-shop",
    "apiKey": "sk_test_secret",
    "prefix": "sk_test_s",
    "permissions": {},
    "expiresAt": "2026-12-02T21:14:39.000Z",
    "quota": {"reqPerDay": 500},
    "exampleCurl": "curl -H 'X-API-Key: sk_test_secret' http://127.0.0.1/api/v1/sandbox-shop/Product",
    "mcpUrl": "http://127.0.0.1/sandbox-shop/mcp",
    "rateLimitRemaining": 9,
    "message": "It is ready.",
}


class Seen(HTMLParser):
    """What a browser sees: the elements by name, their attributes and their text by id."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.text: dict[str, str] = {}
        self._in = ""
        self.feed(reply.body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self._in = dict(attrs).get("id") or tag
        self.attributes[self._in] = dict(attrs)

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        self.text[self._in] = self.text.get(self._in, "") + data


def _shown(reply: Reply) -> dict[str, bool]:
    found = Seen(reply).attributes
    return {id: "hidden" not in found[id] for id in ("ask", "result")}


def test_only_what_stands_in_the_page_may_run_or_style_it() -> None:
    policy = page().headers["Content-Security-Policy"]
    for tag in ("script", "style"):
        digest = hashlib.sha256(Seen(page()).text[tag].encode()).digest()
        assert f"{tag}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "unsafe" not in policy
    for reply in (error_page(400, "BAD_ALIAS", "no"), result_page(SANDBOX)):
        assert reply.headers == page().headers
        assert Seen(reply).text["script"] == Seen(page()).text["script"]


def test_the_page_needs_nothing_from_elsewhere() -> None:
    found = Seen(page())
    linked = [attributes.get(name) for attributes in found.attributes.values() for name in ("src", "href", "action")]
    assert {link.partition(",")[0] for link in linked if link} == {"data:image/svg+xml", "/try"}


def test_a_page_shows_the_form_or_the_sandbox() -> None:
    assert _shown(page()) == _shown(error_page(409, "ALIAS_TAKEN", "taken")) == {"ask": True, "result": False}
    assert _shown(result_page(SANDBOX)) == {"ask": False, "result": True}


def test_the_sandbox_is_told_whole() -> None:
    reply = result_page(SANDBOX)
    told = Seen(reply).text
    assert (reply.status, reply.content_type) == (201, "text/html; charset=utf-8")
    assert (told["key"], told["project"], told["quota"]) == ("sk_test_secret", "sandbox-shop", "500")
    assert (told["curl"], told["mcp"]) == (SANDBOX["exampleCurl"], SANDBOX["mcpUrl"])
    assert (told["until"], told["message"]) == ("2026-12-02 21:14 UTC", "It is ready.")


def test_a_sandbox_that_is_not_whole_is_no_page() -> None:
    with pytest.raises(msgspec.ValidationError, match="apiKey"):
        result_page({name: value for name, value in SANDBOX.items() if name != "apiKey"})


@given(alias=TEXT, message=TEXT)
def test_no_name_and_no_message_becomes_markup(alias: str, message: str) -> None:
    found = Seen(error_page(400, "BAD_ALIAS", message, alias=alias))
    assert found.tags == Seen(page()).tags
    assert found.attributes["alias"]["value"] == alias
    assert found.text["alias-error"].removesuffix(".") == message.removesuffix(".")


@given(TEXT)
def test_nothing_that_is_told_of_a_sandbox_becomes_markup(text: str) -> None:
    names = ("projectSlug", "apiKey", "expiresAt", "exampleCurl", "mcpUrl", "message")
    found = Seen(result_page({**SANDBOX, **dict.fromkeys(names, text)}))
    assert found.tags == Seen(result_page(SANDBOX)).tags
    assert found.text.get("key", "") == text


@pytest.mark.parametrize(
    ("code", "is_the_name"),
    [("BAD_ALIAS", "true"), ("ALIAS_TAKEN", "true"), ("RATE_LIMIT", "false"), ("UNAVAILABLE", "false")],
)
def test_the_field_is_wrong_only_where_another_name_would_do(code: str, is_the_name: str) -> None:
    found = Seen(error_page(400, code, "no")).attributes
    assert (found["alias"]["aria-invalid"], found["alias-error"]["data-code"]) == (is_the_name, code)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "Not now."), (1, "Not now. Try again in a minute."), (61, "Not now. Try again in 2 minutes.")],
)
def test_whoever_must_wait_is_told_how_long(seconds: int, told: str) -> None:
    reply = error_page(429, "RATE_LIMIT", "Not now", retry_after=seconds)
    assert Seen(reply).text["alias-error"] == told
    assert reply.headers.get("Retry-After") == (str(seconds) if seconds else None)
