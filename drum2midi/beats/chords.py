"""Which beat begins a bar, by where the chords change (`drum2midi.harmony`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.metrical import Reading
from drum2midi.beats.ranking import move_downbeat
from drum2midi.harmony import SPAN, Harmony

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What drums alone change in what is taken for harmony.
_NOTHING: Final = 0.02
# Weight of the log of how much more the harmony changes on one beat than on all.
_TRUST: Final = 8.0
# Bars after which what was heard counts as much as what is expected, that all beats are alike.
_BARS: Final = 2


def heed_chords(
    readings: Sequence[Reading],
    scores: NDArray[np.float64],
    onsets: NDArray[np.float64],
    harmony: Harmony,
) -> NDArray[np.float64]:
    """Scores of the downbeats that beats of one level can have, with chord changes heeded.

    Parameters
    ----------
    readings : sequence of Reading
        Of one pulse, level, phase and metre: one for each downbeat.
    scores : array, shape (readings,)
        Their log-odds from the drums alone.
    onsets : array
        Seconds of the strokes, in order.
    harmony : Harmony

    Returns
    -------
    array, shape (readings,)
        As likely as before all together, so that chords move odds from one downbeat to
        another and not from level to level: they change every half bar in one song and
        every four in the next.
    """
    beats = readings[0]
    first, last = np.round(beats.beats(onsets[[0, -1]])).astype(np.int64)
    numbers = np.arange(first, last + 1)
    times = beats.seconds(numbers.astype(np.float64))
    # Nothing is known of what came before the recording or comes after it.
    inside = (times >= SPAN) & (times <= harmony.duration - SPAN)
    if not inside.any():
        return scores
    change, place = harmony.change(times[inside]), numbers[inside] % beats.count
    total = np.bincount(place, change, minlength=beats.count) + _BARS * change.mean()
    mean = total / (np.bincount(place, minlength=beats.count) + _BARS) + _NOTHING
    downbeat = [reading.downbeat % beats.count for reading in readings]
    heeding = scores + _TRUST * np.log(mean[downbeat])
    return move_downbeat(scores, heeding)
