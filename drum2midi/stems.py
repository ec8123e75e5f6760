"""The cache of drum stems: a folder of float WAVs, each named by what it is the stem of.

The folder is the user's cache folder, or ``DRUM2MIDI_CACHE``. A stem is there whole or not
at all; beyond 4 GB the ones that were not used for longest are removed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from drum2midi.errors import InputError
from drum2midi.files import replacing

LIMIT: Final = 4_000_000_000
"""Bytes that the cache may hold."""

_ABANDONED: Final = 3600.0
"""Seconds after which nobody is writing a temporary file any more."""

_OURS: Final = re.compile(r"(\.drum2midi-.*|[0-9a-f]{32})\.wav")
"""Names of what this program wrote; whatever else is in the folder is the user's."""


def cache_folder() -> Path:
    """Where stems are kept; it need not exist."""
    chosen = os.environ.get("DRUM2MIDI_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("drum2midi", appauthor=False) / "stems"


def find_stem(key: str) -> Path | None:
    """The stem of that name, if it is there; it counts as used now."""
    path = cache_folder() / f"{key}.wav"
    if not path.is_file():
        return None
    with suppress(OSError):  # another's cache can be read all the same
        os.utime(path)
    return path


@contextmanager
def store_stem(key: str) -> Iterator[Path]:
    """Give a path to write a stem to; it is in the cache when the block ends without an error."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot keep stems there ({error.strerror}); DRUM2MIDI_CACHE names another"
        ) from None
    _tidy(folder, keep=None)
    path = folder / f"{key}.wav"
    with replacing(path) as temporary:
        yield temporary
    _tidy(folder, keep=path)


def _tidy(folder: Path, *, keep: Path | None) -> None:
    """Remove what killed runs left, and the stems that are too many."""
    held = 0
    for path, used, size in sorted(_contents(folder), key=lambda entry: -entry[1]):
        held += size
        abandoned = path.name.startswith(".") and time.time() - used > _ABANDONED
        if abandoned or (held > LIMIT and not path.name.startswith(".") and path != keep):
            with suppress(OSError):  # gone already, or another is reading it
                path.unlink()


def _contents(folder: Path) -> Iterator[tuple[Path, float, int]]:
    for path in folder.glob("*.wav"):
        if not _OURS.fullmatch(path.name):
            continue
        with suppress(OSError):  # another process may tidy at the same time
            status = path.stat()
            yield path, status.st_mtime, status.st_size
