"""The Java machine in which HSQLDB's driver runs: one for each process, started when it is needed first, and never by a
process that forks afterwards."""

from __future__ import annotations

import glob
import os
import threading
from functools import cache
from typing import Any, Final

import jpype
import jpype.config

from octonet.kernel.errors import Invalid

_CODE: Final = "DRIVER_MISSING"
_PLACES: Final = ("/usr/share/java/hsqldb.jar", "/usr/local/share/java/hsqldb.jar")
"""Where distributions put the driver."""
_OPTIONS: Final = (
    # Signals are Python's.
    "-Xrs",
    # It does little, and must not take the server's processors for it.
    "-XX:+UseSerialGC",
)
_starting: Final = threading.Lock()


def start() -> None:
    """Start it, unless it runs: blocks for some tenths of a second. Raises `Invalid`, code DRIVER_MISSING, with a
    sentence that says what to install."""
    with _starting:
        if not jpype.isJVMStarted():
            jar, machine = _jar(), _machine()
            # Java's hook at the end of a process would wait for calls that hang.
            jpype.config.onexit = False
            jpype.startJVM(machine, *_OPTIONS, classpath=[jar], convertStrings=True)


@cache
def java(name: str) -> Any:
    """A class of Java, which has no types in Python. The machine must run."""
    return jpype.JClass(name)


def _machine() -> str:
    try:
        return str(jpype.getDefaultJVMPath())
    except (jpype.JVMNotFoundException, jpype.JVMNotSupportedException) as problem:
        raise Invalid(
            "HSQLDB's driver needs Java, and none is found: install a runtime of version 11 or later (on Debian"
            f" default-jre-headless), or say in JAVA_HOME where it is ({problem})",
            code=_CODE,
        ) from problem


def _jar() -> str:
    """The driver. It is no part of an address: whoever may name a database must not thereby choose what is run."""
    named = [found for part in os.environ.get("CLASSPATH", "").split(os.pathsep) if part for found in glob.glob(part)]
    for place in (*(part for part in named if "hsqldb" in os.path.basename(part)), *_PLACES):
        if os.path.isfile(place):
            return place
    raise Invalid(
        "HSQLDB's driver, hsqldb.jar, is not found: install it (on Debian libhsqldb-java), or name it in CLASSPATH",
        code=_CODE,
    )
