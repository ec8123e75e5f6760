"""Grooves: human performances on an electronic kit, played to a click.

Reads the layout of the Groove MIDI Dataset (Gillick et al., *Learning to Groove
with Inverse Sequence Transformations*, ICML 2019): ``info.csv`` and the .mid
files that it names.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import mido

from drum2midi.drums import BY_MIDI, Drum
from drum2midi.errors import InputError
from drum2midi.transcription import Metre

# The dataset's kit sends 50 and 47 for the rims of its first two toms, and 55
# and 52 for the edges of its crashes; the vocabulary's aliases say the same.
_MIN_STROKES: Final = 8


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke of a performance: seconds, drum and velocity (1 to 127)."""

    onset: float
    drum: Drum
    velocity: int


@dataclass(frozen=True)
class Groove:
    """One performance; its first beat is at 0 s and its beats are ``60 / bpm`` apart."""

    name: str
    bpm: float
    metre: Metre
    strokes: tuple[Stroke, ...]


@dataclass(frozen=True)
class GrooveFile:
    """One row of ``info.csv``."""

    path: Path
    name: str
    bpm: float
    metre: Metre
    is_fill: bool


def list_grooves(folder: Path, *, split: str) -> Sequence[GrooveFile]:
    """The performances of one split: ``train``, ``validation`` or ``test``.

    Raises
    ------
    InputError
        If there is no ``info.csv`` or it lists nothing of that split.
    """
    index = folder / "info.csv"
    if not index.is_file():
        raise InputError(f"{index}: no such file; a folder of grooves needs its index")
    with index.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == split]
    if not rows:
        raise InputError(f"{index}: no performance of the split {split!r}")
    return [
        GrooveFile(
            path=folder / row["midi_filename"],
            name=row["id"].replace("/", "_"),
            bpm=float(row["bpm"]),
            metre=Metre.parse(row["time_signature"].replace("-", "/")),
            is_fill=row["beat_type"] == "fill",
        )
        for row in rows
        if (folder / row["midi_filename"]).is_file()
    ]


@lru_cache(maxsize=2048)
def read_groove(file: GrooveFile) -> Groove | None:
    """The strokes of a performance, or None if there are too few to be of use."""
    strokes, seconds = [], 0.0
    for message in mido.MidiFile(file.path):
        seconds += message.time
        if message.type == "note_on" and message.velocity and message.note in BY_MIDI:
            strokes.append(Stroke(seconds, BY_MIDI[message.note], message.velocity))
    if len(strokes) < _MIN_STROKES:
        return None
    return Groove(file.name, file.bpm, file.metre, tuple(strokes))
