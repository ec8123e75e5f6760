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


def downbeat_evidence(
    readings: Sequence[Reading], strokes: NDArray[np.float64], harmony: Harmony
) -> NDArray[np.float64]:
    """How far chord changes speak for each of the downbeats that beats of one level can have.

    Parameters
    ----------
    readings : sequence of Reading
        Of one pulse, level, phase and metre: one for each downbeat.
    strokes : array
        Seconds of the strokes, in order.
    harmony : Harmony

    Returns
    -------
    array, shape (readings,)
        Nats: log-odds against all of them being alike. Slower levels are not preferred for
        it, although over two bars or four the harmony may change the most.
    """
    beats = readings[0]
    first, last = np.round(beats.beats(strokes[[0, -1]])).astype(np.int64)
    numbers = np.arange(first, last + 1)
    change = harmony.change(beats.seconds(numbers.astype(np.float64)))
    place = numbers % beats.count
    seen = np.maximum(np.bincount(place, minlength=beats.count), 1)
    mean = np.bincount(place, change, minlength=beats.count) / seen + _NOTHING
    speaks = _TRUST * np.log(mean[[reading.downbeat % beats.count for reading in readings]])
    return np.asarray(speaks - np.logaddexp.reduce(speaks) + np.log(beats.count))
