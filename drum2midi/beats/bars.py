"""Bars from a reading of the pulse."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise, repeat
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.follow import follow
from drum2midi.beats.metrical import PERIODS, Reading
from drum2midi.beats.settle import phases, settle
from drum2midi.beats.steady import steady_line
from drum2midi.beats.strokes import Strokes
from drum2midi.transcription import Bar, Grid, Metre

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EARLY: Final = 0.12  # beats; so far ahead of a beat a stroke is still on it
_LEAD_BARS: Final = 8  # whole bars of rests, at most, before the first stroke
_BEFORE_START: Final = 0.06  # seconds before the audio at which a first bar may still begin
_BY_A_HAIR: Final = 0.01  # seconds before the audio at which a steady grid begins with it instead
_REACH: Final = 1.25  # seconds over which the tempo is taken to be constant
# Seconds; shorter beats, of so many in a bar, are written as eighths. Players do count five to 220
# a minute, but hardly seven quarters faster than 180.
_EIGHTHS: Final = {5: 0.275, 7: 0.34}
_SHORTEST_QUARTER: Final = 0.2  # seconds; 300 a minute, the fastest that players take


def metre_of(count: int, period: float) -> Metre:
    """How bars of so many beats are written.

    Parameters
    ----------
    count : int
    period : float
        Seconds in a beat.
    """
    eighths = count in (6, 12) or period < _EIGHTHS.get(count, 0.0)
    return Metre(count, 8 if eighths else 4)


def default_grid(
    times: NDArray[np.float64], *, duration: float, tempo: float | None, metre: Metre | None
) -> Grid:
    """Bars of 4/4 at 120 a minute, unless known better, from the first stroke on."""
    metre = metre or Metre(4, 4)
    step = 60 / (tempo or 120.0) * float(metre.beat / metre.pulse)
    start = max(float(times[0]), 0.0) if len(times) else 0.0
    last = float(times[-1]) if len(times) else min(duration, step)
    count = metre.numerator * (int((last - start) / step / metre.numerator + 1e-9) + 1)
    beats = start + step * np.arange(count + 1, dtype=np.float64)
    edges = range(0, count + 1, metre.numerator)
    return Grid(_bars(beats, edges, metre, pickup=False), float(beats[-1]), 0.0)


def make_grid(
    strokes: Strokes,
    reading: Reading,
    *,
    tempo: float | None,
    metre: Metre | None,
    steady: bool,
    duration: float,
    confidence: float,
) -> Grid:
    """Bars around all strokes, their beats on the strokes.

    Parameters
    ----------
    strokes : Strokes
    reading : Reading
    tempo : float or None
        Pulses a minute, if known; exact where the tempo is steady.
    metre : Metre or None
        If known.
    steady : bool
        Give all beats the same length.
    duration : float
        Seconds of the recording.
    confidence : float
        Of the reading.
    """
    written = metre or metre_of(reading.count, reading.period)
    plan = _plan(strokes, reading, written) if metre is None else []
    beats, zero = _beats(strokes, reading, written, tempo=tempo, steady=steady, duration=duration)
    first, last = np.floor(phases(strokes.times[[0, -1]], beats) + _EARLY).astype(int)
    lines = _barlines(plan or [(reading.downbeat, reading.count)], zero, len(beats))
    start = _first_beat(beats, int(first), lines, reading.count)
    # What the recording's start leaves of a beat may be too short to be one.
    short = beats[start + 1] < _SHORTEST_QUARTER * float(written.beat)
    start += bool(short and start < first)  # unless a stroke lies in it
    end = next(line for line in lines if line > last)
    times = beats[start : end + 1].copy()
    if steady and -_BY_A_HAIR < times[0] < 0:
        times -= times[0]  # rather than a first beat that is shorter than the rest
    times[0] = max(times[0], 0.0)
    edges = [0, *(line - start for line in lines if start < line <= end)]
    bars = _bars(times, edges, written, pickup=start not in lines)
    return Grid(bars, float(times[-1]), confidence)


def _plan(strokes: Strokes, reading: Reading, metre: Metre) -> list[tuple[int, int]]:
    """Bars through the piece, in metres that are written with the same beat."""
    counts = tuple(
        count
        for count, (low, high) in PERIODS.items()
        if low <= reading.period <= high
        and count > 2
        and metre_of(count, reading.period).denominator == metre.denominator
    )
    plan: list[tuple[int, int]] = []
    for line, length in follow(strokes, reading, counts):
        if length == 1 and plan:
            plan[-1] = (plan[-1][0], plan[-1][1] + 1)
        else:
            plan.append((line, length))
    return plan


def _barlines(plan: Sequence[tuple[int, int]], zero: int, beats: int) -> list[int]:
    """Indices of all beats that begin a bar, by the plan and as its ends around it."""
    (first, before), (last, after) = plan[0], plan[-1]
    inside = [zero + line for line, _ in plan]
    early = range((zero + first) % before, zero + first, before)
    return [*early, *inside, *range(zero + last + after, beats, after)]


def _beats(
    strokes: Strokes,
    reading: Reading,
    metre: Metre,
    *,
    tempo: float | None,
    steady: bool,
    duration: float,
) -> tuple[NDArray[np.float64], int]:
    """Beats from before the first stroke to after the last; the index of the reading's beat 0."""
    margin = (_LEAD_BARS + 2) * reading.count
    first, last = np.floor(reading.beats(strokes.times[[0, -1]])).astype(int)
    numbers = np.arange(first - margin, last + margin + 1)
    beats = reading.seconds(numbers.astype(np.float64))
    if not steady:
        beats = settle(beats, strokes, reach=max(_REACH / reading.period, 2.0))
        return beats, int(-numbers[0])
    per_pulse = float(metre.pulse / metre.beat)
    origin, period = steady_line(
        beats,
        strokes,
        duration=duration,
        tempo=tempo,
        per_pulse=per_pulse,
        bar=float(metre.length / metre.pulse),
    )
    first, last = np.floor((strokes.times[[0, -1]] - origin) / period).astype(int)
    steps = np.arange(first - margin, last + margin + 1)
    return origin + period * steps, int(-numbers[0] - steps[0])


def _first_beat(beats: NDArray[np.float64], first: int, lines: Sequence[int], count: int) -> int:
    """Index of the beat with which the first bar begins."""
    line = max((line for line in lines if line <= first), default=first)
    least = max(line - _LEAD_BARS * count, line % count)
    # Lines, not steps of `count`: bars at the start may have another metre than most.
    start = min(
        (early for early in lines if least <= early <= line and beats[early] >= -_BEFORE_START),
        default=line,
    )
    if beats[start] >= -_BEFORE_START:
        return start
    inside = int(np.searchsorted(beats, -_BEFORE_START))
    return min(inside, first)


def _bars(
    beats: NDArray[np.float64], edges: Sequence[int], metre: Metre, *, pickup: bool
) -> tuple[Bar, ...]:
    """Bars between edges; a pickup is too short for its metre, others are as they are."""
    bars = []
    for first, (a, b) in zip(chain([pickup], repeat(False)), pairwise(edges), strict=False):
        own = metre if first and b - a < metre.numerator else Metre(b - a, metre.denominator)
        bars.append(Bar(own, tuple(float(beat) for beat in beats[a:b])))
    return tuple(bars)
