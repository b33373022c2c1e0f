"""What two processes need is computed by one of them, while the other waits for it."""

from __future__ import annotations

import getpass
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


def _lock_file(path: Path) -> Path:
    # In the machine's own folder for such things: a cache may lie on a network file system that
    # knows no locks, and holds only what was computed.
    folder = Path(tempfile.gettempdir()) / f"elrcn-locks-{getpass.getuser()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]}.lock"


@contextmanager
def computed_once(path: str | Path) -> Iterator[None]:
    """Let one process of this machine at a time make what lies at `path`.

    Whoever enters looks first whether it has been made meanwhile. The system frees the lock of a
    process that is killed. Where no lock can be had nothing is locked: the work may then be done
    twice, and every writer here replaces whole files at once.

    Parameters
    ----------
    path : path
        File or folder to be made.
    """
    lock = None
    try:
        lock = FileLock(_lock_file(Path(path)))
        lock.acquire()
    except (OSError, NotImplementedError, KeyError):
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
