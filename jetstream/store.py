"""The store directory of a nats-server that is stopped: where its copy of a stream stands, and how it is taken out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from octonet.kernel.errors import Invalid


class _About(msgspec.Struct, frozen=True):
    account: str = ""
    stream: str = ""
    type: str = ""


class _Meta(msgspec.Struct, frozen=True):
    metadata: _About | None = None


_meta = msgspec.json.Decoder(_Meta)


class Store:
    """`directory` is the `store_dir` of the server's configuration, or the folder ``jetstream`` in it."""

    def __init__(self, directory: Path) -> None:
        """Raises `Invalid` for a directory that is no store of a server of a cluster."""
        inner = directory / "jetstream"
        self._root = inner if inner.is_dir() else directory
        self._groups = self._root / "$SYS" / "_js_"
        if not (self._groups / "_meta_").is_dir():
            raise Invalid(f"{directory} is not the store of a nats-server of a cluster: name its store_dir")

    def in_use(self) -> int:
        """The process that has files of it open; 0 when none is seen, which counts for processes of the same user (of
        all, for root)."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                opened = [os.readlink(file) for file in (process / "fd").iterdir()]
            except OSError:
                continue
            if any(Path(name).is_relative_to(self._root.absolute()) for name in opened):
                return int(process.name)
        return 0

    def copies(self, stream: str) -> list[Path]:
        """The folders that make up the copy of a stream: its messages, and the state of the group that keeps its copies
        alike. None when there is no copy. Raises `Invalid` when several accounts have such a stream."""
        streams = list(self._root.glob(f"*/streams/{stream}"))
        if len(streams) > 1:
            raise Invalid(f"several accounts of {self._root} have a stream {stream}")
        # A stream that is gone already may have left its group, or the other way round.
        return [*streams, *(group for group in self._groups.iterdir() if _belongs(group, stream))]

    def remove(self, stream: str) -> None:
        """Take the copy out, so that the server fetches it anew from the others when it starts."""
        for folder in self.copies(stream):
            shutil.rmtree(folder)


def _belongs(group: Path, stream: str) -> bool:
    try:
        found = _meta.decode((group / "meta.inf").read_bytes()).metadata
    except (OSError, msgspec.DecodeError):
        return False
    return found is not None and found.type == "stream" and found.stream == stream
