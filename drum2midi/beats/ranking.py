"""Ranking: how likely every reading of a pulse is, by all strokes and by halves of them.

Which of two readings wins must not hang on a stroke or two that were misheard. So the readings
that all strokes together find likely are ranked again, by random halves of the strokes, in pairs of
which one has what the other lacks, and the mean of all counts: bagging (Breiman, Machine
Learning 1996), at the time of use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.metrical import Reading, rank, readings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drum2midi.beats.strokes import Strokes

_PAIRS: Final = 2
_LITTLE: Final = 0.05  # weight of a stroke that a half leaves out
_HOPELESS: Final = 6.0  # nats by which a level falls short that is not ranked again


def rank_readings(
    strokes: Strokes, pulse: NDArray[np.float64], *, limits: Mapping[int, tuple[float, float]]
) -> list[tuple[list[Reading], NDArray[np.float64]]]:
    """Every way to count a pulse, level by level, with the log-odds of each up to a constant.

    Parameters
    ----------
    strokes : Strokes
    pulse : array
        Seconds.
    limits : mapping of int to (float, float)
        As of `drum2midi.beats.metrical.readings`.
    """
    levels = list(readings(strokes, pulse, limits=limits))
    if not levels:
        return []
    scores = [rank(describe()) for _, describe in levels]
    best = max(float(own.max()) for own in scores)
    hopeful = [index for index, own in enumerate(scores) if own.max() > best - _HOPELESS]
    totals = {index: scores[index].copy() for index in hopeful}
    for half in _halves(strokes):
        again = list(readings(half, pulse, limits=limits))
        for index in hopeful:
            totals[index] += rank(again[index][1]())
    for index, total in totals.items():
        scores[index] = total / (1 + 2 * _PAIRS)
    return [(level, own) for (level, _), own in zip(levels, scores, strict=True)]


def _halves(strokes: Strokes) -> Iterator[Strokes]:
    """The strokes, with all but a half of them made to count next to nothing."""
    count = len(strokes.times)
    rng = np.random.default_rng(0)
    for _ in range(_PAIRS):
        first = rng.permutation(count) < count // 2
        for kept in (first, ~first):
            yield replace(strokes, weights=np.where(kept, strokes.weights, _LITTLE))
