"""Sides: what a recording is sure of draws a line, and doubt is settled by its side.

A moment is where anything at all might have been struck. Those at which something is surely
heard, and those at which it surely is not, teach how the two differ in this very recording; on
which side of the line between them another moment lies, and how far, moves what is heard there.

It is self-training (Scudder, IEEE Trans. Inf. Theory 1965) of the simplest classifier, on one
recording at a time. Every moment is judged by the others alone, so that no mistake speaks for
itself: what ridge regression says of a row that it did not see follows from its fit to all of
them (Allen, Technometrics 1974).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import maximum_filter1d

from drum2midi.model import log_odds
from drum2midi.peaks import find_peaks

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST: Final = 4
"""Moments with something, and without it, below which nothing is learnt of it."""

FARTHEST: Final = 1.5
"""How far on a side counts at most; sure moments lie about 1 from the line."""

SURELY_NOT: Final = 0.1
"""Activation below which something surely is not heard."""

_FAINT: Final = 0.06  # activation below which nothing is a moment at all
_REACH: Final = 2  # frames on each side that a moment's peak tops
_SAME: Final = 3  # frames within which two peaks are one moment
_FLOOR: Final = 0.05  # added to deviations, of what hardly varies
_NOTHING: Final = 1e-9  # mean variance below which all moments are the same
_RIDGE: Final = 0.1  # times the mean variance of what is compared


def find_moments(classes: NDArray[np.float32]) -> NDArray[np.intp]:
    """Frames at which something might have been struck, of activations (frames, classes)."""
    loudest = classes.max(axis=1, initial=0.0)
    return find_peaks(loudest, threshold=_FAINT, reach=_REACH, gap=_SAME + 1)


def heard_at(curves: NDArray[np.float32], moments: NDArray[np.intp]) -> NDArray[np.float32]:
    """Activations (frames, any) at moments, (moments, any): the highest of the frames around."""
    around: NDArray[np.float32] = maximum_filter1d(curves, 2 * _SAME + 1, axis=0)
    return around[moments]


def side_of_line(
    told: NDArray[np.float32], heard: NDArray[np.float32], *, sure: float
) -> NDArray[np.float64]:
    """How far moments lie on one side of the line, which a fit to the others alone draws.

    Parameters
    ----------
    told : float32, shape (moments, numbers)
        What tells moments apart.
    heard : float32, shape (moments,)
        Activation of what is to be told from the rest.
    sure : float
        Activation from which on it is heard surely enough to teach.

    Returns
    -------
    float64, shape (moments,)
        About 1 for what is like it, about -1 for what is not, 0 if too little is sure.
    """
    teaches, otherwise = heard > sure, heard < SURELY_NOT
    if min(teaches.sum(), otherwise.sum()) < FEWEST:
        return np.zeros(len(heard))
    wanted = np.where(teaches, 1.0, -1.0)
    # Both sides weigh the same, however many they are.
    weights = 0.5 * (teaches / teaches.sum() + otherwise / otherwise.sum())
    mean = weights @ told
    spread = np.sqrt(weights @ (told - mean) ** 2) + _FLOOR
    rows = (told - mean) / spread
    products = rows.T @ (weights[:, None] * rows)
    variance = np.trace(products) / len(products)
    if variance < _NOTHING:
        return np.zeros(len(heard))
    products += _RIDGE * variance * np.eye(len(products))
    inverse = np.linalg.inv(products)
    side = rows @ (inverse @ (rows.T @ (weights * wanted)))
    # What a moment that taught pulled the line towards itself is taken back.
    leverage = weights * ((rows @ inverse) * rows).sum(axis=1)
    alone = (side - leverage * wanted) / np.maximum(1.0 - leverage, 1e-3)
    return np.asarray(np.clip(np.where(weights > 0.0, alone, side), -FARTHEST, FARTHEST))


def move(
    curve: NDArray[np.float32], moments: NDArray[np.intp], shift: NDArray[np.float64]
) -> NDArray[np.float32]:
    """A curve, moved by so many logits at moments and in between by what lies between."""
    if not shift.any():
        return curve
    logits = log_odds(curve) + np.interp(np.arange(len(curve)), moments, shift)
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)
