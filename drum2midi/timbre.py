"""Timbre: activations that heed how the recording's own drums sound.

The network knows many kits, but not this one. What it is sure of in a recording teaches how this
kit sounds here: for every class, a line between the spectra of moments at which the class is
surely heard and of those at which it surely is not. On which side of it a doubtful moment
lies, and how far, then counts beside what the network says: a faint stroke that sounds as the sure
ones do is believed, and a splash of treble that sounds like none of this song's hi-hats is not.
Among the moments of one class, the drums of it (an open hi-hat, say) are told apart likewise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.model import Activations
from drum2midi.sides import FEWEST, find_moments, heard_at, move, side_of_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PRESENT: Final = 0.4  # activation of a class from which on it is asked which drum it was
_SURE: Final = 0.7  # activation from which on something is surely heard
_WINDOW: Final = (-3, 10)  # frames around a moment whose spectra are compared
_BANDS: Final = 24  # groups of the features' bands


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
        one that lies farther, `drum2midi.sides.FARTHEST` times as many at most.

    Returns
    -------
    Activations
        The classes' and the drums' moved; where too little is sure they stay as they were.
    """
    classes, drums = activations.classes, activations.drums
    moments = find_moments(classes)
    if share <= 0.0 or len(moments) < 2 * FEWEST:
        return activations
    sounds = _sounds(features, moments)
    heard, heard_drums = heard_at(classes, moments), heard_at(drums, moments)
    new_classes = [
        move(classes[:, i], moments, share * side_of_line(sounds, heard[:, i], sure=_SURE))
        for i in range(len(SCORING_CLASSES))
    ]
    new_drums = [drums[:, i] for i in range(len(DRUMS))]
    for column, name in enumerate(SCORING_CLASSES):
        members = [i for i, drum in enumerate(DRUMS) if drum.scoring == name]
        present = heard[:, column] > _PRESENT
        if len(members) > 1:
            for i in members:
                side = side_of_line(sounds[present], heard_drums[present, i], sure=_SURE)
                new_drums[i] = move(drums[:, i], moments[present], share * side)
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
