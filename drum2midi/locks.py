"""Locks: one process at a time works on a file or in a folder.

They go with the process, however it ends; where the system or the disk has none, nothing is held.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from drum2midi.errors import InputError

LOCK: Final = "lock"
"""Name of what is locked in a folder that is worked in."""


def hold(file: FileIO, path: Path, *, what: str) -> None:
    """Lock an open file for this process.

    Parameters
    ----------
    file : FileIO
        Where `path` leads.
    path : Path
    what : str
        The command that may hold it already.

    Raises
    ------
    InputError
        If it does, or the path leads elsewhere by now.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = is_there(file, path)
    except BlockingIOError:
        held = False
    except OSError:  # a file system without locks
        return
    if not held:
        raise InputError(f"{path}: another drum2midi {what} is at work on it")


def is_there(file: FileIO, path: Path) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except OSError:
        return False


@contextmanager
def working_in(folder: Path, *, what: str) -> Iterator[None]:
    """Hold a folder, which is made if it is not there, until the block ends.

    Raises
    ------
    InputError
        If another process of the command `what` holds it, or it cannot be written.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab", buffering=0)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from None
    with file:
        try:
            hold(file, path, what=what)
        except InputError:
            raise InputError(f"{folder}: another drum2midi {what} is at work in it") from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
