"""Tables: a transcription as CSV or JSON, one row for each stroke."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NoReturn

from drum2midi.drums import BY_NAME
from drum2midi.errors import InputError
from drum2midi.files import replacing
from drum2midi.tags import plain
from drum2midi.transcription import (
    EIGHTH,
    SIXTEENTH,
    Bar,
    Grid,
    Hit,
    Metre,
    Note,
    Swing,
    Transcription,
)

_FIELDS = ("seconds", "drum", "midi", "velocity", "confidence", "bar", "position", "grace")
_SWUNG: Final = {EIGHTH: "8", SIXTEENTH: "16"}
_SWUNG_QUARTERS: Final = {name: value for value, name in _SWUNG.items()}


def write_csv(transcription: Transcription, path: Path) -> None:
    """Write the strokes as CSV.

    Columns: seconds, drum, midi (General MIDI note), velocity (1 to 127), confidence
    (0 to 1), bar (from 1, which a pickup is too), position (quarter notes from the bar's
    start), grace (0 or 1).
    """
    with replacing(path) as target, target.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, _FIELDS, extrasaction="ignore")
        writer.writeheader()
        for row in _rows(transcription):
            writer.writerow({**row, "grace": int(row["grace"])})


def write_json(transcription: Transcription, path: Path) -> None:
    """Write strokes, bars and beats as JSON; positions are quarter notes from the bar's start.

    A stroke has what the CSV has, whether it is one of a roll, and the hi-hat's openness
    where it is known. `read_json` reads the file.
    """
    grid = transcription.grid
    document = {
        "title": transcription.title,
        "composer": transcription.composer,
        "duration": round(transcription.duration, 3),
        "tempo": round(grid.tempo, 3),
        "metre": str(grid.metre),
        "swing": round(transcription.swing.ratio, 3),
        "swung": _SWUNG[transcription.swing.value],
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


def read_json(path: Path) -> Transcription:
    """Read a transcription that `write_json` wrote, and that may have been corrected by hand.

    What decides is ``drum``, ``bar`` and ``position`` of each stroke; ``midi`` is not read.

    Raises
    ------
    InputError
        If the file cannot be read or is no transcription.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_no_number)
        bars = [_bar(row) for row in document["bars"]]
        grid = Grid(tuple(bars), _finite(document["end"]), _finite(document["grid_confidence"]))
        # A file that does not say what swings means eighths.
        value = _SWUNG_QUARTERS[document.get("swung", _SWUNG[EIGHTH])]
        swing = Swing(float(document["swing"]), value)
        strokes = [_stroke(number, row, grid) for number, row in enumerate(document["hits"], 1)]
        notes = sorted((note for note, _ in strokes), key=attrgetter("bar", "position", "onset"))
        hits = [hit for _, hit in strokes]
        return Transcription(
            tuple(sorted(hits, key=attrgetter("onset"))),
            grid,
            tuple(notes),
            _finite(document["duration"]),
            title=plain(str(document["title"])),
            composer=plain(str(document["composer"])),
            swing=swing,
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except _NONSENSE as error:
        raise InputError(f"{path}: is not a transcription as JSON: {_reason(error)}") from None


_NONSENSE: Final = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError
)  # fmt: skip
"""What a file that was corrected by hand can bring about."""


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]!r}"
    return str(error) if isinstance(error, ValueError) else repr(error)


def _stroke(number: int, row: Any, grid: Grid) -> tuple[Note, Hit]:
    """A row of the hits, which count from 1; what is wrong with it is told with its number."""
    try:
        if row["drum"] not in BY_NAME:
            raise ValueError(f"{row['drum']!r} is no drum")
        return _note(row, grid), _hit(row)
    except _NONSENSE as error:
        when = f" ({row['seconds']} s)" if isinstance(row, dict) and "seconds" in row else ""
        raise ValueError(f"hit {number}{when}: {_reason(error)}") from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _finite(number: Any) -> float:
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number} is no finite number")
    return value


def _bar(row: Mapping[str, Any]) -> Bar:
    if not row["beats"]:
        raise ValueError("a bar without beats")
    beats = tuple(map(_finite, row["beats"]))
    if min(beats) < 0:
        raise ValueError(f"a beat at {min(beats)} s, before the recording")
    return Bar(Metre.parse(row["metre"]), beats)


def _hit(row: Mapping[str, Any]) -> Hit:
    onset, confidence = _finite(row["seconds"]), _finite(row["confidence"])
    return Hit(onset, BY_NAME[row["drum"]], row["velocity"], confidence)


def _note(row: Mapping[str, Any], grid: Grid) -> Note:
    bar, position = row["bar"] - 1, Fraction(row["position"]).limit_denominator(24)
    if not (0 <= bar < len(grid.bars) and 0 <= position < grid.bars[bar].length):
        raise ValueError(f"no place {row['position']} in bar {row['bar']}")
    if not isinstance(row["velocity"], int) or isinstance(row["velocity"], bool):
        raise ValueError(f"velocity {row['velocity']}")
    openness = None if row.get("openness") is None else float(row["openness"])
    if not 0.0 <= (openness or 0.0) <= 1.0:
        raise ValueError(f"openness {openness}")
    return Note(
        bar,
        position,
        BY_NAME[row["drum"]],
        row["velocity"],
        _finite(row["seconds"]),
        bool(row["grace"]),
        bool(row.get("roll", False)),
        openness,
    )


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
            "roll": note.roll,
            "openness": note.openness,
        }
