"""Writing files whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from drum2midi.errors import InputError

WRITTEN_BY: Final = "drum2midi"

MARKS: Final = {
    ".mid": f"written by {WRITTEN_BY}",
    ".musicxml": f"<software>{WRITTEN_BY}</software>",
}
"""What a file that may be written over unasked has near its beginning, by suffix."""

_HEAD: Final = 4096


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there once it is written.

    A reader of `path` sees the old file or the whole new one, and a failure leaves
    nothing behind.

    Parameters
    ----------
    path : Path
        The file to write; of a link what it leads to. The temporary path has the same suffix and
        folder.

    Raises
    ------
    InputError
        If the folder does not exist or the file cannot be written there.
    """
    check_writable(path)
    target = Path(os.path.realpath(path))
    try:
        # Not the file's own name before it: together they may be too long for the disk.
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".drum2midi-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp's files are private, a user's are not, unless they made it so.
        before = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_MASK
        temporary.chmod(before)
        temporary.replace(target)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`, and move it there once it is filled.

    Parameters
    ----------
    folder : Path
        New or empty, see `check_new_folder`.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    try:
        building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".drum2midi-"))
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        yield building
        building.chmod(0o777 & ~_MASK)  # mkdtemp's folders are private
        building.replace(folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


FileState = tuple[Path, int, int]


def file_state(path: Path) -> FileState | None:
    """What differs when a file is another or has been written anew; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return path.resolve(), status.st_mtime_ns, status.st_size


def check_writable(path: Path) -> None:
    """Raise `InputError` if no file can be written to `path`; better before the work than after."""
    folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {folder}")
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder")
    if path.exists() and not path.is_file():
        raise InputError(f"cannot write {path}: it is not a file")
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write {path}: the folder is not yours to write in")
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"cannot write {path}: it is protected against writing")


def is_ours(path: Path, mark: str) -> bool:
    """Whether there is a file that this program wrote, with this mark near its beginning."""
    try:
        with path.open("rb") as file:
            return mark.encode() in file.read(_HEAD)
    except OSError:
        return False


def check_ours(path: Path, mark: str) -> None:
    """Raise `InputError` if there is a file that this program did not write: perhaps the truth."""
    if not is_ours(path, mark):
        check_new(path)


def check_new(path: Path) -> None:
    """Raise `InputError` if there is a file."""
    if path.exists():
        raise InputError(f"cannot write {path}: it is there already; -o names another or that one")


def check_named(path: Path) -> None:
    """Raise `InputError` if a file's name is not UTF-8, and so cannot stand in one of ours."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"{path}: its name is not UTF-8; rename it or a folder above it") from None


def check_apart(path: Path, recording: Path) -> None:
    """Raise `InputError` if writing `path` would write over the recording."""
    if path.exists() and recording.exists() and path.samefile(recording):
        raise InputError(f"cannot write {path}: it is the recording itself")


def check_new_folder(folder: Path) -> None:
    """Raise `InputError` if no folder can be made there, or one with something in it is there."""
    if folder.is_symlink():
        raise InputError(f"cannot write {folder}: it is a link; give a new folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"cannot write {folder}: there is something there already")
    if folder.resolve() == Path.cwd():
        raise InputError(f"cannot write {folder}: it is the current folder; give a new one")
    if not folder.resolve().parent.is_dir():
        raise InputError(f"cannot write {folder}: there is no folder {folder.parent}")
    if not os.access(folder.resolve().parent, os.W_OK):
        raise InputError(f"cannot write {folder}: the folder above is not yours to write in")


def _cannot_write(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror or error}")


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


_MASK: Final = _umask()
"""Read once: between two threads that read it, it could stay 0 for good."""
