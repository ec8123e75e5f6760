"""Rhythm: activations that heed what is played around a moment.

Drummers play figures: a stroke that is half heard is likelier where the pulse, what was struck
some sixteenths ago and what will be struck ask for one. The network hears some seconds and knows
no pulse. Here every moment is described by what is heard at even shares of a pulse before and
after it, and that speaks twice: small networks that learnt from human grooves, as they are heard
(`drum2midi.training.rhythm`), say what drummers at large would play there, and a line through
this recording's own sure moments (`drum2midi.sides`) says what this one does. Neither is told what
is heard of the class itself at the moment (but for its edge, where a pulse is so fast that
sixteenths touch): that is for the network that listens to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import maximum_filter1d

from drum2midi.beats.settle import moments as seconds_of
from drum2midi.beats.settle import phases
from drum2midi.drums import SCORING_CLASSES
from drum2midi.model import Activations, log_odds
from drum2midi.sides import FEWEST, SURELY_NOT, find_moments, heard_at, move, side_of_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

CLASSES: Final = ("KD", "SD", "TT", "HH")
"""Scoring classes of which the networks know: a crash comes where nothing has told of it."""

_SIXTEENTHS: Final = [k / 4 for k in range(1, 17)]
_TRIPLETS: Final = [beat + third / 3 for beat in range(3) for third in (1, 2)]
_FAR: Final = [6.0, 8.0, 12.0, 16.0]
LAGS: Final = tuple(
    sorted(sign * lag for lag in (*_SIXTEENTHS, *_TRIPLETS, *_FAR) for sign in (-1, 1))
)
"""Pulses from a moment to where it is looked: sixteenths and triplets near it, bars farther off."""

NUMBERS: Final = (len(LAGS) + 1) * len(SCORING_CLASSES) + 2 + len(SCORING_CLASSES)
"""That a class's network and line are told of a moment."""

# A tom that is taken for a snare is heard as both: neither may speak against the other.
_ALIKE: Final = {"SD": "TT", "TT": "SD"}
_NEAR: Final = 4  # frames around a place within which a stroke is on it
_LOGITS: Final = 4.0  # beyond which activations are as sure as they can be
_COMMON_PULSE: Final = 0.5  # seconds
_MANY: Final = 10.0  # moments a second
_PRESENT: Final = 0.5
_SURE: Final = 0.5  # rhythm forgives half-sure teachers: their mistakes have no rhythm
_LEARNT: Final = 0.5  # of what the networks say, which trust kits they know too much
_MOST: Final = 3.0  # logits that they say at most
_OWN: Final = 2.0  # logits on the side where this drummer's own strokes lie, were there enough
_ENOUGH: Final = 400.0  # moments that teach, with which half of that counts
_MODEL: Final = Path(__file__).with_name("rhythm.npz")


def heed_rhythm(
    activations: Activations, pulse: NDArray[np.float64], *, share: float
) -> Activations:
    """Move activations towards what the rhythm asks for.

    Parameters
    ----------
    activations : Activations
    pulse : float64, shape (pulses,)
        Seconds, ascending, at whatever level.
    share : float
        Of what the rhythm says, in logits, that counts; 0 leaves the activations alone.

    Returns
    -------
    Activations
        The classes' moved.
    """
    moments = find_moments(activations.classes)
    if share <= 0.0 or len(moments) < 2 * FEWEST or len(pulse) < 2:
        return activations
    around = describe_rhythm(activations, moments, pulse)
    heard = heard_at(activations.classes, moments)
    curves = []
    for column, name in enumerate(SCORING_CLASSES):
        told = with_company(around, heard, name)
        own = side_of_line(told, heard[:, column], sure=_SURE) * _trust(heard[:, column])
        shift = _OWN * own + _LEARNT * np.clip(_say(name, told), -_MOST, _MOST)
        curves.append(move(activations.classes[:, column], moments, share * shift))
    return replace(activations, classes=np.stack(curves, axis=1))


def describe_rhythm(
    activations: Activations, moments: NDArray[np.intp], pulse: NDArray[np.float64]
) -> Floats:
    """What is heard around moments.

    Parameters
    ----------
    activations : Activations
    moments : int, shape (moments,)
        Frames, at least two.
    pulse : float64, shape (pulses,)
        Seconds, at least two, ascending.

    Returns
    -------
    float32, shape (moments, len(LAGS) * 5 + 7)
        Log-odds of every class at every lag, -1 to 1 and 0 outside of the recording; the pulse's
        length, how dense the moments are, and how many of them have each class.
    """
    classes, rate = activations.classes, activations.frame_rate
    near = _surety(maximum_filter1d(classes, 2 * _NEAR + 1, axis=0))
    at = phases(moments / rate, pulse)[:, None] + np.array(LAGS)
    frames = np.round(seconds_of(at, pulse) * rate).astype(np.intp)
    inside = (frames >= 0) & (frames < len(classes))
    looked = np.where(inside[..., None], near[np.clip(frames, 0, len(classes) - 1)], 0.0)
    common = [
        np.log(np.median(np.diff(pulse)) / _COMMON_PULSE),
        len(moments) / max(float(moments[-1] - moments[0]) / rate, 1.0) / _MANY,
        *(heard_at(classes, moments) > _PRESENT).mean(axis=0),
    ]
    whole = np.broadcast_to(np.array(common), (len(moments), len(common)))
    return np.hstack([looked.reshape(len(moments), -1), whole]).astype(np.float32)


def with_company(around: Floats, heard: Floats, name: str) -> Floats:
    """What `describe_rhythm` tells of moments, and what else is struck then, for one class.

    Parameters
    ----------
    around : float32, shape (moments, numbers)
    heard : float32, shape (moments, 5)
        Activations of the classes at the moments.
    name : str
        Of the class.

    Returns
    -------
    float32, shape (moments, NUMBERS)
    """
    company = _surety(heard)
    for hidden in {name, _ALIKE.get(name, name)}:
        company[:, SCORING_CLASSES.index(hidden)] = 0.0
    return np.hstack([around, company])


def _surety(activations: Floats) -> Floats:
    return np.asarray(np.clip(log_odds(activations) / _LOGITS, -1.0, 1.0), np.float32)


def _trust(heard: Floats) -> float:
    """0 to 1: how far a line is believed that so many moments have drawn."""
    taught = float(min((heard > _SURE).sum(), (heard < SURELY_NOT).sum()))
    return taught / (taught + _ENOUGH)


@cache
def _networks() -> Mapping[str, Floats]:
    """Weights `w1`, `b1`, `w2`, `b2` and `w3`, each with the classes along its first axis."""
    with np.load(_MODEL) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def _say(name: str, told: Floats) -> Floats:
    """Logits by which a class's strokes are likelier than what is heard of it makes them."""
    if name not in CLASSES:
        return np.zeros(len(told), np.float32)
    net = {key: weights[CLASSES.index(name)] for key, weights in _networks().items()}
    hidden = np.maximum(told @ net["w1"] + net["b1"], 0.0)
    hidden = np.maximum(hidden @ net["w2"] + net["b2"], 0.0)
    said: Floats = hidden @ net["w3"]
    return said
