"""Casting: which drum it was, by what the whole recording tells.

A deep or damped snare, or one without its wires, sounds like a high tom, stroke for
stroke and all through a song. What it plays gives it away: a tom comes in fills, a few
strokes in a row, and beside other toms; a snare goes on from bar to bar, and few songs
have none. Where what the network heard as a high tom plays a snare's part, it is one.

A tom that sounds with the kicks, and hardly ever without, is the kick's own sound: drummers who
strike both at once play the tom alone as well.

Snares and toms of which hardly any is heard clearly are not there: plucked, bowed and noisy sounds
pass for them, now and then and never quite.

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
    HIGH_TOM,
    KICK,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    RIDE_BELL,
    SCORING_CLASSES,
    SNARE,
)
from drum2midi.model import Activations, log_odds
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST: Final = 8
"""Strokes without which a part is not judged, nor hi-hats against each other."""

WEIGHTS: Final = {
    "against the snare": 0.62,
    "against other toms": 0.69,
    "spread": 3.20,
    "in a row": -3.48,
    "constant": -1.82,
}
"""Log-odds that a high tom's part is a snare's, by what `describe_part` tells of it;
fitted to grooves by `drum2midi.training.parts`."""

_LIKELY: Final = 0.6  # confidence; less sure strokes do not speak for their drum, or against it
_CLEAR: Final = 0.9  # confidence
_ONE_IN: Final = 10  # likely strokes is clear, at least
_PASSED_FOR: Final = ("SD", "TT")  # what other instruments pass for
_SHADOW: Final = 0.75  # of the toms with a kick, where they are with so many of the kicks
_OF_KICKS: Final = 0.3
_ALWAYS: Final = 0.9  # of the toms with a kick, however many kicks there are
_WINDOW: Final = 2.0  # seconds, for how far a part is spread over a song
_ROW: Final = 0.18  # seconds between two strokes of a row
_SAME: Final = 0.03  # seconds within which two strokes of a drum are one
# What is heard counts as well, against what is usual for a snare that is taken for a tom.
_HEARD: Final = 0.5
_USUAL: Final = -4.5
_SNARES, _TOMS = SCORING_CLASSES.index("SD"), SCORING_CLASSES.index("TT")
_MOST_CLOSED: Final = 10.0  # percentile of how open a recording's hi-hats sound
_OPENED: Final = 5.0  # logits by which an open one sounds more open than that
_OPEN: Final = 2.5  # logits from which on one is open anyway
_HATS, _CYMBALS = SCORING_CLASSES.index("HH"), SCORING_CLASSES.index("CY")
_AROUND: Final = 4.0  # seconds before and after a ride's stroke whose company it is judged by
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


def cast_parts(hits: Sequence[Hit], activations: Activations) -> tuple[Hit, ...]:
    """Say again which drum it was, of snares and kicks that sound like toms, of hats and rides.

    Parameters
    ----------
    hits : sequence of Hit
        Of a whole recording, by onset.
    activations : Activations
        As the network gave them: a snare that is taken for a tom throughout would have taught
        `drum2midi.timbre` that toms sound so.

    Returns
    -------
    tuple of Hit
        By onset. All strokes of the high tom are the snare's now, less those that the snare
        was heard to play as well, or none is. Toms that only ever sound with a kick are left out,
        and so are snares or toms of which hardly any is heard clearly.
        Rides, and any cymbals that the stick would have to play with a hat again and again, may be
        hi-hats, less those that the hats were heard to play as well; open hi-hats may be closed or
        pedal ones, and pedal ones closed. Of strokes of the pedal that follow each other too fast
        for a foot the less sure are left out.
    """
    cast = _cast_snare(hits, activations)
    # What plays a snare's part is one, however unclear a tom it was.
    doubtful = _PASSED_FOR if cast == tuple(hits) else ("TT",)
    drums = _without_shadows(_without_unclear(cast, doubtful))
    hats = _without_wash(_keep_to_hats(drums, activations), activations)
    return _without_rebounds(_keep_to_stick(_close_hats(hats, activations)))


def _cast_snare(hits: Sequence[Hit], activations: Activations) -> tuple[Hit, ...]:
    """Give a high tom's part to the snare where it is a snare's."""
    part = [hit for hit in hits if hit.drum is HIGH_TOM]
    others = sum(hit.drum.scoring != "TT" for hit in hits)
    # Toms alone are not a groove that a snare could be missing from.
    if len(part) < FEWEST or 2 * others < len(part):
        return tuple(hits)
    played = float(np.dot([*WEIGHTS.values()], [*describe_part(hits), 1.0]))
    logits = _logits(part, activations.classes, activations.frame_rate, reach=2)
    heard = float(np.mean(logits[:, _SNARES] - logits[:, _TOMS]))
    if played + _HEARD * (heard - _USUAL) <= 0.0:
        return tuple(hits)
    snare = np.array([hit.onset for hit in hits if hit.drum.scoring == "SD"])
    cast = (replace(hit, drum=SNARE) if hit.drum is HIGH_TOM else hit for hit in hits)
    return tuple(
        new
        for old, new in zip(hits, cast, strict=True)
        if new is old or not (np.abs(snare - old.onset) < _SAME).any()
    )


def _without_unclear(hits: Sequence[Hit], doubtful: Sequence[str]) -> tuple[Hit, ...]:
    """Leave out the strokes of doubtful classes of which fewer than one likely one in ten is clear.

    Of 985 parts of snares or toms in the training split, as heard, one would be lost by it.
    """
    unclear = set()
    for name in doubtful:
        heard = [hit.confidence for hit in hits if hit.drum.scoring == name]
        likely = sum(confidence >= _LIKELY for confidence in heard)
        clear = sum(confidence >= _CLEAR for confidence in heard)
        if likely >= FEWEST and _ONE_IN * clear < likely:
            unclear.add(name)
    return tuple(hit for hit in hits if hit.drum.scoring not in unclear)


def _without_shadows(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Leave out toms with a kick where that is all they do.

    Of the 247 performances of the training split with toms one would lose some by it. Where kicks
    run on in a row, any fill has kicks, and says nothing.
    """
    kicks = np.array([hit.onset for hit in hits if hit.drum is KICK])
    shadows, alone, judged = set(), 0, 0
    for hit in (hit for hit in hits if hit.drum.scoring == "TT"):
        away = np.abs(kicks - hit.onset)
        if (away < _SAME).any():
            shadows.add(hit)
            judged += int((away < _ROW).sum() == 1)
        else:
            alone += 1
    share = judged / max(1, judged + alone)
    often = len(shadows) >= _OF_KICKS * len(kicks)
    if judged + alone < FEWEST or share < (_SHADOW if often else _ALWAYS):
        return tuple(hits)
    return tuple(hit for hit in hits if hit not in shadows)


