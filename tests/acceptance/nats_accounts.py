"""A nats-server's accounts as an operator makes them: JWTs, signed by nkeys."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import nkeys

_UNBOUNDED = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
_STORAGE = ("mem_storage", "disk_storage", "streams", "consumer")


class Signer:
    """One nkey, of the kind that the prefix says."""

    def __init__(self, prefix: int) -> None:
        self.seed = bytes(nkeys.encode_seed(os.urandom(32), prefix))
        self.public = nkeys.from_seed(bytearray(self.seed)).public_key.decode()

    def jwt(self, of: Signer, name: str, claims: dict[str, Any]) -> str:
        """What this one says of another, or of itself."""
        said = {"jti": name, "iat": int(time.time()), "iss": self.public, "name": name, "sub": of.public}
        text = f"{_part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_part({**said, 'nats': {'version': 2, **claims}})}"
        signature = nkeys.from_seed(bytearray(self.seed)).sign(text.encode())
        return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def decentralised(directory: Path) -> tuple[str, str]:
    """The configuration of a server whose users come with credentials, and the file of one who may enter."""
    operator, account, system = (
        Signer(prefix) for prefix in (nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_ACCOUNT)
    )
    user = Signer(nkeys.PREFIX_BYTE_USER)
    limits = {**dict.fromkeys(_UNBOUNDED, -1), "wildcards": True}
    claims = {"type": "account", "limits": {**limits, **dict.fromkeys(_STORAGE, -1)}}
    entered = account.jwt(user, "octonet", {"type": "user", **dict.fromkeys(("subs", "data", "payload"), -1)})
    file = directory / "octonet.creds"
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{entered}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    config = (
        f"operator: {operator.jwt(operator, 'operator', {'type': 'operator'})}\n"
        f"system_account: {system.public}\nresolver: MEMORY\nresolver_preload: {{\n"
        f"  {account.public}: {operator.jwt(account, 'octonet', claims)}\n"
        f"  {system.public}: {operator.jwt(system, 'system', {'type': 'account', 'limits': limits})}\n}}"
    )
    return config, str(file)


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
