"""Sessions: grooves played on one kit in one room, as a drummer would record an afternoon.

What `fine_tuning.py` renders: pairs ``NAME.flac`` and ``NAME.mid``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import soundfile

from drum2midi.drums import DRUMS
from drum2midi.training import oneshots, render
from drum2midi.training.grooves import GrooveFile, Stroke, list_grooves, read_groove
from drum2midi.training.pieces import read_impulses

RATE = 44100
LONGEST = 40.0  # seconds of a groove
GAP = 1.5  # seconds between two


@dataclass(frozen=True)
class Song:
    """A groove's part of a session."""

    name: str
    start: float
    end: float


def render_session(
    out: Path,
    library: oneshots.Library,
    kit: str,
    impulses: Path,
    parts: dict[str, Sequence[GrooveFile]],
    *,
    seed: int,
) -> None:
    """Play all parts on one kit with one tuning, balance and room; write a folder for each part."""
    strokes: list[Stroke] = []
    songs: list[tuple[str, Song]] = []
    now = 0.3
    for part, files in parts.items():
        for file in files:
            groove = read_groove(file)
            if groove is None:
                continue
            first = groove.strokes[0].onset
            taken = [s for s in groove.strokes if s.onset - first < LONGEST]
            start = now
            strokes += [Stroke(start + 0.4 + s.onset - first, s.drum, s.velocity) for s in taken]
            now = strokes[-1].onset + GAP
            songs.append((part, Song(file.name, start, now)))
    performance = render.render(
        strokes,
        one_kit(library, kit),
        read_impulses(impulses),
        np.random.default_rng(seed),
        seconds=now + 1.0,
        rate=RATE,
        window=1,
    )
    audio = 0.8 * performance.audio / np.abs(performance.audio).max()
    for part, song in songs:
        folder = out / part
        folder.mkdir(parents=True, exist_ok=True)
        own = [s for s in performance.strokes if song.start <= s.onset < song.end]
        passage = audio[int(song.start * RATE) : int(song.end * RATE)]
        soundfile.write(folder / f"{song.name}.flac", passage, RATE)
        offset = int(song.start * RATE) / RATE
        write_midi(folder / f"{song.name}.mid", [(s.onset - offset, s) for s in own])


def one_kit(library: oneshots.Library, kit: str) -> oneshots.Kit:
    """Each drum of a kit, the instrument with the most layers; what it lacks from another."""
    chosen = {}
    for drum in DRUMS:
        own = [one for one in library[drum] if one.kit == kit] or list(library[drum])
        chosen[drum] = max(own, key=lambda one: (len(one.layers), one.weight, one.name))
    return chosen


def choose(folder: Path, split: str, minutes: float, *, seed: int) -> list[GrooveFile]:
    """Beats of one split in random order until they last long enough."""
    files = [file for file in list_grooves(folder, split=split) if not file.is_fill]
    order = np.random.default_rng(seed).permutation(len(files))
    chosen, seconds = [], 0.0
    for index in order:
        groove = read_groove(files[index])
        if groove is None:
            continue
        chosen.append(files[index])
        seconds += min(LONGEST, groove.strokes[-1].onset - groove.strokes[0].onset) + GAP
        if seconds >= 60.0 * minutes:
            return chosen
    return chosen


def write_midi(path: Path, strokes: Sequence[tuple[float, Stroke]]) -> None:
    """Strokes at their seconds, to a quarter of a millisecond."""
    track, at = mido.MidiTrack(), 0
    for onset, stroke in sorted(strokes, key=lambda item: item[0]):
        tick = round(onset * 4000)
        track.append(
            mido.Message(
                "note_on", channel=9, note=stroke.drum.midi, velocity=stroke.velocity,
                time=tick - at,
            )
        )  # fmt: skip
        at = tick
    file = mido.MidiFile(type=0, ticks_per_beat=2000)
    file.tracks.append(track)
    file.save(path)
