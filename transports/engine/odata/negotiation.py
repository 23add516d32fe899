"""Which version, format and preferences a request's headers ask for."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from octonet.kernel.errors import Invalid
from octonet.transport import Incoming
from transports.engine.render import Refused

_JSON: Final = "application/json"
_LEVELS: Final = ("none", "minimal", "full")
_VERSIONS: Final = ("4.0", "4.01")
_XML: Final = frozenset(("application/xml", "text/xml", "application/*", "*/*"))
_MOST: Final = 16


class Format(msgspec.Struct, frozen=True):
    """How JSON is written."""

    metadata: str = "minimal"
    ieee: bool = False
    """64-bit integers are texts."""

    @property
    def content_type(self) -> str:
        """As it is declared."""
        ieee = ";IEEE754Compatible=true" if self.ieee else ""
        return f"{_JSON};odata.metadata={self.metadata}{ieee};charset=utf-8"


class Preferences(msgspec.Struct, frozen=True):
    """What a client would like."""

    returns: str = ""
    """``minimal``, ``representation``, or nothing."""
    page: int | None = None
    track: bool = False
    go_on: bool = False
    """A batch does not end at its first error."""


def version(incoming: Incoming) -> str:
    """The version to answer in. Raises `Invalid`, code UNSUPPORTED_VERSION."""
    given = incoming.headers.get("odata-version")
    most = incoming.headers.get("odata-maxversion")
    if given is None and most is None:
        return "4.01"
    return _version(given, most)


@lru_cache(maxsize=64)
def _version(given: str | None, most: str | None) -> str:
    if given is not None and given not in _VERSIONS:
        raise Invalid(f"OData-Version must be one of {', '.join(_VERSIONS)}", code="UNSUPPORTED_VERSION")
    if most is None:
        return given or "4.01"
    try:
        number = float(most)
    except ValueError:
        number = 0.0
    if not number >= 4.0:
        raise Invalid("OData-MaxVersion must be 4.0 or higher", code="UNSUPPORTED_VERSION")
    return "4.0" if number < 4.01 else "4.01"


@lru_cache(maxsize=256)
def json_format(accept: str, option: str) -> Format:
    """The JSON format that is acceptable, $format winning over Accept. Raises `Refused` with 406."""
    if option:
        short = {"json": _JSON, "application/json": _JSON}.get(option.partition(";")[0].strip().lower())
        if short is None:
            raise Refused(406, "NOT_ACCEPTABLE", "this address is written in JSON only")
        return _format(option)
    if not accept:
        return Format()
    for media in _by_quality(accept):
        kind = media.partition(";")[0].strip().lower()
        if kind in (_JSON, "application/*", "*/*"):
            return _format(media)
    raise Refused(406, "NOT_ACCEPTABLE", "this address is written in JSON only")


@lru_cache(maxsize=64)
def as_xml(accept: str, option: str, version: str) -> bool:
    """Whether the metadata document is wanted as XML rather than JSON. Raises `Refused` with 406."""
    wanted = [option] if option else _by_quality(accept or "*/*")
    kinds = [media.partition(";")[0].strip().lower() for media in wanted]
    if version == "4.0" and not option and not _XML.isdisjoint(kinds):
        # There is no JSON of it in 4.0: whoever names both, as for every other address, means XML.
        return True
    for kind in kinds:
        if kind in ("json", _JSON):
            return False
        if kind == "xml" or kind in _XML:
            return True
    raise Refused(406, "NOT_ACCEPTABLE", "the metadata document is written in XML and JSON only")


@lru_cache(maxsize=64)
def accepts_text(accept: str) -> None:
    """Raises `Refused` with 406 where plain text is not acceptable."""
    kinds = [media.partition(";")[0].strip().lower() for media in _by_quality(accept or "*/*")]
    if not {"text/plain", "text/*", "*/*", _JSON, "application/*"}.intersection(kinds):
        raise Refused(406, "NOT_ACCEPTABLE", "this value is written as plain text only")


def _format(media: str) -> Format:
    level, ieee = "minimal", False
    for part in media.split(";")[1:]:
        name, _, value = part.partition("=")
        name, value = name.strip().lower().removeprefix("odata."), value.strip().lower().strip('"')
        if name == "metadata":
            if value not in _LEVELS:
                raise Refused(406, "NOT_ACCEPTABLE", f"metadata is one of {', '.join(_LEVELS)}")
            level = value
        elif name == "ieee754compatible":
            ieee = value == "true"
    return Format(level, ieee)


def _by_quality(accept: str) -> list[str]:
    """The media ranges, the most wanted first."""
    found: list[tuple[float, str]] = []
    for media in accept.split(",")[:_MOST]:
        quality = 1.0
        for part in media.split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if quality > 0:
            found.append((-quality, media))
    return [media for _, media in sorted(found, key=lambda entry: entry[0])]


def preferences(incoming: Incoming) -> Preferences:
    """What the Prefer header names; what nobody here knows is passed over, as RFC 7240 has it."""
    return _preferences(incoming.headers.get("prefer", ""))


@lru_cache(maxsize=256)
def _preferences(text: str) -> Preferences:
    found: dict[str, str] = {}
    for part in text.split(",")[:_MOST]:
        name, _, value = part.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower().removeprefix("odata."), value.strip().strip('"'))
    page = found.get("maxpagesize", "")
    returns = found.get("return", "").lower()
    go_on = found.get("continue-on-error")
    return Preferences(
        returns if returns in ("minimal", "representation") else "",
        int(page) if page.isascii() and page.isdecimal() and int(page[:9]) > 0 else None,
        "track-changes" in found,
        go_on is not None and go_on.lower() in ("", "true"),
    )
