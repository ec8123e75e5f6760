"""Performances played to a click, and the same drumming in other metres.

What the pattern models of the grid learn from (`drum2midi.training.patterns`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import mido
import numpy as np

from drum2midi.drums import BY_MIDI, CHANNEL, Drum
from drum2midi.errors import InputError
from drum2midi.transcription import Hit

_TICKS: Final = 480  # to the quarter, of what is written


@dataclass(frozen=True)
class Performance:
    """Strokes played to a click that starts a bar at time zero.

    Attributes
    ----------
    hits : tuple of Hit
    beat : float
        Seconds.
    count : int
        Beats in a bar.
    by_hand : bool
        Whether somebody played them.
    """

    hits: tuple[Hit, ...]
    beat: float
    count: int
    by_hand: bool = True


def load_performances(folder: Path) -> list[Performance]:
    """The 4/4 beats (not fills) of the train split."""
    with (folder / "info.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["split"], row["beat_type"], row["time_signature"]) == ("train", "beat", "4-4")
        ]
    return [_load(folder / row["midi_filename"]) for row in rows]


def load_styles(folder: Path) -> list[Performance]:
    """The songs that `drum2midi.training.styles` and `textbook` wrote.

    Raises
    ------
    InputError
        If there are none.
    """
    songs = [replace(_load(path), by_hand=False) for path in sorted(folder.glob("*.mid"))]
    if not songs:
        raise InputError(f"{folder}: no .mid of drum2midi.training.styles")
    return songs


def _load(path: Path) -> Performance:
    """One performance; its ticks count from the click."""
    tempo, count, unit, ticks = 500_000, 4, 4, []
    file = mido.MidiFile(path)
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "set_tempo":
                tempo = message.tempo
            elif message.type == "time_signature":
                count, unit = message.numerator, message.denominator
            elif message.type == "note_on" and message.velocity and message.note in BY_MIDI:
                ticks.append((now, message.note, message.velocity))
    quarter = tempo / 1e6
    hits = [
        Hit(tick / file.ticks_per_beat * quarter, BY_MIDI[note], velocity)
        for tick, note, velocity in sorted(ticks)
    ]
    return Performance(tuple(hits), quarter * 4 / unit, count)


def write_performance(
    out: Path,
    strokes: Iterable[tuple[float, Drum, int]],
    *,
    count: int,
    unit: int,
    tempo: float,
) -> None:
    """Write strokes as a song that `load_styles` reads.

    Parameters
    ----------
    out : Path
    strokes : iterable of (float, Drum, int)
        Beats from the start, drum and velocity.
    count, unit : int
        The time signature.
    tempo : float
        Beats a minute.
    """
    per_beat = _TICKS * 4 // unit
    track = mido.MidiTrack(
        [
            mido.MetaMessage("time_signature", numerator=count, denominator=unit),
            mido.MetaMessage("set_tempo", tempo=round(60e6 / tempo * unit / 4)),
        ]
    )
    now = 0
    for tick, note, velocity in sorted(
        (round(beat * per_beat), drum.midi, velocity) for beat, drum, velocity in strokes
    ):
        track.append(
            mido.Message("note_on", channel=CHANNEL, note=note, velocity=velocity, time=tick - now)
        )
        now = tick
    mido.MidiFile(type=0, ticks_per_beat=_TICKS, tracks=[track]).save(out)


def loosen(performance: Performance, rng: np.random.Generator) -> Performance:
    """With strokes and velocities off by some, as no machine plays."""
    late, spread = rng.uniform(0, 0.015), rng.uniform(0, 15)
    hits = [
        replace(
            hit,
            onset=hit.onset + float(rng.normal(0, late)),
            velocity=int(np.clip(hit.velocity + rng.normal(0, spread), 1, 127)),
        )
        for hit in performance.hits
    ]
    return _performance(hits, performance.beat, performance.count)


# How bars of other metres are put together from the pieces (quarters or eighths) of a 4/4 bar:
# beats in the bar, quarters in a piece, how far its beat may be stretched, and orders of pieces
# that keep kick and backbeat apart.
_CUTS: Final[tuple[tuple[int, float, tuple[float, float], tuple[str, ...]], ...]] = (
    (3, 1.0, (1.0, 1.0), ("013", "012", "011", "033", "023")),
    (3, 1.0, (1.0, 1.0), ("013", "012", "011", "033", "023")),
    (5, 1.0, (1.0, 1.0), ("01231", "01233", "01201", "01023", "01223")),
    (6, 0.5, (0.9, 1.7), ("012456", "012456", "012457", "023467", "011233")),
    (7, 1.0, (1.0, 1.0), ("0123013", "0123012", "0120123", "0123123")),
    (7, 0.5, (0.75, 1.1), ("0123456", "0123467", "0124567", "0123455")),
    (5, 0.5, (0.75, 1.1), ("01236", "01232", "01423", "01456", "01123")),
)
_EARLY: Final = 0.12  # quarters; so far ahead of the click a stroke may be played


def derive(performance: Performance, rng: np.random.Generator) -> Performance:
    """The same drumming in another metre, as it might have been played."""
    choice = int(rng.integers(len(_CUTS) + 3))
    if choice >= len(_CUTS):
        return _in_threes(performance, 12 if choice > len(_CUTS) + 1 else 6, rng)
    count, piece, stretch, orders = _CUTS[choice]
    order = [int(digit) for digit in orders[rng.integers(len(orders))]]
    pieces: dict[int, list[tuple[float, Hit]]] = {}
    for hit in performance.hits:
        quarters = hit.onset / performance.beat
        index = int(np.floor((quarters + _EARLY) / piece))
        pieces.setdefault(index, []).append((quarters - index * piece, hit))
    in_bar = round(4 / piece)
    beat = performance.beat * rng.uniform(*stretch)
    hits = [
        replace(hit, onset=(bar * len(order) + place) * piece * beat + quarters * beat)
        for bar in range(max(pieces, default=0) // in_bar + 1)
        for place, source in enumerate(order)
        for quarters, hit in pieces.get(bar * in_bar + source, ())
    ]
    return _performance(hits, beat * piece, count)


def _in_threes(performance: Performance, count: int, rng: np.random.Generator) -> Performance:
    """6/8 or 12/8: the second eighth of every quarter comes again as a third."""
    eighth = performance.beat / 2 * rng.uniform(0.9, 1.9 if count == 6 else 1.3)
    full = rng.random() < 0.75
    hits = []
    for hit in performance.hits:
        quarters = hit.onset / performance.beat
        beat = np.floor(quarters + _EARLY)
        eighths = 2 * (quarters - beat)
        if eighths >= 0.76 and not full and rng.random() < 0.5:
            eighths += 1
        hits.append(replace(hit, onset=(3 * beat + eighths) * eighth))
        cymbal = hit.drum.scoring in ("HH", "CY")
        if eighths >= 0.76 and full and rng.random() < (0.9 if cymbal else 0.3):
            hits.append(replace(hit, onset=(3 * beat + eighths + 1) * eighth))
    return _performance(hits, eighth, count)


def _performance(hits: list[Hit], beat: float, count: int) -> Performance:
    """With its strokes in order, and none before the start."""
    ordered = sorted(hits, key=lambda hit: hit.onset)
    kept = tuple(replace(hit, onset=max(float(hit.onset), 0.0)) for hit in ordered)
    return Performance(kept, float(beat), count)
