"""Every error Octonet answers with: a kind that transports map, a stable code that clients may switch on.

OctonetError
├── Invalid            the request itself is wrong: nothing was tried
│   └── ValidationError     a value does not fit the schema
├── NotFound           what was named does not exist
├── Conflict           the state of the data forbids it
│   ├── ConstraintViolation     a database constraint said no
│   ├── InFlight                the same idempotency key is under way
│   └── VersionMismatch         a condition on the row's version does not hold
├── Unavailable        try again later: nothing is known to be wrong with the request
│   ├── StorageUnavailable      the database is away
│   ├── NoRoom                  the log or the command stream can store no more for now
│   └── OutcomeUnknown          the command is recorded, its outcome not yet known
├── Unauthenticated    nobody knows who asks
├── Denied             they may not do that
├── Exhausted          a limit was reached
│   └── TooLarge                more than a message can hold
└── Internal           our fault
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final

import msgspec

TOO_MANY_ROWS: Final = "TOO_MANY_ROWS"
"""The code of a command that changes more than its database takes at once."""
CHANGE_SET_REFUSED: Final = "CHANGE_SET_REFUSED"
"""The code of a command that was refused because another one of its change set was."""


class Kind(StrEnum):
    """What a caller can do about an error; the only thing a transport maps."""

    INVALID = "invalid"
    UNPROCESSABLE = "unprocessable"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    DENIED = "denied"
    UNAUTHENTICATED = "unauthenticated"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong, and where: `path` is a JSON path such as ``$.filter.age.$foo``."""

    path: str
    message: str


class OctonetError(Exception):
    """Something went wrong."""

    kind: ClassVar[Kind] = Kind.INTERNAL
    default_code: ClassVar[str] = "INTERNAL"
    retry_after: int = 0
    """Seconds after which the same request may fare better; 0: it will not."""

    def __init__(self, message: str | None = None, *, code: str | None = None, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message or self.__doc__)
        self.code = code or self.default_code
        self.faults = faults

    @property
    def message(self) -> str:
        """The sentence for the caller."""
        return str(self)


class Invalid(OctonetError):
    """The request is malformed."""

    kind = Kind.INVALID
    default_code = "INVALID_REQUEST"


class ValidationError(OctonetError):
    """The values do not fit the schema."""

    kind = Kind.UNPROCESSABLE
    default_code = "VALIDATION_ERROR"


class NotFound(OctonetError):
    """There is no such thing."""

    kind = Kind.NOT_FOUND
    default_code = "NOT_FOUND"


class Conflict(OctonetError):
    """The current state of the data forbids this."""

    kind = Kind.CONFLICT
    default_code = "CONFLICT"


class InFlight(Conflict):
    """A request with this idempotency key is under way: try again for its outcome."""

    default_code = "IDEMPOTENCY_KEY_IN_FLIGHT"
    retry_after = 1


class VersionMismatch(Conflict):
    """The row does not have the version that was expected."""

    default_code = "VERSION_MISMATCH"


class ConstraintViolation(Conflict):
    """A database constraint was violated."""

    default_code = "CONSTRAINT_VIOLATION"


class Unauthenticated(OctonetError):
    """API key required. Pass it via X-API-Key header or Authorization: Bearer."""

    kind = Kind.UNAUTHENTICATED
    default_code = "UNAUTHORIZED"


class Denied(OctonetError):
    """This is not allowed."""

    kind = Kind.DENIED
    default_code = "FORBIDDEN"


class Exhausted(OctonetError):
    """A limit was reached."""

    kind = Kind.EXHAUSTED
    default_code = "LIMIT_REACHED"


class Unavailable(OctonetError):
    """The service is not available at the moment."""

    kind = Kind.UNAVAILABLE
    default_code = "UNAVAILABLE"
    retry_after = 1


class StorageUnavailable(Unavailable):
    """The database is not available at the moment."""

    default_code = "DB_NOT_CONNECTED"


class NoRoom(Unavailable):
    """There is no room to record anything at the moment."""

    default_code = "NO_ROOM"


class OutcomeUnknown(Unavailable):
    """The command is recorded, but its outcome is not known yet."""

    default_code = "OUTCOME_UNKNOWN"


class TooLarge(Exhausted):
    """The command is larger than a message can be."""

    default_code = "COMMAND_TOO_LARGE"


class Internal(OctonetError):
    """Something went wrong inside Octonet."""


def validation(path: str, message: str, *, code: str | None = None) -> ValidationError:
    """A validation error about one place."""
    return ValidationError(f"{path}: {message}", code=code, faults=(Fault(path, message),))


def invalid(path: str, message: str, *, code: str | None = None) -> Invalid:
    """A malformed request, about one place."""
    return Invalid(f"{path}: {message}", code=code, faults=(Fault(path, message),))
