"""What a program may do on NATS that only listens: a user of its own, who can forge nothing, and hears only facts.

It cannot ask JetStream either: a stream's name is no subject that could be granted by pattern, and the server delivers
what a consumer is made for to whatever subject its maker names, commands included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from jetstream import subjects

USER: Final = "facts"
INBOX: Final = "_INBOX_facts"
"""Of its own: on the common one it would hear what workers are answered, log entries included."""

_HEARS: Final = (subjects.FACTS, f"{INBOX}.>")


def user(password: str, operations: Collection[str]) -> str:
    """This user, as the server's configuration wants it. What is asked for by these operations is hidden from it:
    requests have subjects of the same shape as facts, and carry keys."""
    hears, hidden = _quoted(_HEARS), _quoted(subjects.every_request(operations))
    grants = f'{{ publish: {{ deny: ">" }}, subscribe: {{ allow: [{hears}], deny: [{hidden}] }} }}'
    return f'{{ user: {USER}, password: "{password}", permissions: {grants} }}'


def _quoted(found: Iterable[str]) -> str:
    return ", ".join(f'"{subject}"' for subject in found)
