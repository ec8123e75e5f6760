"""Writers: which kind of file a suffix stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drum2midi.drummaps import find_drum_map
from drum2midi.errors import InputError
from drum2midi.files import check_apart, check_writable
from drum2midi.sheet import PAPERS, ROLLS
from drum2midi.transcription import Transcription

TIMINGS: Final = ("grid", "performed")


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """How to write the files whose kind leaves a choice.

    Attributes
    ----------
    timing : {"grid", "performed"}
        Where a ``.mid`` puts the strokes.
    drum_map : str
        The notes of a ``.mid``: ``"gm"``, ``"roland-td"`` or the path of a ``.toml`` file.
    hat_cc4 : bool
        Whether a ``.mid`` tells with controller 4, too, how open the hi-hat is.
    paper : {"a4", "letter"}
        Of a ``.pdf`` or ``.svg``.
    repeats : bool
        Whether a sheet has passages that look the same once, between repeat barlines.
    rolls : {"auto", "written", "tremolo"}
        How a sheet writes rolls: by itself, as tremolos on pages and stroke by stroke in
        MusicXML, where every note is a stroke of the ``.mid``.
    recording : path, optional
        The song: never written over, drawn in a ``.png``, mixed into a ``.wav`` with `mix`.
    start : float
        Seconds of the recording at which the transcription's times begin.
    mix : bool
        Whether a ``.wav`` plays the drums over the recording.
    click : bool
        Whether a ``.wav`` clicks on every beat.

    Raises
    ------
    InputError
        For a choice that there is not.
    """

    timing: str = "grid"
    drum_map: str = "gm"
    hat_cc4: bool = False
    paper: str = "a4"
    repeats: bool = False
    rolls: str = "auto"
    recording: Path | None = None
    start: float = 0.0
    mix: bool = False
    click: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.recording, str):  # as of Transcription.save
            object.__setattr__(self, "recording", Path(self.recording))
        choices = (("timing", TIMINGS), ("paper", PAPERS), ("rolls", ("auto", *ROLLS)))
        for name, known in choices:
            value = getattr(self, name)
            if value not in known:
                raise InputError(f"{name} {value!r} is none of {', '.join(known)}")
        find_drum_map(self.drum_map)
        if self.mix and self.recording is None:
            raise InputError("nothing to mix the drums into: give the recording too")


def check_output(path: Path, options: WriteOptions) -> None:
    """Raise `InputError` if nothing can be written to `path`; better before the work than after."""
    if path.suffix.lower() not in _WRITERS:
        known = ", ".join(SUFFIXES)
        raise InputError(f"{path}: cannot tell the format from {path.suffix!r}; use {known}")
    check_writable(path)
    if options.recording is not None:
        check_apart(path, options.recording)


def save(transcription: Transcription, path: Path, options: WriteOptions) -> None:
    """Write a transcription in the format that the suffix of `path` says.

    Raises
    ------
    InputError
        For an unknown suffix or a folder that cannot be written.
    """
    check_output(path, options)
    _WRITERS[path.suffix.lower()](transcription, path, options)


def _write_midi(transcription: Transcription, path: Path, options: WriteOptions) -> None:
    from drum2midi.midi import Timing, write_midi

    timing: Timing = "performed" if options.timing == "performed" else "grid"
    drum_map = find_drum_map(options.drum_map)
    write_midi(transcription, path, timing=timing, drum_map=drum_map, hat_cc4=options.hat_cc4)


def _write_sheet(transcription: Transcription, path: Path, options: WriteOptions) -> None:
    from drum2midi.sheet import write_sheet

    rolls = "written" if options.rolls == "auto" else options.rolls
    write_sheet(transcription, path, repeats=options.repeats, rolls=rolls)


def _write_pages(transcription: Transcription, path: Path, options: WriteOptions) -> None:
    from drum2midi.sheet import write_pages

    rolls = "tremolo" if options.rolls == "auto" else options.rolls
    write_pages(transcription, path, paper=options.paper, repeats=options.repeats, rolls=rolls)


def _write_audition(transcription: Transcription, path: Path, options: WriteOptions) -> None:
    from drum2midi.audition import write_audition

    recording = options.recording if options.mix else None
    write_audition(
        transcription, path, recording=recording, start=options.start, click=options.click
    )


def _write_plot(transcription: Transcription, path: Path, options: WriteOptions) -> None:
    from drum2midi.plot import write_plot

    write_plot(transcription, path, recording=options.recording, start=options.start)


def _write_csv(transcription: Transcription, path: Path, options: WriteOptions) -> None:
    from drum2midi.tables import write_csv

    write_csv(transcription, path)


def _write_json(transcription: Transcription, path: Path, options: WriteOptions) -> None:
    from drum2midi.tables import write_json

    write_json(transcription, path)


_WRITERS: Final[dict[str, Callable[[Transcription, Path, WriteOptions], None]]] = {
    ".mid": _write_midi,
    ".midi": _write_midi,
    ".musicxml": _write_sheet,
    ".xml": _write_sheet,
    ".mxl": _write_sheet,
    ".pdf": _write_pages,
    ".svg": _write_pages,
    ".wav": _write_audition,
    ".png": _write_plot,
    ".csv": _write_csv,
    ".json": _write_json,
}
SUFFIXES: Final = tuple(_WRITERS)
