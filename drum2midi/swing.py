"""Swing: whether pairs of eighths, or of sixteenths, are played unevenly, and how far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.gestures import Onset
from drum2midi.transcription import EIGHTH, SIXTEENTH, STRAIGHT, Grid, Swing

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ON_BEAT: Final = 0.09  # of a pair: so near to its start counts as on it
_ZONE: Final = (0.43, 0.76)  # of a pair: where its second note may fall, straight or swung
_WIDTH: Final = 0.07  # of a pair; second notes so near to the ratio agree with it
_FEWEST: Final = 6  # second notes that tell

_SWUNG: Final = (0.545, 0.72)  # ratios of eighths that count as swing; above: a dotted rhythm
_SHARE: Final = 0.75  # of the second eighths must agree
_OTHERS: Final = 0.3  # of pairs of eighths may have other onsets, as sixteenths do
_MIRRORED: Final = 0.4  # as many lone ones at most may be as early: those of quarters' triplets are
_THIRD: Final = 0.07  # of a pair; all onsets in it so near to its thirds are its triplet

# Sixteenths lie so close that all between their beats must be looked at: triplets, whose
# places in the two halves of a quarter differ, and eighths played early are not to count.
_FINE_SWUNG: Final = (0.545, 0.69)
_FINE_INSIDE: Final = (0.22, 0.82)  # of a pair: what is neither on it nor on the next
_FINE_SHARE: Final = 0.55  # of what is inside must agree
_FINE_FEWEST: Final = 10
_FINE_SURE: Final = 3.0  # standard errors by which they must be late
_FINE_MIRRORED: Final = 0.4  # as many at most may be as early in their pairs: triplets are
_FINE_WIDTH: Final = 0.018  # seconds; agreement is no narrower than drummers are even
_FINE_PAIR: Final = 0.2  # seconds; no two sixteenths swing faster


def estimate_swing(onsets: Sequence[Onset], grid: Grid, *, values: Collection[Fraction]) -> Swing:
    """Find what swings: the eighths, else the sixteenths, else nothing.

    Parameters
    ----------
    onsets : sequence of Onset
    grid : Grid
        Where eighths are the beats, only sixteenths can swing; where sixteenths are, nothing.
    values : collection of Fraction
        What may swing, in quarter notes.

    Returns
    -------
    Swing
    """
    quarters = np.array([onset.phase for onset in onsets])
    beat = grid.metre.beat
    if beat >= 2 * EIGHTH and EIGHTH in values:
        ratio = _swung_eighths(quarters)
        if ratio is not None:
            return Swing(ratio, EIGHTH)
    if beat < 2 * SIXTEENTH or SIXTEENTH not in values:
        return STRAIGHT
    pair = float(np.median(np.diff(grid.beat_times) / np.diff(grid.beat_quarters))) / 2
    ratio = _swung_sixteenths(2 * quarters, pair)
    return STRAIGHT if ratio is None else Swing(ratio, SIXTEENTH)


def _swung_eighths(places: NDArray[np.float64]) -> float | None:
    """The ratio, if the off-beats that stand alone between beats agree; places in pairs."""
    places = np.sort(places)
    # Hat and kick of one off-beat, played a little apart, are one.
    places = places[np.diff(places, prepend=-np.inf) > _ON_BEAT]
    pairs = np.floor(places + _ON_BEAT)
    off = places - pairs > _ON_BEAT
    in_pair = Counter(pairs[off].tolist())
    inside = (places - pairs)[off]
    lone = inside[[in_pair[pair] == 1 for pair in pairs[off].tolist()]]
    second = lone[(lone > _ZONE[0]) & (lone < _ZONE[1])]
    astray = (np.abs(inside - 1 / 3) > _THIRD) & (np.abs(inside - 2 / 3) > _THIRD)
    # Triplets among swung eighths are at home: they neither tell nor say no.
    told = set(pairs[off][astray].tolist())
    others = sum(count > 1 for pair, count in in_pair.items() if pair in told)
    if len(second) < _FEWEST or others > _OTHERS * len(in_pair):
        return None
    ratio = float(np.median(second))
    agree = np.mean(np.abs(second - ratio) < _WIDTH)
    if np.sum(np.abs(lone - (1 - ratio)) < _WIDTH) > _MIRRORED * len(second):
        return None
    return ratio if _SWUNG[0] < ratio < _SWUNG[1] and agree >= _SHARE else None


def _swung_sixteenths(places: NDArray[np.float64], pair: float) -> float | None:
    """The ratio, if most of what lies inside pairs of `pair` seconds agrees; places in pairs."""
    inside = places % 1.0
    inside = inside[(inside > _FINE_INSIDE[0]) & (inside < _FINE_INSIDE[1])]
    second = inside[(inside > _ZONE[0]) & (inside < _ZONE[1])]
    if len(second) < _FINE_FEWEST or pair < _FINE_PAIR:
        return None
    ratio = float(np.median(second))
    width = max(_WIDTH, _FINE_WIDTH / pair)
    agree, mirrored = (np.mean(np.abs(inside - place) < width) for place in (ratio, 1 - ratio))
    # The standard error of a median, from the median absolute deviation.
    error = 1.25 * 1.48 * float(np.median(np.abs(second - ratio))) / np.sqrt(len(second))
    late = ratio - 0.5 > _FINE_SURE * error and mirrored < _FINE_MIRRORED * agree
    swung = _FINE_SWUNG[0] < ratio < _FINE_SWUNG[1] and agree >= _FINE_SHARE
    return ratio if late and swung else None
