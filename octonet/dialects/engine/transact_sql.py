"""Transact-SQL, as SQL Server and SAP ASE have it in common."""

from __future__ import annotations

import re
from typing import Final

_TRANSACTIONS: Final = (
    (re.compile(r"^COMMIT$"), "COMMIT TRANSACTION"),
    (re.compile(r"^ROLLBACK$"), "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"),
    (re.compile(r"^SAVEPOINT (\w+)$"), r"SAVE TRANSACTION \1"),
    (re.compile(r"^ROLLBACK TO SAVEPOINT (\w+)$"), r"ROLLBACK TRANSACTION \1"),
    # It ends with its transaction.
    (re.compile(r"^RELEASE SAVEPOINT \w+$"), ""),
)


def words(text: str) -> str:
    """How a transaction's ends and savepoints are spelled; empty where there is nothing to say."""
    for form, said in _TRANSACTIONS:
        if form.match(text):
            return form.sub(said, text)
    return text
