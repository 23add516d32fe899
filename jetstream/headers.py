"""The only place that spells a header."""

from __future__ import annotations

from typing import Final

EXPECTED_LAST_SEQUENCE: Final = "Nats-Expected-Last-Sequence"
EXPECTED_LAST_SUBJECT_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"
BATCH_ID: Final = "Nats-Batch-Id"
BATCH_SEQUENCE: Final = "Nats-Batch-Sequence"
BATCH_COMMIT: Final = "Nats-Batch-Commit"
MESSAGE_ID: Final = "Nats-Msg-Id"
LAST_STREAM: Final = "Nats-Last-Stream"
PENDING_MESSAGES: Final = "Nats-Pending-Messages"

POSITION: Final = "Octonet-Position"
"""The fact's place in the log, as clients hold it."""
COMMAND: Final = "Octonet-Command"
KEY: Final = "Octonet-Key"
ACCOUNT: Final = "Octonet-Account"
USER: Final = "Octonet-User"
ORIGIN: Final = "Octonet-Origin"
TRANSPORT: Final = "Octonet-Transport"
CORRELATION: Final = "Octonet-Correlation"
CAUSATION: Final = "Octonet-Causation"
SCHEMA: Final = "Octonet-Schema"
PROJECT: Final = "Octonet-Project"
FRAME: Final = "Octonet-Frame"
"""The sequence of a frame on its command stream."""
REASON: Final = "Octonet-Reason"
TIME: Final = "Octonet-Time"
TRACEPARENT: Final = "traceparent"

CE_SPEC_VERSION: Final = "ce-specversion"
CE_ID: Final = "ce-id"
CE_SOURCE: Final = "ce-source"
CE_TYPE: Final = "ce-type"
CE_SUBJECT: Final = "ce-subject"
CE_TIME: Final = "ce-time"
