"""Which beat begins a bar, by where the chords change (`drum2midi.harmony`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.metrical import Reading
from drum2midi.harmony import Harmony

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What drums alone change in what is taken for harmony.
_NOTHING: Final = 0.02
# Weight of the log of how much more the harmony changes on one beat than on all.
_TRUST: Final = 8.0


def heed_chords(
    readings: Sequence[Reading],
    scores: NDArray[np.float64],
    strokes: NDArray[np.float64],
    harmony: Harmony,
) -> NDArray[np.float64]:
    """Scores of the downbeats that beats of one level can have, with chord changes heeded.

    Parameters
    ----------
    readings : sequence of Reading
        Of one pulse, level, phase and metre: one for each downbeat.
    scores : array, shape (readings,)
        Their log-odds from the drums alone.
    strokes : array
        Seconds of the strokes, in order.
    harmony : Harmony

    Returns
    -------
    array, shape (readings,)
        The same odds of all of them together: of the level chords say nothing, since they
        change every half bar in one song and every four in the next.
    """
    beats = readings[0]
    first, last = np.round(beats.beats(strokes[[0, -1]])).astype(np.int64)
    numbers = np.arange(first, last + 1)
    change = harmony.change(beats.seconds(numbers.astype(np.float64)))
    place = numbers % beats.count
    seen = np.maximum(np.bincount(place, minlength=beats.count), 1)
    mean = np.bincount(place, change, minlength=beats.count) / seen + _NOTHING
    heeding = scores + _TRUST * np.log(
        mean[[reading.downbeat % beats.count for reading in readings]]
    )
    return np.asarray(heeding - np.logaddexp.reduce(heeding) + np.logaddexp.reduce(scores))
