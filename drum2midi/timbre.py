"""Timbre: activations that heed how the recording's own drums sound.

The network knows many kits, but not this one. What it is sure of in a recording teaches how this
kit sounds here: for every class, a line between the spectra of moments at which the class is
surely heard and of those at which it surely is not. On which side of it a doubtful moment
lies, and how far, then counts beside what the network says: a faint stroke that sounds as the sure
ones do is believed, and a splash of treble that sounds like none of this song's hi-hats is not.
Among the moments of one class, the drums of it (an open hi-hat, say) are told apart likewise.

It is self-training (Scudder, IEEE Trans. Inf. Theory 1965) of the simplest classifier, on one
recording at a time. Every moment is judged by the others alone, so that no mistake speaks for
itself: what ridge regression says of a row that it did not see follows from its fit to all of
them (Allen, Technometrics 1974).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import maximum_filter1d

from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.model import Activations, log_odds
from drum2midi.peaks import find_peaks

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST: Final = 4
"""Moments with a class, and without it, below which nothing is learnt of it."""

FARTHEST: Final = 1.5
"""How far on a side counts at most; sure moments lie about 1 from the line."""

_FAINT: Final = 0.06  # activation below which nothing is a moment at all
_PRESENT: Final = 0.4  # activation of a class from which on it is asked which drum it was
_SURE: Final = 0.7  # activation from which on something is surely heard
_SURELY_NOT: Final = 0.1  # and below which it surely is not
_REACH: Final = 2  # frames on each side that a moment's peak tops
_SAME: Final = 3  # frames within which two peaks are one moment
_WINDOW: Final = (-3, 10)  # frames around a moment whose spectra are compared
_BANDS: Final = 24  # groups of the features' bands
_FLOOR: Final = 0.05  # added to deviations, of features that hardly vary
_NOTHING: Final = 1e-9  # mean variance below which all sounds are the same
_RIDGE: Final = 0.1  # times the mean variance of what is compared


def heed_timbre(
    activations: Activations, features: NDArray[np.float32], *, share: float
) -> Activations:
    """Move activations towards what the recording's own drums say.

    Parameters
    ----------
    activations : Activations
    features : float32, shape (frames, bands)
        That they were heard in.
    share : float
        Logits by which a moment moves that lies as far from the line as the sure ones do;
        one that lies farther, `FARTHEST` times as many at most.

    Returns
    -------
    Activations
        The classes' and the drums' moved; where too little is sure they stay as they were.
    """
    classes, drums = activations.classes, activations.drums
    loudest = classes.max(axis=1, initial=0.0)
    moments = find_peaks(loudest, threshold=_FAINT, reach=_REACH, gap=_SAME + 1)
    if share <= 0.0 or len(moments) < 2 * FEWEST:
        return activations
    sounds = _sounds(features, moments)
    heard = maximum_filter1d(classes, 2 * _SAME + 1, axis=0)[moments]
    heard_drums = maximum_filter1d(drums, 2 * _SAME + 1, axis=0)[moments]
    new_classes = [
        _moved(classes[:, i], moments, share * _side(sounds, heard[:, i]))
        for i in range(len(SCORING_CLASSES))
    ]
    new_drums = [drums[:, i] for i in range(len(DRUMS))]
    for column, name in enumerate(SCORING_CLASSES):
        members = [i for i, drum in enumerate(DRUMS) if drum.scoring == name]
        present = heard[:, column] > _PRESENT
        if len(members) > 1:
            for i in members:
                side = _side(sounds[present], heard_drums[present, i])
                new_drums[i] = _moved(drums[:, i], moments[present], share * side)
    return replace(
        activations, classes=np.stack(new_classes, axis=1), drums=np.stack(new_drums, axis=1)
    )


def _sounds(features: NDArray[np.float32], moments: NDArray[np.intp]) -> NDArray[np.float32]:
    """The spectra around moments: shape (moments, frames around x groups of bands)."""
    bands = features.shape[1]
    groups = np.array_split(np.arange(bands), min(_BANDS, bands))
    coarse = np.stack([features[:, group].mean(axis=1) for group in groups], axis=1)
    around = np.clip(moments[:, None] + np.arange(*_WINDOW), 0, len(features) - 1)
    return np.asarray(coarse[around].reshape(len(moments), -1), np.float32)


def _side(sounds: NDArray[np.float32], heard: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far moments lie on one side of the line, which a fit to the others alone draws.

    Parameters
    ----------
    sounds : float32, shape (moments, numbers)
    heard : float32, shape (moments,)
        Activation of what is to be told from the rest.

    Returns
    -------
    float64, shape (moments,)
        About 1 for what sounds like it, about -1 for what does not, 0 if too little is sure.
    """
    sure, not_sure = heard > _SURE, heard < _SURELY_NOT
    if min(sure.sum(), not_sure.sum()) < FEWEST:
        return np.zeros(len(heard))
    wanted = np.where(sure, 1.0, -1.0)
    # Both sides weigh the same, however many they are.
    weights = 0.5 * (sure / sure.sum() + not_sure / not_sure.sum())
    mean = weights @ sounds
    spread = np.sqrt(weights @ (sounds - mean) ** 2) + _FLOOR
    rows = (sounds - mean) / spread
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


def _moved(
    curve: NDArray[np.float32], moments: NDArray[np.intp], shift: NDArray[np.float64]
) -> NDArray[np.float32]:
    """A curve, moved by so many logits at moments and in between by what lies between."""
    if not shift.any():
        return curve
    logits = log_odds(curve) + np.interp(np.arange(len(curve)), moments, shift)
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)
