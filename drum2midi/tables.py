"""Tables: a transcription as CSV or JSON, one row for each stroke."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drum2midi.files import replacing
from drum2midi.transcription import Note, Transcription

_FIELDS = ("seconds", "drum", "midi", "velocity", "confidence", "bar", "position", "grace")


def write_csv(transcription: Transcription, path: Path) -> None:
    """Write the strokes as CSV.

    Columns: seconds, drum, midi (General MIDI note), velocity (1 to 127), confidence
    (0 to 1), bar (from 1), position (quarter notes from the bar's start), grace (0 or 1).
    """
    with replacing(path) as target, target.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, _FIELDS)
        writer.writeheader()
        for row in _rows(transcription):
            writer.writerow({**row, "grace": int(row["grace"])})


def write_json(transcription: Transcription, path: Path) -> None:
    """Write strokes, bars and beats as JSON; positions are quarter notes from the bar's start."""
    grid = transcription.grid
    document = {
        "title": transcription.title,
        "duration": round(transcription.duration, 3),
        "tempo": round(grid.tempo, 3),
        "metre": str(grid.metre),
        "swing": round(transcription.swing, 3),
        "grid_confidence": round(grid.confidence, 3),
        "bars": [
            {"metre": str(bar.metre), "beats": [round(beat, 4) for beat in bar.beats]}
            for bar in grid.bars
        ],
        "end": round(grid.end, 4),
        "hits": list(_rows(transcription)),
    }
    with replacing(path) as target:
        target.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


def _rows(transcription: Transcription) -> Iterator[dict[str, Any]]:
    confidence = {(hit.onset, hit.drum): hit.confidence for hit in transcription.hits}

    def played(note: Note) -> tuple[float, int]:
        return note.onset, note.drum.midi

    for note in sorted(transcription.notes, key=played):
        yield {
            "seconds": round(note.onset, 4),
            "drum": note.drum.name,
            "midi": note.drum.midi,
            "velocity": note.velocity,
            "confidence": round(confidence.get((note.onset, note.drum), 1.0), 3),
            "bar": note.bar + 1,
            "position": round(float(note.position), 5),
            "grace": note.grace,
        }
