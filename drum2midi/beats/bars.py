"""Bars from a reading of the pulse."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.metrical import Reading
from drum2midi.beats.settle import phases, settle, steady_line
from drum2midi.beats.strokes import Strokes
from drum2midi.transcription import Bar, Grid, Metre

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EARLY: Final = 0.12  # beats; so far ahead of a beat a stroke is still on it
_LEAD_BARS: Final = 8  # whole bars of rests, at most, before the first stroke
_BEFORE_START: Final = 0.06  # seconds before the audio at which a first bar may still begin
_REACH: Final = 1.25  # seconds over which the tempo of a tracked pulse is taken to be constant
_STEADY_REACH: Final = 4.0  # the same where one tempo fits throughout
_EIGHTHS: Final = 0.275  # seconds; shorter beats of 5 and 7 in a bar are written as eighths
_SHORTEST_QUARTER: Final = 0.2  # seconds; 300 a minute, the fastest that players take


def metre_of(count: int, period: float) -> Metre:
    """How bars of so many beats are written.

    Parameters
    ----------
    count : int
    period : float
        Seconds in a beat.
    """
    eighths = count in (6, 12) or (count in (5, 7) and period < _EIGHTHS)
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
    return Grid(_split(beats, 0, metre), float(beats[-1]), 0.0)


def make_grid(
    strokes: Strokes,
    reading: Reading,
    *,
    tempo: float | None,
    metre: Metre | None,
    steady: bool,
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
    confidence : float
        Of the reading.
    """
    metre = metre or metre_of(reading.count, reading.period)
    beats, downbeat = _beats(strokes, reading, metre, tempo=tempo, steady=steady)
    first, last = np.floor(phases(strokes.times[[0, -1]], beats) + _EARLY).astype(int)
    start = _first_beat(beats, int(first), downbeat, metre)
    # What the recording's start leaves of a beat may be too short to be one.
    start += bool(beats[start + 1] < _SHORTEST_QUARTER * float(metre.beat))
    end = int(last + 1 + (downbeat - last - 1) % reading.count)
    times = beats[start : end + 1].copy()
    times[0] = max(times[0], 0.0)
    pickup = (downbeat - start) % reading.count
    return Grid(_split(times, pickup, metre), float(times[-1]), confidence)


def _beats(
    strokes: Strokes, reading: Reading, metre: Metre, *, tempo: float | None, steady: bool
) -> tuple[NDArray[np.float64], int]:
    """Beats from well before the first stroke to after the last, and the index of a downbeat."""
    margin = (_LEAD_BARS + 2) * reading.count
    first, last = np.floor(reading.beats(strokes.times[[0, -1]])).astype(int)
    numbers = np.arange(first - margin, last + margin + 1)
    beats = reading.seconds(numbers.astype(np.float64))
    if not steady:
        constant = np.ptp(np.diff(reading.pulse)) < 1e-6
        reach = _STEADY_REACH if constant else _REACH
        beats = settle(beats, strokes, reach=max(reach / reading.period, 2.0))
        return beats, int(reading.downbeat - numbers[0])
    per_pulse = float(metre.pulse / metre.beat)
    origin, period = steady_line(beats, strokes, tempo=tempo, per_pulse=per_pulse)
    first, last = np.floor((strokes.times[[0, -1]] - origin) / period).astype(int)
    steps = np.arange(first - margin, last + margin + 1)
    return origin + period * steps, int(reading.downbeat - numbers[0] - steps[0])


def _first_beat(beats: NDArray[np.float64], first: int, downbeat: int, metre: Metre) -> int:
    """Index of the beat with which the first bar begins."""
    count = metre.numerator
    start = first - (first - downbeat) % count
    lead = max(start - _LEAD_BARS * count, start % count)
    while start - count >= lead and beats[start - count] >= -_BEFORE_START:
        start -= count
    if beats[start] >= -_BEFORE_START:
        return start
    inside = int(np.searchsorted(beats, -_BEFORE_START))
    return min(inside, first)


def _split(beats: NDArray[np.float64], pickup: int, metre: Metre) -> tuple[Bar, ...]:
    """Bars of beats, the last of which only ends the last bar."""
    edges = [0, *range(pickup or metre.numerator, len(beats), metre.numerator)]
    return tuple(Bar(metre, tuple(float(beat) for beat in beats[a:b])) for a, b in pairwise(edges))
