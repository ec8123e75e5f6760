"""Onsets: peaks of the activations become hits.

A stroke is decided by the activation of its class (kick, snare, toms, hi-hat,
cymbals), there and where the music comes again; which drum of the class it was by the
drums' own activations. Where other instruments keep raising doubt and hardly a
stroke is sure, before the drums come in or where there are none, unsure ones are no strokes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.drums import (
    CLOSED_HAT,
    DRUMS,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    RIDE_BELL,
    SCORING_CLASSES,
)
from drum2midi.errors import InputError
from drum2midi.model import Activations, PickSettings, log_odds_near
from drum2midi.peaks import find_peaks
from drum2midi.sides import find_moments
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MEMBERS: Final = tuple(
    tuple(i for i, drum in enumerate(DRUMS) if drum.scoring == name) for name in SCORING_CLASSES
)
_ONE_CYMBAL: Final = {DRUMS.index(RIDE), DRUMS.index(RIDE_BELL)}
_CLOSED_HAT, _OPEN_HAT, _PEDAL_HAT = (DRUMS.index(d) for d in (CLOSED_HAT, OPEN_HAT, PEDAL_HAT))
_HATS, _CYMBALS = SCORING_CLASSES.index("HH"), SCORING_CLASSES.index("CY")
GHOST_VELOCITY: Final = 32
"""Snare strokes softer than this are ghost strokes. Most of what is heard where no stroke was,
echoes and rattling wires, would be such: they have to be surer than others."""

_RATHER_A_HAT: Final = 0.75
"""Logits by which a hi-hat must be likelier than a cymbal for the cymbal not to be believed."""

_SURE: Final = 0.8  # activation from which on a stroke needs no company
_SAME: Final = 0.05  # seconds between a stroke and the moment that it is
_NEAR: Final = 2.5  # seconds before and after a stroke in which it has company
_MUCH: Final = 10  # moments without a stroke in that time; in silence there is next to none
_FEW: Final = 0.2  # strokes to such a moment below which nobody drums

# Classes of which two drums can be struck at once: a snare and its rim cannot, two toms can.
_SEVERAL: Final = frozenset({"TT", "CY"})
_SENSITIVITY_RANGE: Final = 6.0
"""Logits by which the thresholds move from sensitivity 0 to 1."""


def pick_hits(
    activations: Activations, settings: PickSettings, *, sensitivity: float = 0.5
) -> tuple[Hit, ...]:
    """Find the strokes.

    Parameters
    ----------
    activations : Activations
        As `drum2midi.heeding.heed_recording` gives them: what `settings` say of recurrence,
        timbre and rhythm has been done.
    settings : PickSettings
    sensitivity : float
        0 hears only what is certain, 1 hears ghosts; 0.5 is what the model was tuned for.

    Returns
    -------
    tuple of Hit
        By onset; strokes of one chord share their onset exactly.

    Raises
    ------
    InputError
        If `sensitivity` is not between 0 and 1.
    """
    if not 0.0 <= sensitivity <= 1.0:
        raise InputError(f"sensitivity {sensitivity} is not between 0 and 1")
    hits = []
    for column, threshold in enumerate(settings.thresholds):
        curve = activations.classes[:, column]
        least = _of_the_foot(threshold, settings) if column == _HATS else threshold
        peaks = find_peaks(
            curve,
            threshold=_moved(least, sensitivity),
            reach=settings.reach,
            gap=settings.gap * activations.frame_rate,
        )
        if column == _CYMBALS:
            peaks = peaks[~_hats_rather(activations, peaks)]
        for peak in peaks.tolist():
            onset = (peak + _offset(curve, peak)) / activations.frame_rate - settings.delay
            struck = _struck(activations, settings, column, peak, max(0.0, onset))
            least = min(least_activation(hit, threshold, settings) for hit in struck)
            if curve[peak] >= _moved(least, sensitivity):
                hits += struck
    order = {drum: i for i, drum in enumerate(DRUMS)}
    hits.sort(key=lambda hit: (hit.onset, order[hit.drum]))
    sure = min(_SURE, _moved(_SURE, sensitivity))
    return _without_strays(_chords(hits, settings.chord), activations, sure)


def _without_strays(
    hits: tuple[Hit, ...], activations: Activations, sure: float
) -> tuple[Hit, ...]:
    """Hits by onset, less unsure ones where what might be a stroke hardly ever is one."""
    strokes = np.unique([hit.onset for hit in hits])
    moments = find_moments(activations.classes) / activations.frame_rate
    edges = np.searchsorted(strokes, moments[:, None] + np.array([-_SAME, _SAME]))
    others = moments[edges[:, 0] == edges[:, 1]]
    certain = {hit.onset for hit in hits if hit.confidence >= sure}

    def near(times: NDArray[np.float64], onset: float) -> int:
        first, last = np.searchsorted(times, [onset - _NEAR, onset + _NEAR])
        return int(last - first)

    def is_stray(onset: float) -> bool:
        doubt = near(others, onset)
        return doubt >= _MUCH and near(strokes, onset) < _FEW * doubt

    return tuple(hit for hit in hits if hit.onset in certain or not is_stray(hit.onset))


def _hats_rather(activations: Activations, peaks: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Peaks of the cymbals that are the splash of a hi-hat: one hand plays either.

    A hat that the foot closes leaves the hand to the cymbal.
    """
    hats, cymbals = log_odds_near(activations.classes[:, [_HATS, _CYMBALS]], peaks, reach=2).T
    drums = log_odds_near(activations.drums, peaks, reach=1)
    stick = np.maximum(drums[:, _CLOSED_HAT], drums[:, _OPEN_HAT])
    return np.asarray((hats - cymbals > _RATHER_A_HAT) & (drums[:, _PEDAL_HAT] <= stick))


