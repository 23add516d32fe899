"""$batch in both its formats, and change sets that happen as a whole or not at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.acceptance.odata_site import Site, batch, change_set, multipart, opened, part, served
from tests.running import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("odata")) as found:
        yield found


@pytest.fixture
async def site(server: Server) -> AsyncIterator[Site]:
    async with opened(server) as found:
        yield found


async def test_a_batch_is_answered_in_its_order_up_to_the_first_failure(site: Site, server: Server) -> None:
    parts = [
        part("GET authors?$top=1"), part("GET /odata/authors/$count"), part("GET authors('nobody')"),
        part(f"GET {server.url}/odata/tags?$top=0"),
    ]  # fmt: skip
    told, found = await batch(site, multipart(*parts))
    assert (told.status, found) == (200, [200, 200, 404])
    told, found = await batch(site, multipart(*parts), Prefer="odata.continue-on-error")
    assert (told.headers["Preference-Applied"], found) == ("odata.continue-on-error", [200, 200, 404, 200])


async def test_a_change_set_happens_as_a_whole_or_not_at_all(site: Site) -> None:
    good = change_set(
        part("POST authors", "1", {"email": "cs1@x"}),
        part("POST $1/books", "2", {"title": "of $1"}),
        part("PATCH $1", "3", {"name": "Set"}),
        part("POST books", "4", {"title": "bound", "author@odata.bind": "$1"}),
    )
    told, found = await batch(site, multipart(good, part("GET $1?$expand=books")))
    assert found == [201, 201, 200, 201, 200], told.text
    last = json.loads(told.text[told.text.rindex('{"@odata.context"') :].splitlines()[0])
    assert (last["name"], sorted(book["title"] for book in last["books"])) == ("Set", ["bound", "of $1"])
    bad = change_set(part("POST authors", "1", {"email": "cs2@x"}), part("PATCH authors('nobody')", "2", {"name": "x"}))
    told, found = await batch(site, multipart(bad, part("GET authors")), Prefer="continue-on-error")
    assert found == [404, 200]
    assert (await site.get("authors/$count?$filter=email eq 'cs2@x'")).text == "0"


async def test_json_batches_say_what_multipart_says(site: Site) -> None:
    requests = [
        {"id": "1", "method": "post", "url": "authors", "atomicityGroup": "g", "body": {"email": "jb1@x"}},
        {"id": "2", "method": "POST", "url": "$1/books", "atomicityGroup": "g", "body": {"title": "J"}},
        {"id": "3", "method": "GET", "url": "/odata/$1/books/$count", "dependsOn": ["g"]},
        {"id": "4", "method": "GET", "url": "$1/books", "dependsOn": ["g"]},
    ]
    told = await site.ask("POST", "$batch", {"requests": [requests[0], requests[1], requests[3]]})
    answers = told.json["responses"]
    assert [(each["id"], each["status"]) for each in answers] == [("1", 201), ("2", 201), ("4", 200)]
    assert answers[2]["body"]["value"][0]["title"] == "J"
    refused: list[tuple[list[Any], str]] = [
        ([{"id": "1", "method": "GET"}], "INVALID_BATCH"),
        ([{"id": "1", "url": "x", "method": "DANCE"}], "INVALID_BATCH"),
        ([{"id": "1", "method": "GET", "url": "a", "dependsOn": ["9"]}], "INVALID_BATCH"),
        ([{"id": str(n), "method": "GET", "url": "tags"} for n in range(101)], "BATCH_TOO_LARGE"),
        ([{"id": "1", "method": "GET", "url": "tags", "if": "true"}], "INVALID_BATCH"),
    ]  # fmt: skip
    for wrong, code in refused:
        status = 413 if code == "BATCH_TOO_LARGE" else 400
        assert (await site.ask("POST", "$batch", {"requests": wrong})).code == (status, code)


async def test_a_batch_within_a_batch_and_an_address_of_elsewhere_are_refused(site: Site) -> None:
    for url in ("$batch", "/api/v1/Author", "/odata2/authors", "http://other/rest"):
        told, found = await batch(site, multipart(part(f"POST {url}", "1", {})))
        assert found == [400], told.text
        assert "INVALID_BATCH" in told.text


async def test_a_batch_is_repeated_under_its_key(site: Site) -> None:
    body = multipart(
        part("POST authors", "1", {"email": "bk1@x"}),
        change_set(part("POST authors", "2", {"email": "bk2@x"}), part("POST $2/books", "3", {"title": "bk"})),
    )
    told = [await batch(site, body, Idempotency_Key="batch-key") for _ in range(2)]
    assert [found for _, found in told] == [[201, 201, 201]] * 2
    assert (await site.get("authors/$count?$filter=startswith(email,'bk')")).text == "2"
    assert (await site.get("books/$count?$filter=title eq 'bk'")).text == "1"


async def test_what_a_batch_accepts_says_nothing_of_its_parts(site: Site) -> None:
    _, found = await batch(site, multipart(part("GET authors?$top=1")), Accept="multipart/mixed")
    assert found == [200]
    told = await site.ask("POST", "$batch", "", Content_Type="multipart/mixed; boundary=b", If_Match='"1"')
    assert told.code == (400, "UNKNOWN_MEMBER")
