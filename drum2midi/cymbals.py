"""Cymbals: which of the hats and cymbals it was, by what else is played around it.

A hi-hat is open against closed ones: where even those that sound closed ring a little,
only those that ring clearly more were opened.

A stick that plays the hats does not go over to the ride for a stroke or two: among strokes that
are clearly the hats', one that might be either is no ride. Nor are there crashes in crowds. What
is a hat and a cymbal at once again and again, as no stick plays, is the wash of an open hat. And
where the stick runs on evenly, a hat that falls into its step with the kick is its own, not the
foot's. A foot that comes down twice within some hundredths of a second did so once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.drums import (
    CLOSED_HAT,
    CRASH,
    DRUMS,
    KICK,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    RIDE_BELL,
    SCORING_CLASSES,
)
from drum2midi.model import Activations, log_odds_near
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAME: Final = 0.03
"""Seconds within which two strokes of a drum are one."""

_FEWEST: Final = 8  # hi-hats without which they are not judged against each other
_MOST_CLOSED: Final = 10.0  # percentile of how open a recording's hi-hats sound
_OPENED: Final = 5.0  # logits by which an open one sounds more open than that
_OPEN: Final = 2.5  # logits from which on one is open anyway
_HATS, _CYMBALS = SCORING_CLASSES.index("HH"), SCORING_CLASSES.index("CY")
_AROUND: Final = 4.0  # seconds before and after a cymbal's stroke whose company it is judged by
_CROWD: Final = 8  # crashes in that time that nobody plays beside the hats
_TOGETHER: Final = 5  # strokes on hats and cymbals as one in that time that no stick plays
_CYMBALS_TO_A_HAT: Final = 3  # beyond which the hats are what is misheard
_COMPANY: Final = 4  # strokes on either side without which it is in none
_SURE: Final = 4.0  # logits, at most, by which a stroke speaks for hats or cymbals
_ITSELF: Final = 0.25  # weight of what the stroke itself sounds like, against the mean around it
_RATHER_HATS: Final = -1.0  # logits from which on it is a hi-hat's
_STEP: Final = 0.3  # seconds, at most, from stroke to stroke of a stick that runs on
_REBOUND: Final = 0.07  # seconds within which a foot on the pedal does not come down again
_EVEN: Final = 0.25  # of a step by which two that are even may differ


def cast_cymbals(hits: Sequence[Hit], activations: Activations) -> tuple[Hit, ...]:
    """Say again which it was, of hats and cymbals.

    Parameters
    ----------
    hits : sequence of Hit
        Of a whole recording, by onset.
    activations : Activations
        As the network gave them.

    Returns
    -------
    tuple of Hit
        By onset. Rides, and any cymbals that the stick would have to play with a hat again and
        again, may be hi-hats, less those that the hats were heard to play as well; open hi-hats may
        be closed or pedal ones, and pedal ones closed. Of strokes of the pedal that follow each
        other too fast for a foot the less sure are left out.
    """
    hats = _without_wash(_keep_to_hats(hits, activations), activations)
    return _without_rebounds(_keep_to_stick(_close_hats(hats, activations)))


def _keep_to_hats(hits: Sequence[Hit], activations: Activations) -> tuple[Hit, ...]:
    """Give strokes of the ride, and crowds of crashes, among those of the hats to the hats."""
    # The foot plays along with the ride as well as with the hats, and says nothing of the stick.
    stream = [h for h in hits if h.drum.scoring in ("HH", "CY") and h.drum is not PEDAL_HAT]
    wrong = dict(zip(stream, _among_hats(stream, activations), strict=True))
    crashes = np.array([hit.onset for hit in stream if hit.drum is CRASH])

    def doubtful(hit: Hit) -> bool:
        if hit.drum is CRASH:
            return _count_around(crashes, hit) >= _CROWD
        return hit.drum in (RIDE, RIDE_BELL)

    return _as_hats(hits, {hit for hit in stream if wrong[hit] and doubtful(hit)}, activations)


def _as_hats(
    hits: Sequence[Hit], cymbals: Collection[Hit], activations: Activations
) -> tuple[Hit, ...]:
    """Some cymbals as hats, of the likeliest kind; none where there is a hat already."""
    hats = np.array([hit.onset for hit in hits if hit.drum.scoring == "HH"])
    given = -np.inf
    out = []
    for hit in hits:
        if hit not in cymbals:
            out.append(hit)
        elif hit.onset - given >= SAME and not (np.abs(hats - hit.onset) < SAME).any():
            kinds = log_odds_near(activations.drums, activations.frames_at([hit]), reach=1)[0]
            kind = max((CLOSED_HAT, OPEN_HAT, PEDAL_HAT), key=lambda drum: kinds[DRUMS.index(drum)])
            out.append(replace(hit, drum=kind))
            given = hit.onset
    return tuple(out)


def _without_wash(hits: Sequence[Hit], activations: Activations) -> tuple[Hit, ...]:
    """Give cymbals to the hats where the stick strikes both as one, again and again.

    One stick cannot, and the other has the snare to play: of 50,000 cymbals of the training split
    1 % come with a hat that a stick plays. What is heard twice is a hat that sounds like a crash,
    and so are the cymbals between. A lone crash with a hat in it is a crash, and stays.
    """
    stick = np.array([hit.onset for hit in hits if hit.drum in (CLOSED_HAT, OPEN_HAT)])
    cymbals = [hit for hit in hits if hit.drum.scoring == "CY"]
    onsets = np.array([hit.onset for hit in cymbals])
    together = np.array([t for t in onsets if (np.abs(stick - t) < SAME).any()])
    wash = {
        hit
        for hit in cymbals
        if _count_around(together, hit) >= _TOGETHER
        and _count_around(onsets, hit) <= _CYMBALS_TO_A_HAT * _count_around(stick, hit)
    }
    return _as_hats(hits, wash, activations)


def _count_around(onsets: NDArray[np.float64], hit: Hit) -> int:
    return int(np.sum(np.abs(onsets - hit.onset) < _AROUND))


def _among_hats(stream: Sequence[Hit], activations: Activations) -> NDArray[np.bool_]:
    """Whether each of the hats' and cymbals' strokes is a hi-hat's by those around it."""
    if not stream:
        return np.zeros(0, dtype=bool)
    logits = log_odds_near(activations.classes, activations.frames_at(stream), reach=2)
    margin = np.clip(logits[:, _HATS] - logits[:, _CYMBALS], -_SURE, _SURE)
    onsets = np.array([hit.onset for hit in stream])
    index = np.arange(len(stream))
    first = np.searchsorted(onsets, onsets - _AROUND)
    last = np.searchsorted(onsets, onsets + _AROUND)
    total = np.concatenate(([0.0], np.cumsum(margin)))
    before = (total[index] - total[first]) / np.maximum(index - first, 1)
    after = (total[last] - total[index + 1]) / np.maximum(last - index - 1, 1)
    # Hats on both sides: where a verse on the hats ends, the ride's first stroke has them on one.
    enough = np.minimum(index - first, last - index - 1) >= _COMPANY
    hats = _ITSELF * margin + np.minimum(before, after) > _RATHER_HATS
    return np.asarray(enough & hats)


