"""Recurrence: activations that heed what is heard where the music comes again.

Drummers repeat themselves: what lies under a loud guitar in one bar lies open in the
next. For every moment the few moments are found around which the activations are most
alike, bars or beats away, and each activation moves towards the mean of what it is
there. It is the non-local mean of image denoising (Buades, Coll & Morel, CVPR 2005) along time,
and knows of no beat: nothing here needs the grid, which is found from the strokes afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from drum2midi.model import Activations

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEP: Final = 2  # frames; moments lie so far apart
_AROUND: Final = 2.0  # seconds that are compared around two moments
_LAGS: Final = (0.7, 9.0)  # seconds between them: from a beat or two to a few bars
_MOST: Final = 6  # moments that are heeded
_ALIKE: Final = 0.5  # cosine from which on two moments are alike at all
_APART: Final = 3  # frames by which one stroke may come early or late in another bar
_FAINT: Final = 0.04  # where less is heard than this, nothing is raised
_CERTAIN: Final = 1e-3  # activations are taken to be this far from 0 and 1
_SILENT: Final = 1e-4


@dataclass(frozen=True)
class Repeats:
    """Where the music comes again.

    Attributes
    ----------
    lags : int64, shape (most, moments)
        Frames from every moment (every second frame) to those that are most like it.
    likeness : float32, shape (most, moments)
        How alike they are: 0 for not at all, 1 for the same.
    """

    lags: NDArray[np.int64]
    likeness: NDArray[np.float32]


def heed_repeats(activations: Activations, *, share: float) -> Activations:
    """Move activations towards what they are where the music comes again.

    Parameters
    ----------
    activations : Activations
    share : float
        How far, from 0 (not at all) to 1 (all the way, where the repeats are exact).

    Returns
    -------
    Activations
        The classes' moved. Which drum of a class it was (an open hat, say) and how hard it
        was struck is what drummers vary, and stays as heard.
    """
    rate = activations.frame_rate
    if share <= 0.0 or len(activations.classes) < 2 * _LAGS[0] * rate:
        return activations
    repeats = find_repeats(activations.classes, rate)
    return replace(activations, classes=_moved(activations.classes, repeats, share))


def find_repeats(curves: NDArray[np.float32], rate: float) -> Repeats:
    """The moments most like each moment.

    Parameters
    ----------
    curves : float32, shape (frames, classes)
    rate : float
        Frames a second.
    """
    coarse = maximum_filter1d(curves, 2 * _STEP + 1, axis=0)[::_STEP]
    around = max(1, int(_AROUND * rate / _STEP))
    power = uniform_filter1d((coarse**2).sum(1), around, mode="constant")
    first, last = (int(seconds * rate / _STEP) for seconds in _LAGS)
    best = _Best(len(coarse))
    before, here = np.zeros(len(coarse), np.float32), np.zeros(len(coarse), np.float32)
    for lag in range(first, min(last, len(coarse) - 1) + 1):
        after = _likeness(coarse, power, lag, around)
        # A lag counts where it is more alike than its neighbours are.
        top = np.where((here > before) & (here >= after), here, 0.0).astype(np.float32)
        best.offer(top, lag - 1)
        best.offer(
            np.concatenate((np.zeros(lag - 1, np.float32), top[: len(top) - lag + 1])), 1 - lag
        )
        before, here = here, after
    return Repeats(best.lags * _STEP, best.values)


def _likeness(
    coarse: NDArray[np.float32], power: NDArray[np.float32], lag: int, around: int
) -> NDArray[np.float32]:
    """How alike every moment and the one `lag` later are, 0 where it is too late for one."""
    alike = np.zeros(len(coarse), np.float32)
    product = np.einsum("ij,ij->i", coarse[:-lag], coarse[lag:])
    both = np.sqrt(power[:-lag] * power[lag:]) + _SILENT
    cosine = uniform_filter1d(product, around, mode="constant") / both
    alike[:-lag] = np.clip((cosine - _ALIKE) / (1.0 - _ALIKE), 0.0, 1.0)
    return alike


class _Best:
    """The highest values offered so far for every moment, and their lags."""

    def __init__(self, moments: int) -> None:
        self.values = np.zeros((_MOST, moments), np.float32)
        self.lags = np.zeros((_MOST, moments), np.int64)

    def offer(self, values: NDArray[np.float32], lag: int) -> None:
        """Keep a lag wherever its value beats the least of those kept."""
        better = np.flatnonzero(values > self.values.min(axis=0))
        row = self.values[:, better].argmin(axis=0)
        self.values[row, better] = values[better]
        self.lags[row, better] = lag


def _moved(curves: NDArray[np.float32], repeats: Repeats, share: float) -> NDArray[np.float32]:
    """Activations, moved on the logit scale by a share of what they lack of their repeats' mean."""
    sure = np.clip(curves, _CERTAIN, 1.0 - _CERTAIN)
    logits = np.log(sure / (1.0 - sure))
    # The height of the stroke that a frame belongs to, so that its peak keeps its shape.
    heights = maximum_filter1d(logits, 2 * _APART + 1, axis=0)
    moment = np.arange(len(curves)) // _STEP
    weights = repeats.likeness[:, moment]
    total = np.zeros_like(logits)
    for lags, weight in zip(repeats.lags[:, moment], weights, strict=True):
        there = np.clip(np.arange(len(curves)) + lags, 0, len(curves) - 1)
        total += weight[:, None] * heights[there]
    most = np.float32(_MOST)
    # The weights' mean says how much there is to go by; the sum makes the mean of the repeats.
    trust = weights.sum(axis=0)[:, None]
    shift = np.float32(share) * (total - trust * heights) / most
    faint = np.float32(np.log(_FAINT / (1.0 - _FAINT)))
    shift = np.where(heights < faint, np.minimum(shift, 0.0), shift)
    return np.asarray(1.0 / (1.0 + np.exp(-(logits + shift))), np.float32)
