"""Where a request comes from is what the last trusted proxy heard, and never what its sender says of itself."""

from __future__ import annotations

import pytest

from octonet.access.origin import networks, origin
from octonet.kernel.errors import ValidationError

TRUSTED = networks("10.0.0.0/8, 192.0.2.1, 2001:db8::/32")


@pytest.mark.parametrize(
    ("address", "forwarded", "found"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.1.2.3", "198.51.100.7", "198.51.100.7"),
        ("10.1.2.3", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.1.2.3", "203.0.113.9, 198.51.100.7, 192.0.2.1", "198.51.100.7"),
        ("10.1.2.3", "10.9.9.9", "10.9.9.9"),
        ("10.1.2.3", "nonsense", "10.1.2.3"),
        ("10.1.2.3", "198.51.100.7, nonsense", "10.1.2.3"),
        ("2001:db8::5", "2a00::1", "2a00::1"),
        ("", "198.51.100.7", ""),
    ],
)
def test_the_last_one_whom_no_trusted_proxy_has_is_the_origin(address: str, forwarded: str, found: str) -> None:
    assert origin(address, forwarded, TRUSTED) == found


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValidationError):
        networks("10.0.0.0/8, here")
