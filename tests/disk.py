"""A disk of our own whose power can be cut: a file system in a file, shut down without writing back what is cached."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from pathlib import Path

import pytest

_EXT4_IOC_SHUTDOWN = 0x8004587D
_WITHOUT_LOG_FLUSH = 2


class Disk:
    """An ext4 file system in `image`, mounted at `path`."""

    def __init__(self, image: Path, megabytes: int) -> None:
        self._image = image
        self.path = image.with_suffix(".mount")
        self.path.mkdir()
        with image.open("wb") as file:
            file.truncate(megabytes * 1024 * 1024)
        try:
            _run("mkfs.ext4", "-q", "-F", str(image))
            self._mount()
        except (OSError, subprocess.CalledProcessError) as problem:
            pytest.skip(f"no loop device can be mounted here, so no power can be cut: {problem}")

    def cut_power(self) -> None:
        """From now on nothing reaches the disk, and what was not synced is gone."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _EXT4_IOC_SHUTDOWN, struct.pack("I", _WITHOUT_LOG_FLUSH))
        finally:
            os.close(handle)

    def restore_power(self) -> None:
        """Mount what is left. Every process that had a file open must be gone."""
        _run("umount", str(self.path))
        self._mount()

    def remove(self) -> None:
        """Unmount for good."""
        _run("umount", str(self.path))

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
