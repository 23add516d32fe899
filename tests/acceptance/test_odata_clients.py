"""OData's clients and readers of metadata, as other people wrote them."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from odata import ODataError, ODataService

from tests import peers
from tests.running import Server

LIBRARY = Path(__file__).parents[1] / "conformance" / "library.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("clients") / "data", LIBRARY) as found:
        yield found
    assert "Traceback" not in found.log()


def metadata(server: Server, accept: str, **headers: str) -> str:
    named = {"Accept": accept, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/odata/$metadata", None, named)) as reply:
        assert reply.headers["Content-Type"].startswith(accept)
        return str(reply.read().decode())


async def test_python_odata_makes_classes_of_the_metadata_and_works_with_them(server: Server) -> None:
    await asyncio.to_thread(_python_odata, server.url)


def _python_odata(url: str) -> None:
    service = ODataService(f"{url}/odata/", reflect_entities=True, quiet_progress=True)
    author, book = service.entities["authors"], service.entities["books"]
    made = author()
    made.email, made.name, made.rating, made.active = "p@odata.org", "Python", 3, True
    service.save(made)
    assert (made.rating, len(made.id)) == (3, 36)
    assert made.createdAt is not None
    made.rating = 4
    service.save(made)
    volume = book()
    volume.title, volume.author = "Snakes", made
    service.save(volume)
    query = service.query(author)
    [found] = query.filter(author.name == "Python").filter("rating gt 3").order_by(author.name.desc()).all()
    assert (found.id, found.rating) == (made.id, 4)
    assert query.filter(author.name.contains("yth")).count() == 1
    [expanded] = query.raw({"$filter": f"id eq '{made.id}'", "$expand": "books($select=title)"})
    assert [each["title"] for each in expanded["books"]] == ["Snakes"]
    # A list of more than a page, link by link.
    tags = service.entities["tags"]
    for number in range(105):
        tag = tags()
        tag.label = f"label {number:03}"
        service.save(tag)
    assert [tag.label for tag in service.query(tags).order_by(tags.label.asc())][-1] == "label 104"
    service.delete(volume)
    with pytest.raises(ODataError) as refused:
        service.query(author).raw({"$filter": "nope eq 1"})
    assert refused.value.code == "UNKNOWN_FIELD"


async def test_the_javascript_client_reads_writes_acts_and_batches(server: Server) -> None:
    async with peers.started("odata.mjs") as peer:
        told = await peer.ask({"do": "client", "url": server.url})
    assert told["again"]["name"] == "Changed"
    assert [row["rating"] for row in told["found"]] == [4]
    assert told["page"]["@odata.count"] >= 1
    assert all("books" in row for row in told["page"]["value"])
    assert (told["count"], told["acted"]["rating"]) == (1, 7)
    assert [status for status, _ in told["batched"]] == [status for status, _ in told["json"]] == [201, 201, 200]
    assert "email" in told["refused"]


async def test_readers_of_metadata_find_every_type_in_it(server: Server) -> None:
    xml = metadata(server, "application/xml")
    async with peers.started("odata.mjs") as peer:
        told = await peer.ask({"do": "edmx", "xml": xml})
    author = told["types"]["Author"]
    assert author["keys"] == ["id"]
    assert author["properties"]["born"] == "Edm.DateTimeOffset"
    assert author["properties"]["keywords"] == "Collection(Edm.String)"
    assert author["navigations"] == {
        "tags": "MostaJS.Tag", "notes": "MostaJS.Note", "mentor": "MostaJS.Author", "books": "MostaJS.Book"
    }  # fmt: skip
    assert ["books", "MostaJS.Book"] in told["sets"]


@pytest.mark.parametrize("version", ["4.0", "4.01"])
async def test_both_spellings_of_the_metadata_say_the_same(server: Server, version: str) -> None:
    """By the reference converter from XML to JSON, and by the JSON schema of CSDL."""
    xml = metadata(server, "application/xml", OData_MaxVersion=version)
    document = json.loads(metadata(server, "application/json", OData_MaxVersion=version))
    async with peers.started("odata.mjs") as peer:
        converted = await peer.ask({"do": "csdl", "xml": xml})
    assert _plain(document) == _plain(converted)
    text = (peers.HERE / "node_modules/odata-csdl/schemas/csdl.schema.json").read_text()
    # Python knows no classes of Unicode in patterns; there are only ASCII names here.
    classes = {"L": "[A-Za-z]", "Nd": "[0-9]"}
    schema = json.loads(re.sub(r"\\\\p\{(\w+)\}", lambda found: classes.get(found[1], "(?!)"), text))
    faults = [error.message for error in Draft7Validator(schema).iter_errors(document)]
    assert faults == []


def _plain(value: Any, name: str = "") -> Any:
    """Without what the two spell differently by nature: where vocabularies are, and how annotations are attached."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in ("$Reference", "$Annotations") and not k.startswith("@")}
        return {k: _plain(v, k) for k, v in kept.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
