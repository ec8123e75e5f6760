"""Dynamics: how hard a stroke was, by how loud it came among others of its class.

The network tells velocities from some seconds around a stroke. A drummer's soft and loud
strokes differ by less than two recordings of one drum do; only next to the recording's other
strokes of the class does a level tell how hard one was. Here each velocity becomes the
class's mean plus a weighted sum of what sets the stroke apart: the network's own velocity,
the level of bands at the attack, how far they rose, how loud it is without what is struck with it
(`drum2midi.unmix`), the rank of each of these among the class's strokes, which compression and
limiting leave as it was, and what is struck with it, which makes all those seem higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.drums import SCORING_CLASSES
from drum2midi.features import DECIBELS, FeatureSettings
from drum2midi.transcription import Hit
from drum2midi.unmix import TOGETHER, loudness_alone

if TYPE_CHECKING:
    from numpy.typing import NDArray

BANDS: Final = 12
"""Groups of the features' bands."""

TOLD: Final = 1 + 2 * BANDS + 1
"""The network's velocity, every group's level, every group's rise and how loud it is alone."""

WEIGHTS: Final = 2 * TOLD + len(SCORING_CLASSES)
"""Of each of these, of its rank, and of each class that is struck with it."""

FEWEST: Final = 8
"""Strokes of a class without which there is nothing to compare with."""

_AFTER: Final = slice(0, 4)  # frames from the onset on in which a stroke is loudest
_BEFORE: Final = slice(-5, -2)  # frames before it that tell what sounded already


@dataclass(frozen=True)
class Dynamics:
    """Weights, stored in the model file.

    Attributes
    ----------
    weights : tuple of tuple of float
        For each scoring class, `WEIGHTS` of them.

    Raises
    ------
    ValueError
        If there are not as many.
    """

    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if [len(row) for row in self.weights] != [WEIGHTS] * len(SCORING_CLASSES):
            raise ValueError(f"dynamics need {WEIGHTS} weights for each class")


def weigh(
    hits: Sequence[Hit],
    features: NDArray[np.float32],
    settings: FeatureSettings,
    dynamics: Dynamics,
) -> tuple[Hit, ...]:
    """Give hits velocities that compare them with the others of their class.

    Parameters
    ----------
    hits : sequence of Hit
        Of a whole recording.
    features : float32, shape (frames, bands)
        Of the recording.
    settings : FeatureSettings
        What they were made with.
    dynamics : Dynamics

    Returns
    -------
    tuple of Hit
        In the same order; where a class has fewer than `FEWEST` strokes, as they were.
    """
    out, alone = list(hits), loudness_alone(hits, features, settings)
    for name, weights in zip(SCORING_CLASSES, dynamics.weights, strict=True):
        own = [i for i, hit in enumerate(hits) if hit.drum.scoring == name]
        if len(own) < FEWEST:
            continue
        told = describe_strokes(hits, own, alone, features, settings)
        velocities = told[:, 0].mean() + (told - told.mean(axis=0)) @ np.array(weights)
        for i, velocity in zip(own, np.clip(np.round(velocities), 1, 127).tolist(), strict=True):
            out[i] = replace(hits[i], velocity=int(velocity))
    return tuple(out)


def describe_strokes(
    hits: Sequence[Hit],
    own: Sequence[int],
    alone: NDArray[np.float64],
    features: NDArray[np.float32],
    settings: FeatureSettings,
) -> NDArray[np.float64]:
    """What velocities of a class are told by.

    Parameters
    ----------
    hits : sequence of Hit
        Of a whole recording.
    own : sequence of int
        Which of them are of the class.
    alone : float64, shape (hits,)
        See `drum2midi.unmix.loudness_alone`.
    features : float32, shape (frames, bands)
    settings : FeatureSettings

    Returns
    -------
    float64, shape (own, WEIGHTS)
        The network's velocity, levels and rises in decibels and how loud it is alone; then where
        each of these stands among the class's (the share of them that is below it); then 1 for
        each scoring class of which another stroke is struck with it, else 0.
    """
    groups = np.array_split(np.arange(settings.bands), BANDS)
    onsets = np.round([hits[i].onset * settings.frame_rate for i in own]).astype(int)
    last = len(features) - 1

    def around(window: slice) -> NDArray[np.float32]:
        """Frames of a window about each onset, (hits, window, bands)."""
        at = onsets[:, None] + np.arange(window.start, window.stop)
        return np.asarray(features[np.clip(at, 0, last)])

    levels = np.stack([around(_AFTER)[..., g].mean(axis=-1).max(axis=1) for g in groups], axis=1)
    before = np.stack([around(_BEFORE)[..., g].mean(axis=(1, 2)) for g in groups], axis=1)
    velocities = np.array([[hits[i].velocity] for i in own], np.float64)
    risen = DECIBELS * (levels - before)
    told = np.hstack([velocities, DECIBELS * levels, risen, alone[own, None]])
    return np.hstack([told, _ranks(told), _struck_with(hits, own)])


def _struck_with(hits: Sequence[Hit], own: Sequence[int]) -> NDArray[np.float64]:
    """Whether a stroke of each class is struck with each of `own`, itself left out."""
    onsets = np.array([hit.onset for hit in hits])
    classes = np.array([hit.drum.scoring for hit in hits])
    at = onsets[own]
    out = np.empty((len(own), len(SCORING_CLASSES)))
    for name, column in zip(SCORING_CLASSES, out.T, strict=True):
        theirs = np.sort(onsets[classes == name])
        first = np.searchsorted(theirs, at - TOGETHER, "right")
        last = np.searchsorted(theirs, at + TOGETHER, "left")
        column[:] = last - first > (classes[own] == name)
    return out


def _ranks(told: NDArray[np.float64]) -> NDArray[np.float64]:
    """What share of the rows is below each value of a column; of its equals half."""
    out = np.empty_like(told)
    for column, ranks in zip(told.T, out.T, strict=True):
        ordered = np.sort(column)
        below, up_to = (np.searchsorted(ordered, column, side) for side in ("left", "right"))
        ranks[:] = (below + up_to) / (2 * len(column))
    return out