def _keep_to_hats(hits: Sequence[Hit], activations: Activations) -> tuple[Hit, ...]:
    """Give strokes of the ride, and crowds of crashes, among those of the hats to the hats."""
    stream = [hit for hit in hits if hit.drum.scoring in ("HH", "CY")]
    wrong = dict(zip(stream, _among_hats(stream, activations), strict=True))
    crashes = np.array([hit.onset for hit in stream if hit.drum is CRASH])

    def doubtful(hit: Hit) -> bool:
        crowd = np.sum(np.abs(crashes - hit.onset) < _AROUND) if hit.drum is CRASH else 0
        return hit.drum in (RIDE, RIDE_BELL) or bool(crowd >= _CROWD)

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
        elif hit.onset - given >= _SAME and not (np.abs(hats - hit.onset) < _SAME).any():
            kinds = _logits([hit], activations.drums, activations.frame_rate, reach=1)[0]
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
    together = np.array([t for t in onsets if (np.abs(stick - t) < _SAME).any()])

    def near(others: NDArray[np.float64], hit: Hit) -> int:
        return int(np.sum(np.abs(others - hit.onset) < _AROUND))

    wash = {
        hit
        for hit in cymbals
        if near(together, hit) >= _TOGETHER
        and near(onsets, hit) <= _CYMBALS_TO_A_HAT * near(stick, hit)
    }
    return _as_hats(hits, wash, activations)


def _among_hats(stream: Sequence[Hit], activations: Activations) -> NDArray[np.bool_]:
    """Whether each of the hats' and cymbals' strokes is a hi-hat's by those around it."""
    if not stream:
        return np.zeros(0, dtype=bool)
    logits = _logits(stream, activations.classes, activations.frame_rate, reach=2)
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
    if len(hats) < FEWEST:
        return tuple(hits)
    logits = _logits(hats, activations.drums, activations.frame_rate, reach=1)
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
        and (np.abs(kicks - hit.onset) < _SAME).any()
        and _in_step(hit.onset, stick)
        else hit
        for hit in hits
    )


def _in_step(onset: float, stick: NDArray[np.float64]) -> bool:
    """Whether a stick comes as soon after as before, and went at that pace already or goes on."""
    first, last = np.searchsorted(stick, [onset - _SAME, onset + _SAME])
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
    out: set[Hit] = set()
    kept: list[Hit] = []
    for hit in (hit for hit in hits if hit.drum is PEDAL_HAT):
        if kept and hit.onset - kept[-1].onset < _REBOUND:
            if hit.confidence <= kept[-1].confidence:
                out.add(hit)
                continue
            out.add(kept.pop())
        kept.append(hit)
    return tuple(hit for hit in hits if hit not in out)


def describe_part(hits: Sequence[Hit]) -> NDArray[np.float64]:
    """What tells a high tom's part from a snare's.

    Parameters
    ----------
    hits : sequence of Hit
        By onset, at least one of them of the high tom.

    Returns
    -------
    float64, shape (4,)
        Logarithm of its strokes against the snare's, and against the other toms'; share of the
        windows of two seconds with any stroke in which it has one; share of its strokes that
        follow another of its strokes at once.
    """
    part = np.array([hit.onset for hit in hits if hit.drum is HIGH_TOM])
    snare = sum(hit.drum.scoring == "SD" for hit in hits)
    toms = sum(hit.drum.scoring == "TT" for hit in hits) - len(part)
    windows = {int(hit.onset / _WINDOW) for hit in hits}
    gaps = np.diff(part)
    return np.array(
        [
            np.log((len(part) + 1) / (snare + 1)),
            np.log((len(part) + 1) / (toms + 1)),
            len(set((part / _WINDOW).astype(int).tolist())) / len(windows),
            float(np.mean(gaps < _ROW)) if len(gaps) else 0.0,
        ]
    )


def _logits(
    hits: Sequence[Hit], curves: NDArray[np.float32], rate: float, *, reach: int
) -> NDArray[np.float32]:
    """Heights of curves at strokes, as log-odds; shape (hits, curves)."""
    frames = np.array([round(hit.onset * rate) for hit in hits])
    near = np.clip(frames[:, None] + np.arange(-reach, reach + 1), 0, len(curves) - 1)
    return log_odds(curves[near].max(axis=1))
