"""Documents that are kept on the server: clients name them instead of sending them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from octonet.kernel.errors import Invalid, NotFound, invalid
from transports.engine.graphql.settings import GraphqlSettings
from transports.engine.graphql.wanted import Wanted

_PERSISTED: Final = "persistedQuery"


class Persisted:
    """The documents of a folder, by file name without suffix, and by the SHA-256 of their text in hex. They are read
    once; whoever changes them restarts the server."""

    def __init__(self, settings: GraphqlSettings) -> None:
        self._only = settings.only_documents
        self._known: dict[str, str] = {}
        if settings.documents:
            for path in sorted(Path(settings.documents).glob("*.graphql")):
                text = path.read_text("utf-8")
                self._known[path.stem] = self._known[sha256(text.encode()).hexdigest()] = text

        self._texts = frozenset(self._known.values())

    def text(self, wanted: Wanted) -> str:
        """The document that is meant. Raises `NotFound` with code PERSISTED_QUERY_NOT_FOUND, `Invalid`."""
        name = wanted.document or (self._hash(wanted) if wanted.extensions else "")
        if not name:
            if self._only and wanted.query not in self._texts:
                sentence = "only documents that are kept here are executed: name one with documentId"
                raise Invalid(sentence, code="PERSISTED_QUERY_ONLY")
            return wanted.query
        found = self._known.get(name)
        if found is None:
            # Clients that know this answer send the whole document then.
            if wanted.query and not self._only and not wanted.document:
                return self._checked(wanted.query, name)
            raise NotFound("PersistedQueryNotFound", code="PERSISTED_QUERY_NOT_FOUND")
        if wanted.query and wanted.query != found:
            raise invalid("$.query", "is not the document that is named beside it", code="PERSISTED_QUERY_MISMATCH")
        return found

    def _hash(self, wanted: Wanted) -> str:
        found = wanted.extension(_PERSISTED)
        if not isinstance(found, dict):
            return ""
        named = found.get("sha256Hash")
        if not isinstance(named, str) or found.get("version") != 1:
            raise invalid("$.extensions.persistedQuery", "needs version 1 and a sha256Hash")
        return named

    def _checked(self, query: str, name: str) -> str:
        if sha256(query.encode("utf-8", "surrogatepass")).hexdigest() != name:
            sentence = "is not the SHA-256 of the document"
            raise invalid("$.extensions.persistedQuery.sha256Hash", sentence, code="PERSISTED_QUERY_MISMATCH")
        return query
