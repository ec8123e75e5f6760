"""Rolls: strokes of one drum too fast to be counted one by one.

A roll is written from its first stroke to its last, so its strokes are placed together:
one on each 32nd note between the ends if there are as many, and if there are more, those
between two 32nds as grace strokes that lead to the second.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil
from statistics import median
from typing import Final

from drum2midi.drums import CROSS_STICK, Drum
from drum2midi.transcription import Grid, Hit, Note, Swing

_LEAST: Final = 5  # strokes; fewer are a ruff
_GAP: Final = 0.2  # quarters; no two strokes of a roll lie further apart, and
_MEAN_GAP: Final = 1 / 7  # quarters; on average they are nearer to 32nds than to sextuplets
_SLOWEST: Final = 0.09  # seconds between strokes on average; slower ones are counted
_EVEN: Final = 1.8  # times the median velocity; a roll has no stroke inside that is so loud
_FINEST: Final = Fraction(1, 8)  # of a quarter: a 32nd


@dataclass(frozen=True, slots=True)
class Roll:
    """The strokes of a roll, in order of time."""

    hits: tuple[Hit, ...]


def find_rolls(hits: Sequence[Hit], grid: Grid) -> tuple[Roll, ...]:
    """Find the rolls of snare, toms and cymbals.

    Parameters
    ----------
    hits : sequence of Hit
        In any order.
    grid : Grid

    Returns
    -------
    tuple of Roll
        Five strokes or more each, 32nds or faster.
    """
    by_drum: dict[Drum, list[Hit]] = {}
    for hit in sorted(hits, key=lambda hit: hit.onset):
        if hit.drum.scoring in ("SD", "TT", "CY") and hit.drum != CROSS_STICK:
            by_drum.setdefault(hit.drum, []).append(hit)
    return tuple(
        Roll(tuple(run))
        for strokes in by_drum.values()
        for run in _runs(strokes, grid)
        if _is_roll(run, grid)
    )


def _runs(strokes: Sequence[Hit], grid: Grid) -> list[list[Hit]]:
    """Strokes that follow each other fast."""
    phases = grid.quarters([hit.onset for hit in strokes]).tolist()
    runs = [[strokes[0]]]
    for (before, phase), hit in zip(pairwise(phases), strokes[1:], strict=True):
        if 0 < phase - before <= _GAP:
            runs[-1].append(hit)
        else:
            runs.append([hit])
    return runs


def _is_roll(run: Sequence[Hit], grid: Grid) -> bool:
    if len(run) < _LEAST:
        return False
    first, last = run[0].onset, run[-1].onset
    start, end = grid.quarters([first, last]).tolist()
    gaps = len(run) - 1
    inner = [hit.velocity for hit in run[1:-1]]
    return (
        end - start <= _MEAN_GAP * gaps
        and last - first <= _SLOWEST * gaps
        and max(inner) <= _EVEN * median(inner)
    )


def place_roll(
    roll: Roll, start: Fraction, grid: Grid, swing: Swing, *, after: Fraction | None = None
) -> tuple[Note, ...]:
    """Write down a roll whose first stroke has its place.

    Parameters
    ----------
    roll : Roll
    start : Fraction
        Quarters from the first bar to the first stroke.
    grid : Grid
    swing : Swing
        Undone, as it is for the stroke on which the roll ends.
    after : Fraction, optional
        Where the drum's roll before this one ends.

    Returns
    -------
    tuple of Note
        One for every stroke, in order of time. Grace strokes stand at the place of the
        stroke that they lead to. A loud last stroke is no more part of the roll.
    """
    played = grid.quarters([roll.hits[0].onset, roll.hits[-1].onset])
    first, last = swing.written(played).tolist()
    edges = grid.bar_quarters
    final = int(edges[-1] / _FINEST) - 1
    earliest = 0 if after is None else round(after / _FINEST) + 1
    begin = min(max(round(start / _FINEST), earliest), final)
    end = max(min(begin + round((last - first) / float(_FINEST)), final), begin)
    count = len(roll.hits) - 1
    steps = [begin + ceil(Fraction((end - begin) * index, count)) for index in range(count + 1)]
    loud = _EVEN * median(hit.velocity for hit in roll.hits)
    notes = []
    for index, (hit, step) in enumerate(zip(roll.hits, steps, strict=True)):
        place = step * _FINEST
        bar = bisect_right(edges, place) - 1
        # At the end of the grid there may be no place left after the roll before.
        taken = after is not None and place <= after
        grace = taken or (index < count and steps[index + 1] == step)
        rolled = index < count or hit.velocity <= loud
        notes.append(
            Note(bar, place - edges[bar], hit.drum, hit.velocity, hit.onset, grace, rolled)
        )
    return tuple(notes)
