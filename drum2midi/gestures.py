"""Strokes that belong together: chords, flams, drags, foot and stick on the hi-hat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from drum2midi.drums import PEDAL_HAT, Drum
from drum2midi.transcription import Grid, Hit

GRACE_GAP: Final = 0.055
"""Seconds; the widest flam, or stroke of a drag."""

_GRACE_SOFTER: Final = 0.85  # velocity of a grace stroke, at most, relative to the next
_FLAT: Final = 0.045  # seconds; nearer than two sticks' strokes in a row, a flam of equal ones
_FLAT_ALONE: Final = 0.1  # seconds to its neighbours: in a roll strokes are as near
_GRACES: Final = 3  # of a four-stroke ruff; more strokes in a row are a roll
_CHORD: Final = 0.012  # seconds; strokes of different drums so close are one onset


@dataclass(frozen=True, slots=True)
class Onset:
    """Strokes at one moment: at most one of every drum."""

    phase: float  # quarters since the first bar
    hits: tuple[Hit, ...]
    graces: tuple[Hit, ...]


def group_onsets(hits: Sequence[Hit], grid: Grid) -> list[Onset]:
    """Group strokes into onsets, grace strokes with the stroke that they lean on.

    A foot alone on the hi-hat just ahead of the stick, to close it, is one onset with the stick's
    stroke, and when that was, the stick tells.
    """
    ordered = sorted(hits, key=lambda hit: (hit.onset, hit.drum.midi))
    graces, ahead = _graces(ordered), _feet_ahead(ordered)
    leaning = {index for before in graces.values() for index in before} | set(ahead.values())
    groups: list[list[int]] = []
    for index, hit in enumerate(ordered):
        if index in leaning:
            continue
        group = groups[-1] if groups else []
        near = group and hit.onset - ordered[group[0]].onset <= _CHORD
        drums = {ordered[other].drum for other in _with_feet(group, ahead)}
        if near and all(ordered[own].drum not in drums for own in _with_feet([index], ahead)):
            group.append(index)
        else:
            groups.append([index])
    phases = grid.quarters([np.mean([ordered[i].onset for i in group]) for group in groups])
    return [
        Onset(
            float(phase),
            tuple(ordered[i] for i in _with_feet(group, ahead)),
            tuple(ordered[g] for i in group for g in graces.get(i, ())),
        )
        for phase, group in zip(phases, groups, strict=True)
    ]


def _with_feet(group: Sequence[int], ahead: Mapping[int, int]) -> list[int]:
    """Indices of an onset's strokes, each of the foot before the stick's that it is ahead of."""
    return [j for i in group for j in ((ahead[i], i) if i in ahead else (i,))]


def _feet_ahead(ordered: Sequence[Hit]) -> dict[int, int]:
    """Indices of the stick's strokes on the hi-hat, and of the foot's just ahead of each."""
    hats = [index for index, hit in enumerate(ordered) if hit.drum.scoring == "HH"]
    return {
        stick: foot
        for foot, stick in pairwise(hats)
        if ordered[foot].drum is PEDAL_HAT
        and ordered[stick].drum is not PEDAL_HAT
        and ordered[stick].onset - ordered[foot].onset <= GRACE_GAP
        and _is_alone(ordered, foot)
    }


def _is_alone(ordered: Sequence[Hit], index: int) -> bool:
    """Whether nothing sounds with a stroke."""
    around = [*ordered[max(index - 1, 0) : index], *ordered[index + 1 : index + 2]]
    return all(abs(other.onset - ordered[index].onset) > _CHORD for other in around)


def _graces(ordered: Sequence[Hit]) -> dict[int, list[int]]:
    """Indices of main strokes of flams and drags, and of the grace strokes before each."""
    graces: dict[int, list[int]] = {}
    by_drum: dict[Drum, list[int]] = {}
    for index, hit in enumerate(ordered):
        if hit.drum.scoring in ("SD", "TT"):
            by_drum.setdefault(hit.drum, []).append(index)
    for indices in by_drum.values():
        run: list[int] = []
        flat = _flat_flams(ordered, indices)
        for index, after in pairwise(indices):
            hit, main = ordered[index], ordered[after]
            run.append(index)
            close = main.onset - hit.onset <= GRACE_GAP
            softer = hit.velocity <= _GRACE_SOFTER * main.velocity
            if close and (softer or index in flat):
                graces[after] = list(run)
                graces.pop(index, None)
            elif not close or len(run) > _GRACES:
                run = []
    return {main: before for main, before in graces.items() if len(before) <= _GRACES}


def _flat_flams(ordered: Sequence[Hit], indices: Sequence[int]) -> set[int]:
    """The first strokes of pairs of one drum that are as good as one, and hardly the louder."""
    onsets = [-np.inf, *(ordered[index].onset for index in indices), np.inf]
    gaps = np.diff(onsets).tolist()
    return {
        index
        for place, (index, after) in enumerate(pairwise(indices), 1)
        if gaps[place] <= _FLAT
        and min(gaps[place - 1], gaps[place + 1]) > _FLAT_ALONE
        and _GRACE_SOFTER * ordered[index].velocity <= ordered[after].velocity
    }
