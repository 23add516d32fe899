"""Errors as Flight tells them: a kind becomes a status; our stable code stands in the message, the whole error
is, as JSON, the `extra_info`.

Flight for Python has no status of its own for what is wrong with a request: those errors have the general one. Arrow's
errors, which would have one, carry the places in the server's program to the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from pyarrow import flight

from octonet.kernel.errors import Invalid, Kind, OctonetError
from transports.engine import render

_BY_KIND: Final[Mapping[Kind, type[flight.FlightError]]] = {
    Kind.UNAUTHENTICATED: flight.FlightUnauthenticatedError,
    Kind.DENIED: flight.FlightUnauthorizedError,
    Kind.UNAVAILABLE: flight.FlightUnavailableError,
    Kind.INTERNAL: flight.FlightInternalError,
}
_BY_CODE: Final[Mapping[str, type[flight.FlightError]]] = {
    "QUERY_TIMEOUT": flight.FlightTimedOutError,
    "OUTCOME_UNKNOWN": flight.FlightTimedOutError,
}
_encode = msgspec.json.Encoder().encode


class ClientGone(Exception):
    """The client went away, or cancelled the call: nobody is to be told anything."""


def unsupported(what: str) -> OctonetError:
    """What the protocol knows and this door does not do."""
    return Invalid(f"{what}: this door does not do that", code="NOT_SUPPORTED")


def told(problem: OctonetError) -> flight.FlightError:
    """The error as Flight has it."""
    made = _BY_CODE.get(problem.code) or _BY_KIND.get(problem.kind, flight.FlightServerError)
    message = render.speakable(problem.message)
    return made(f"{message} [{problem.code}]", extra_info=_encode(render.error_body(problem)))


def incident() -> flight.FlightError:
    """What a client is told of a fault of ours."""
    return flight.FlightInternalError(
        "something went wrong inside Octonet [INTERNAL]",
        extra_info=_encode(render.ErrorBody("INTERNAL", "something went wrong inside Octonet")),
    )


def gone() -> flight.FlightError:
    """The end of a call whose client is gone."""
    return flight.FlightCancelledError("the client went away")
