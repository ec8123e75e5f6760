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
from scipy.ndimage import maximum_filter1d

from drum2midi.model import Activations, log_odds

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEP: Final = 2  # frames; moments lie so far apart
_AROUND: Final = 2.0  # seconds that are compared around two moments
_LAGS: Final = (0.7, 9.0)  # seconds between them: from a beat or two to a few bars
_MOST: Final = 6  # moments that are heeded
_ALIKE: Final = 0.5  # cosine from which on two moments are alike at all
_APART: Final = 3  # frames by which one stroke may come early or late in another bar
_FAINT: Final = 0.04  # where less is heard than this, nothing is raised
_MOST_AGAINST: Final = 1.5  # logits by which silence elsewhere may speak against a stroke
_SILENT: Final = 0.1  # added to energies: where next to nothing is heard nothing is alike


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
        How far, from 0 (not at all) to 1 (all the way, where there are repeats enough and
        they are exact). Never far below what is heard clearly: a fill comes only once.

    Returns
    -------
    Activations
        The classes' moved, and not nearer to 0 and 1 than .001. Which drum of a class it was
        (an open hat, say) and how hard it was struck is what drummers vary, and stays as heard.
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
    coarse = maximum_filter1d(curves, 2 * _STEP + 1, axis=0)[::_STEP].astype(np.float64)
    moments = len(coarse)
    half = max(1, int(_AROUND * rate / _STEP) // 2)
    energy = np.concatenate(([0.0], np.cumsum((coarse**2).sum(1))))
    first, last = (int(seconds * rate / _STEP) for seconds in _LAGS)
    best = _Best(moments)
    before, here = np.zeros(moments, np.float32), np.zeros(moments, np.float32)
    # One lag more on each side, to tell whether the outermost are more alike than those.
    for lag in range(max(1, first - 1), min(last + 1, moments - 1) + 1):
        after = _likeness(coarse, energy, lag, half)
        if first < lag <= last + 1:
            top = np.where((here > before) & (here >= after), here, np.float32(0.0))
            best.offer(top, lag - 1)
            best.offer(np.concatenate((np.zeros(lag - 1, np.float32), top))[:moments], 1 - lag)
        before, here = here, after
    return Repeats(best.lags * _STEP, best.values)


def _likeness(
    coarse: NDArray[np.float64], energy: NDArray[np.float64], lag: int, half: int
) -> NDArray[np.float32]:
    """How alike what lies around every moment and around the one `lag` later are.

    Compared is what both have of the recording, and counts less where that is less than a
    half of what is looked at; 0 where it is too late for one. `energy` is that of all moments
    before each.
    """
    pairs = len(coarse) - lag
    product = np.concatenate(([0.0], np.cumsum(np.einsum("ij,ij->i", coarse[:-lag], coarse[lag:]))))
    low = np.maximum(np.arange(pairs) - half, 0)
    high = np.minimum(np.arange(pairs) + half + 1, pairs)
    both = (energy[high] - energy[low]) * (energy[high + lag] - energy[low + lag])
    cosine = (product[high] - product[low]) / (np.sqrt(np.maximum(both, 0.0)) + _SILENT)
    alike = np.zeros(len(coarse), np.float32)
    cosine *= np.minimum((high - low) / half, 1.0)
    alike[:pairs] = np.clip((cosine - _ALIKE) / (1.0 - _ALIKE), 0.0, 1.0)
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
    """Activations, moved on the logit scale by a share of what they lack of their repeats."""
    logits = log_odds(curves)
    # The height of the stroke that a frame belongs to, so that its peak keeps its shape.
    heights = maximum_filter1d(logits, 2 * _APART + 1, axis=0)
    moment = np.arange(len(curves)) // _STEP
    weights = repeats.likeness[:, moment]
    total = np.zeros_like(logits)
    for lags, weight in zip(repeats.lags[:, moment], weights, strict=True):
        there = np.clip(np.arange(len(curves)) + lags, 0, len(curves) - 1)
        total += weight[:, None] * heights[there]
    # Repeats that are missing or not quite alike leave a stroke more as it was heard.
    shift = np.float32(share / _MOST) * (total - weights.sum(axis=0)[:, None] * heights)
    # A fill comes once, and is as clear as the beat around it.
    shift = np.maximum(shift, -np.float32(_MOST_AGAINST))
    faint = np.float32(np.log(_FAINT / (1.0 - _FAINT)))
    shift = np.where(heights < faint, np.minimum(shift, 0.0), shift)
    return np.asarray(1.0 / (1.0 + np.exp(-(logits + shift))), np.float32)
