"""Writers: which kind of file a suffix stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from drum2midi.errors import InputError
from drum2midi.transcription import Transcription

TIMINGS: Final = ("grid", "performed")
SUFFIXES: Final = (".mid", ".midi", ".musicxml", ".xml", ".mxl", ".csv", ".json")


def check_output(path: Path) -> None:
    """Raise `InputError` if nothing can be written to `path`; better before the work than after."""
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(f"{path}: cannot tell the format from {path.suffix!r}; use {known}")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}")


def save(transcription: Transcription, path: Path, *, timing: str = "grid") -> None:
    """Write a transcription in the format that the suffix of `path` says.

    Parameters
    ----------
    transcription : Transcription
    path : Path
        See `SUFFIXES`.
    timing : {"grid", "performed"}
        Where a ``.mid`` puts the strokes.

    Raises
    ------
    InputError
        For an unknown suffix or timing, or a folder that cannot be written.
    """
    check_output(path)
    suffix = path.suffix.lower()
    if suffix in (".mid", ".midi"):
        from drum2midi.midi import write_midi

        if timing == "performed":
            write_midi(transcription, path, timing="performed")
        elif timing == "grid":
            write_midi(transcription, path, timing="grid")
        else:
            raise InputError(f"timing {timing!r} is none of {', '.join(TIMINGS)}")
    elif suffix == ".csv":
        from drum2midi.tables import write_csv

        write_csv(transcription, path)
    elif suffix == ".json":
        from drum2midi.tables import write_json

        write_json(transcription, path)
    else:
        from drum2midi.sheet import write_sheet

        write_sheet(transcription, path)