def _close_hats(hits: Sequence[Hit], activations: Activations) -> tuple[Hit, ...]:
    """Leave open only those hi-hats that sound open among the recording's."""
    hats = [hit for hit in hits if hit.drum.scoring == "HH"]
    if len(hats) < _FEWEST:
        return tuple(hits)
    logits = log_odds_near(activations.drums, activations.frames_at(hats), reach=1)
    opened, closed, pedal = (
        logits[:, DRUMS.index(drum)] for drum in (OPEN_HAT, CLOSED_HAT, PEDAL_HAT)
    )
    openness = opened - np.maximum(closed, pedal)
    least = min(_OPEN, float(np.percentile(openness, _MOST_CLOSED)) + _OPENED)
    drums = iter(
        hit.drum
        if hit.drum is not OPEN_HAT or openness[i] > least
        else (CLOSED_HAT if closed[i] >= pedal[i] else PEDAL_HAT)
        for i, hit in enumerate(hats)
    )
    return tuple(replace(h, drum=next(drums)) if h.drum.scoring == "HH" else h for h in hits)


def _keep_to_stick(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Give the stick what the foot seems to play on a kick, in step with a run of the stick."""
    stick = np.array([hit.onset for hit in hits if hit.drum in (CLOSED_HAT, OPEN_HAT)])
    kicks = np.array([hit.onset for hit in hits if hit.drum is KICK])
    return tuple(
        replace(hit, drum=CLOSED_HAT)
        if hit.drum is PEDAL_HAT
        and (np.abs(kicks - hit.onset) < SAME).any()
        and _in_step(hit.onset, stick)
        else hit
        for hit in hits
    )


def _in_step(onset: float, stick: NDArray[np.float64]) -> bool:
    """Whether a stick comes as soon after as before, and went at that pace already or goes on."""
    first, last = np.searchsorted(stick, [onset - SAME, onset + SAME])
    before, after = stick[:first][-2:], stick[last:][:2]
    if first < last or not len(before) or not len(after):
        return False
    step = onset - before[-1]
    others = np.array([after[0] - onset, *np.diff(before), *np.diff(after)])
    even = np.abs(others - step) < _EVEN * np.minimum(others, step)
    return bool(max(step, others[0]) < _STEP and even[0] and even[1:].any())


def _without_rebounds(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Leave out the less sure of two strokes of the foot that are too fast for one.

    Of 274 such pairs, in performances on unheard kits, both were right in none: one that begins
    softly, or with a room behind it, was heard twice.
    """
    weaker: set[Hit] = set()
    last: Hit | None = None
    for hit in (hit for hit in hits if hit.drum is PEDAL_HAT):
        if last is not None and hit.onset - last.onset < _REBOUND:
            less, last = sorted((hit, last), key=lambda either: either.confidence)
            weaker.add(less)
        else:
            last = hit
    return tuple(hit for hit in hits if hit not in weaker)
