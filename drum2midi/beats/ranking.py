"""Ranking: how likely every reading of a pulse is, by all strokes and by halves of them.

Which of two readings wins must not hang on a stroke or two that were misheard. So the readings
that all strokes together find likely are ranked again, by random halves of the strokes, in pairs of
which one has what the other lacks, and the mean of all counts: bagging (Breiman, Machine
Learning 1996), at the time of use. Halves of one hearing share its mistakes; where the recording
was heard a second time, with more doubt, that hearing and its halves count as much.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.metrical import Reading, rank, readings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drum2midi.beats.strokes import Strokes

Ranked = tuple[list[Reading], "NDArray[np.float64]"]
"""The readings of one level, phase and metre, one for each downbeat, and their log-odds."""

_PAIRS: Final = 2
_LITTLE: Final = 0.05  # weight of a stroke that a half leaves out
_HOPELESS: Final = 6.0  # nats by which a level falls short that is not ranked again


def rank_readings(
    strokes: Strokes,
    pulse: NDArray[np.float64],
    *,
    limits: Mapping[int, tuple[float, float]],
    doubted: Strokes | None = None,
) -> list[Ranked]:
    """Every way to count a pulse, level by level, with the log-odds of each up to a constant.

    Parameters
    ----------
    strokes : Strokes
    pulse : array
        Seconds.
    limits : mapping of int to (float, float)
        As of `drum2midi.beats.metrical.readings`.
    doubted : Strokes, optional
        Of a second hearing, which counts as much.
    """
    levels = [level for level, _ in readings(strokes, pulse, limits=limits)]
    if not levels:
        return []

    def mean(parts: Sequence[Strokes], some: Container[int]) -> dict[int, NDArray[np.float64]]:
        """What parts of the strokes say of the readings of some levels."""
        said: dict[int, list[NDArray[np.float64]]] = {}
        for part in parts:
            for index, (level, describe) in enumerate(readings(part, pulse, limits=limits)):
                if index in some:
                    scores = _in_order(levels[index], level, rank(describe()))
                    said.setdefault(index, []).append(scores)
        return {index: np.mean(scores, axis=0) for index, scores in said.items()}

    hearings = [strokes] if doubted is None else [strokes, doubted]
    wholes = mean(hearings, range(len(levels)))
    best = max(float(scores.max()) for scores in wholes.values())
    likely = {index for index, scores in wholes.items() if scores.max() > best - _HOPELESS}
    halves = mean([half for hearing in hearings for half in _halves(hearing)], likely)
    means = {i: (wholes[i] + 2 * _PAIRS * halves[i]) / (1 + 2 * _PAIRS) for i in likely}
    # Halves are less sure than the whole: the rest falls as far as the best does.
    fall = max(float(scores.max()) for scores in means.values()) - best
    return [(level, means.get(i, wholes[i] + fall)) for i, level in enumerate(levels)]


def move_downbeat(scores: NDArray[np.float64], heeding: NDArray[np.float64]) -> NDArray[np.float64]:
    """Odds as heeding something gives them, moved from one downbeat to another of a level only.

    Parameters
    ----------
    scores, heeding : array, shape (readings,)
        Log-odds of the readings of one level, phase and metre, without and with it.

    Returns
    -------
    array, shape (readings,)
        Those with it, all together as likely as without.
    """
    return np.asarray(heeding - np.logaddexp.reduce(heeding) + np.logaddexp.reduce(scores))


def _in_order(
    wanted: Sequence[Reading], given: Sequence[Reading], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scores of the readings of a level in the order of others, which may begin at another beat."""
    return np.roll(scores, given[0].downbeat - wanted[0].downbeat)


def _halves(strokes: Strokes) -> Iterator[Strokes]:
    """The strokes, of which only half count for the drums; how loud they are, all still tell."""
    count = len(strokes.times)
    rng = np.random.default_rng(0)
    for _ in range(_PAIRS):
        first = rng.permutation(count) < count // 2
        for kept in (first, ~first):
            yield replace(strokes, weights=np.where(kept, strokes.weights, _LITTLE))
