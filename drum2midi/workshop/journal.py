"""A journal: lines that are on the disk once they are written, whatever is killed after."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from drum2midi.errors import InputError
from drum2midi.files import check_writable
from drum2midi.locks import hold, is_there

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One line of a journal, and its number from 1."""

    path: Path
    number: int
    fields: Mapping[str, Any]

    def error(self, reason: str) -> InputError:
        """An error that names the file and the line."""
        return InputError(f"{self.path}, line {self.number}: {reason}")


class Journal:
    """An append-only file of JSON lines that one process at a time holds.

    Attributes
    ----------
    path : Path
    entries : tuple of Entry
        What stood in it when it was opened. A last line that was cut short, because the
        process that wrote it was killed, counts as never written.

    Raises
    ------
    InputError
        If another process holds it, it cannot be written, or a line but the last is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_writable(path)
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from None
        try:
            hold(self._file, path, what="label")
            self._file.seek(0)
            kept, _, torn = self._file.readall().rpartition(b"\n")
            if torn:
                self._file.truncate(len(kept) + bool(kept))
            lines = kept.split(b"\n") if kept else []
            self.entries = tuple(_entry(path, i, line) for i, line in enumerate(lines, start=1))
            _sync_folder(path.parent)
        except BaseException:
            self._file.close()
            raise

    def append(self, fields: Mapping[str, Any]) -> None:
        """Write a line; it is on the disk when this returns, or nothing of it is.

        Raises
        ------
        InputError
            If the disk is full or gone, or the file was taken away or replaced.
        """
        line, size = _line(fields), os.fstat(self._file.fileno()).st_size
        if not is_there(self._file, self.path):
            raise InputError(f"cannot write {self.path}: it was taken away or replaced")
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(size)
            raise InputError(f"cannot write {self.path}: {error.strerror}") from None

    def rewrite(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Replace all lines by others, whole or not at all."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        try:
            fresh.write_bytes(b"".join(map(_line, entries)))
            file = fresh.open("a+b", buffering=0)
            # Before it takes the old one's place, so that it is never free.
            hold(file, fresh, what="label")
            os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise InputError(f"cannot write {self.path}: {error.strerror}") from None
        _sync_folder(self.path.parent)
        self._file.close()
        self._file = file

    def close(self) -> None:
        """Let go of it; an empty one is removed."""
        if self._file.closed:
            return
        if os.fstat(self._file.fileno()).st_size == 0 and is_there(self._file, self.path):
            self.path.unlink(missing_ok=True)
        self._file.close()


def journal_of(labels: Path) -> Path:
    """Where the journal of a labels file is."""
    return labels.with_name(f"{labels.name}.journal")


def warn_of_journal(labels: Path) -> None:
    """Say so if the journal beside a labels file says more than the file, after a kill."""
    try:
        lines = journal_of(labels).read_bytes().split(b"\n")
    except OSError:
        return
    if any(b'"did": "label"' in line or b'"did": "open"' in line for line in lines):
        _LOG.warning(
            "%s holds newer labels than %s: run drum2midi label once to have them in it",
            journal_of(labels), labels.name,
        )  # fmt: skip


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def _entry(path: Path, number: int, line: bytes) -> Entry:
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise InputError(f"{path}, line {number}: damaged; remove the line to go on")
    return Entry(path, number, fields)


def _sync_folder(folder: Path) -> None:
    """Put a new or renamed file's name on the disk."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
