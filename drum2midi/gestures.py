"""Strokes that belong together: chords, flams and drags, swung eighths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from drum2midi.drums import Drum
from drum2midi.transcription import Grid, Hit

GRACE_GAP: Final = 0.055
"""Seconds; the widest flam, or stroke of a drag."""

_GRACE_SOFTER: Final = 0.85  # velocity of a grace stroke, at most, relative to the next
_GRACES: Final = 2  # a drag's; more strokes in a row are a roll
_CHORD: Final = 0.012  # seconds; strokes of different drums so close are one onset

_ON_BEAT: Final = 0.09  # quarters around a beat that count as on it
_SWING_ZONE: Final = (0.43, 0.76)  # of a quarter: where a swung off-beat eighth may fall
_SWUNG: Final = (0.545, 0.72)  # ratios that count as swing; above it is a dotted rhythm
_SWING_WIDTH: Final = 0.07  # quarters; off-beats so near to the ratio agree with it
_SWING_SHARE: Final = 0.75  # of the off-beats must agree
_SWING_BEATS: Final = 6
_OTHER_SHARE: Final = 0.3  # of beats may have other onsets, as sixteenths and triplets do


@dataclass(frozen=True, slots=True)
class Onset:
    """Strokes at one moment: at most one of every drum."""

    phase: float  # quarters since the first bar
    hits: tuple[Hit, ...]
    graces: tuple[Hit, ...]


def group_onsets(hits: Sequence[Hit], grid: Grid) -> list[Onset]:
    """Group strokes into onsets, grace strokes with the stroke that they lean on."""
    ordered = sorted(hits, key=lambda hit: (hit.onset, hit.drum.midi))
    graces = _graces(ordered)
    leaning = {index for before in graces.values() for index in before}
    groups: list[list[int]] = []
    for index, hit in enumerate(ordered):
        if index in leaning:
            continue
        group = groups[-1] if groups else []
        fits = group and hit.onset - ordered[group[0]].onset <= _CHORD
        if fits and all(hit.drum is not ordered[other].drum for other in group):
            group.append(index)
        else:
            groups.append([index])
    phases = grid.quarters([np.mean([ordered[i].onset for i in group]) for group in groups])
    return [
        Onset(
            float(phase),
            tuple(ordered[i] for i in group),
            tuple(ordered[g] for i in group for g in graces.get(i, ())),
        )
        for phase, group in zip(phases, groups, strict=True)
    ]


def _graces(ordered: Sequence[Hit]) -> dict[int, list[int]]:
    """Indices of main strokes of flams and drags, and of the grace strokes before each."""
    graces: dict[int, list[int]] = {}
    by_drum: dict[Drum, list[int]] = {}
    for index, hit in enumerate(ordered):
        if hit.drum.scoring in ("SD", "TT"):
            by_drum.setdefault(hit.drum, []).append(index)
    for indices in by_drum.values():
        run: list[int] = []
        for index, after in pairwise(indices):
            hit, main = ordered[index], ordered[after]
            run.append(index)
            close = main.onset - hit.onset <= GRACE_GAP
            if close and hit.velocity <= _GRACE_SOFTER * main.velocity:
                graces[after] = list(run)
                graces.pop(index, None)
            elif not close or len(run) > _GRACES:
                run = []
    return {main: before for main, before in graces.items() if len(before) <= _GRACES}


def estimate_swing(onsets: Sequence[Onset]) -> float:
    """Where off-beat eighths fall if the piece swings, else 0.5."""
    inside: dict[int, list[float]] = {}
    for onset in onsets:
        beat = int(np.floor(onset.phase + _ON_BEAT))
        phase = onset.phase - beat
        if phase > _ON_BEAT:
            inside.setdefault(beat, []).append(phase)
    low, high = _SWING_ZONE
    lone = [phases[0] for phases in inside.values() if len(phases) == 1]
    offbeats = np.array([phase for phase in lone if low < phase < high])
    others = sum(len(phases) > 1 for phases in inside.values())
    if len(offbeats) < _SWING_BEATS or others > _OTHER_SHARE * len(inside):
        return 0.5
    ratio = float(np.median(offbeats))
    agree = np.mean(np.abs(offbeats - ratio) < _SWING_WIDTH)
    return ratio if _SWUNG[0] < ratio < _SWUNG[1] and agree >= _SWING_SHARE else 0.5
