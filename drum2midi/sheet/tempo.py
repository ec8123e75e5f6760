"""Where a sheet says a tempo: at the start, and where it changes for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median_low
from typing import Final

import numpy as np

from drum2midi.transcription import Grid

_LASTING: Final = 4  # bars
_CHANGE: Final = 0.08  # of the tempo before


@dataclass(frozen=True, slots=True)
class TempoMark:
    """So many pulses of so many quarter notes a minute."""

    pulse: Fraction
    per_minute: int


def tempo_marks(grid: Grid) -> dict[int, TempoMark]:
    """Tempo marks by bar, the first bar's always among them."""
    tempi = _tempi(grid)
    marks: dict[int, TempoMark] = {}
    for first, last in pairwise([*_section_starts(tempi), len(tempi)]):
        pulse = grid.bars[first].metre.pulse
        marks[first] = TempoMark(pulse, round(median_low(tempi[first:last]) / float(pulse)))
    return marks


def _tempi(grid: Grid) -> list[float]:
    """Quarter notes a minute of every bar."""
    times = grid.seconds([float(quarters) for quarters in grid.bar_quarters])
    seconds = np.diff(times).tolist()
    tempi = [60.0 * float(bar.length) / s for bar, s in zip(grid.bars, seconds, strict=True)]
    # The recording may have begun within its first beat, which then is short.
    beats, length = grid.bars[0].beats, float(grid.bars[0].metre.beat)
    if len(beats) > 1:
        after = float(times[1]) - beats[1]
        tempi[0] = 60.0 * length * (len(beats) - 1) / after
    elif len(tempi) > 1:
        tempi[0] = tempi[1]
    return tempi


def _section_starts(tempi: Sequence[float]) -> list[int]:
    """Bars where the tempo leaves that of the section before and stays where it is then.

    On the way to another tempo none of the bars has a mark.
    """
    starts = [0]
    for bar in range(1, len(tempi) - _LASTING + 1):
        usual = median_low(tempi[starts[-1] : bar])
        after = tempi[bar : bar + _LASTING]
        changes = [tempo / usual - 1 for tempo in after]
        away = min(changes) >= _CHANGE or max(changes) <= -_CHANGE
        if away and max(after) <= (1 + _CHANGE) * min(after):
            starts.append(bar)
    return starts