def least_activation(hit: Hit, threshold: float, settings: PickSettings) -> float:
    """The activation of its class without which a stroke is not believed.

    Parameters
    ----------
    hit : Hit
    threshold : float
        That of its class.
    settings : PickSettings
        Whose `ghost` and `pedal` ask for more or for less.
    """
    if hit.drum is PEDAL_HAT:
        return _of_the_foot(threshold, settings)
    if hit.drum.scoring == "SD" and hit.velocity < GHOST_VELOCITY:
        return max(threshold, settings.ghost)
    return threshold


def _of_the_foot(threshold: float, settings: PickSettings) -> float:
    """The pedal's threshold, where the hats have another."""
    return min(threshold, settings.pedal or threshold)


def _moved(threshold: float, sensitivity: float) -> float:
    logit = np.log(threshold / (1.0 - threshold)) + _SENSITIVITY_RANGE * (0.5 - sensitivity)
    return float(1.0 / (1.0 + np.exp(-logit)))


def _offset(curve: NDArray[np.float32], peak: int) -> float:
    """Where the top of a bell through three frames lies, in frames from the middle one."""
    if not 0 < peak < len(curve) - 1:
        return 0.0
    left, top, right = np.log(np.maximum(curve[peak - 1 : peak + 2], 1e-6)).tolist()
    bend = left - 2.0 * top + right
    return 0.5 * (left - right) / bend if bend < 0.0 else 0.0


def _struck(
    activations: Activations, settings: PickSettings, column: int, peak: int, onset: float
) -> list[Hit]:
    """The drums of a class that were struck at a peak: the likeliest, and clear others."""
    near = slice(max(0, peak - 1), peak + 2)
    members = _MEMBERS[column]
    scores = activations.drums[near].max(axis=0)
    scores[_OPEN_HAT] -= settings.open_margin
    best = max(members, key=lambda i: scores[i])
    struck = [best]
    if SCORING_CLASSES[column] in _SEVERAL:
        struck += [i for i in members if i != best and scores[i] >= settings.second]
    if set(struck) >= _ONE_CYMBAL:
        struck.remove(min(_ONE_CYMBAL, key=lambda i: scores[i]))
    confidence = float(activations.classes[peak, column])
    return [
        Hit(onset, DRUMS[i], _velocity(activations, near, i), round(confidence, 3)) for i in struck
    ]


def _velocity(activations: Activations, near: slice, drum: int) -> int:
    frame = int(np.argmax(activations.drums[near, drum]))
    return int(np.clip(round(float(activations.velocities[near, drum][frame]) * 127.0), 1, 127))


def _chords(hits: Sequence[Hit], within: float) -> tuple[Hit, ...]:
    """Give strokes that sound as one the same onset, the mean weighted by confidence."""
    out: list[Hit] = []
    chord: list[Hit] = []
    for hit in [*hits, None]:
        fits = hit is not None and chord and hit.onset - chord[0].onset <= within
        # One class twice within a chord would be two strokes, not a chord.
        if hit is not None and (not chord or (fits and hit.drum not in {h.drum for h in chord})):
            chord.append(hit)
            continue
        weights = [h.confidence for h in chord]
        if chord:
            onset = float(np.average([h.onset for h in chord], weights=weights))
            out += [replace(h, onset=onset) for h in chord]
        chord = [hit] if hit is not None else []
    return tuple(out)
