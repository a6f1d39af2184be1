"""Floor 4. One run at a time in a folder of results: a lock that dies with the process that has it.

The operating system holds the lock (`flock` on `.macloom.lock`), so that a killed process leaves
nothing behind that would have to be recognised as stale; the file only says who has it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

NAME = ".macloom.lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Have a folder to oneself; it is made if it is not there.

    Raises
    ------
    ValueError
        If another process has it; the message names that process.
    OSError
        If the folder or the file in it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / NAME).open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise ValueError(
                f"{folder} is in use by {stream.read().strip() or 'another run'}: wait for it, "
                f"stop it, or take another folder (-o)"
            ) from None
        try:
            stream.truncate(0)
            stream.write(f"{_this_run()}\n")
            stream.flush()
            yield
        finally:
            stream.truncate(0)


def _this_run() -> str:
    words = " ".join(["macloom", *sys.argv[1:]])
    start = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    return f"process {os.getpid()} on {socket.gethostname()} since {start} ({words})"
