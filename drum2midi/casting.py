"""Casting: which drum it was, by what the whole recording tells.

A deep or damped snare, or one without its wires, sounds like a high tom, stroke for
stroke and all through a song. What it plays gives it away: a tom comes in fills, a few
strokes in a row, and beside other toms; a snare goes on from bar to bar, and few songs
have none. Where what the network heard as a high tom plays a snare's part, it is one.

A tom that sounds with the kicks, and hardly ever without, is the kick's own sound: drummers who
strike both at once play the tom alone as well.

Snares and toms of which hardly any is heard clearly are not there: plucked, bowed and noisy sounds
pass for them, now and then and never quite.

Two strokes alone on one cymbal, hat or kick, nearer than a flam's, are one that was heard twice.

Which of the hats and cymbals it was is for `drum2midi.cymbals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.cymbals import SAME, cast_cymbals
from drum2midi.drums import HIGH_TOM, KICK, SCORING_CLASSES, SNARE
from drum2midi.gestures import GRACE_GAP
from drum2midi.model import Activations, log_odds_near
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST: Final = 8
"""Strokes without which a part is not judged."""

WEIGHTS: Final = {
    "against the snare": 0.62,
    "against other toms": 0.69,
    "spread": 3.20,
    "in a row": -3.48,
    "constant": -1.82,
}
"""Log-odds that a high tom's part is a snare's, by what `describe_part` tells of it;
fitted to grooves by `drum2midi.training.parts`."""

_ALONE: Final = 3  # high toms to a stroke of other drums; where there are more, toms play alone
_LIKELY: Final = 0.6  # confidence; less sure strokes do not speak for their drum, or against it
_CLEAR: Final = 0.9  # confidence
_WITHIN: Final = 0.9  # of a part with kicks or toms, where it may be no more than their sound
_ONE_IN: Final = 10  # likely strokes is clear, at least
_PASSED_FOR: Final = ("SD", "TT")  # what other instruments pass for
_SHADOW: Final = 0.75  # of the toms with a kick, where they are with so many of the kicks
_OF_KICKS: Final = 0.3
_ALWAYS: Final = 0.9  # of the toms with a kick, however many kicks there are
_NO_FLAMS: Final = ("KD", "HH", "CY")
_ROLLING: Final = 0.08  # seconds between strokes of a roll, at most
_WINDOW: Final = 2.0  # seconds, for how far a part is spread over a song
_ROW: Final = 0.18  # seconds between two strokes of a row
# What is heard counts as well, against what is usual for a snare that is taken for a tom.
_HEARD: Final = 0.5
_USUAL: Final = -4.5
_SNARES, _TOMS = SCORING_CLASSES.index("SD"), SCORING_CLASSES.index("TT")


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
        and so are snares or toms of which hardly any is heard clearly. Hats and cymbals are what
        `drum2midi.cymbals.cast_cymbals` makes of them, and a second stroke right after one of
        theirs or the kick's is left out.
    """
    cast = _cast_snare(hits, activations)
    # What plays a snare's part is one, however unclear a tom it was.
    doubtful = _PASSED_FOR if cast == tuple(hits) else ("TT",)
    kept = _without_shadows(_without_unclear(cast, doubtful))
    return _struck_once(cast_cymbals(kept, activations))


def _cast_snare(hits: Sequence[Hit], activations: Activations) -> tuple[Hit, ...]:
    """Give a high tom's part to the snare where it is a snare's."""
    part = [hit for hit in hits if hit.drum is HIGH_TOM]
    others = sum(hit.drum.scoring != "TT" for hit in hits)
    # Toms alone are not a groove that a snare could be missing from: of the training split, the two
    # performances of nearly nothing else have 3.4 and 5 to a stroke of other drums.
    if len(part) < FEWEST or _ALONE * others < len(part):
        return tuple(hits)
    played = float(np.dot([*WEIGHTS.values()], [*describe_part(hits), 1.0]))
    logits = log_odds_near(activations.classes, activations.frames_at(part), reach=2)
    heard = float(np.mean(logits[:, _SNARES] - logits[:, _TOMS]))
    if played + _HEARD * (heard - _USUAL) <= 0.0:
        return tuple(hits)
    snare = np.array([hit.onset for hit in hits if hit.drum.scoring == "SD"])
    cast = (replace(hit, drum=SNARE) if hit.drum is HIGH_TOM else hit for hit in hits)
    return tuple(
        new
        for old, new in zip(hits, cast, strict=True)
        if new is old or not (np.abs(snare - old.onset) < SAME).any()
    )


def _without_unclear(hits: Sequence[Hit], doubtful: Sequence[str]) -> tuple[Hit, ...]:
    """Leave out the strokes of doubtful classes of which fewer than one likely one in ten is clear.

    Of 985 parts of snares or toms in the training split, as heard, one would be lost by it. Where
    hardly one is likely only a part that never sounds alone is left out, if none of it is clear.
    """
    unclear = set()
    for name in doubtful:
        part = [hit for hit in hits if hit.drum.scoring == name]
        likely = sum(hit.confidence >= _LIKELY for hit in part)
        clear = sum(hit.confidence >= _CLEAR for hit in part)
        judged = likely >= FEWEST or _is_their_sound(part, hits)
        if judged and _ONE_IN * clear < max(likely, 1):
            unclear.add(name)
    return tuple(hit for hit in hits if hit.drum.scoring not in unclear)


def _is_their_sound(part: Sequence[Hit], hits: Sequence[Hit]) -> bool:
    """Whether a part hardly ever sounds but with a kick or a tom, as what a drum machine's do."""
    if len(part) < FEWEST:
        return False
    name = part[0].drum.scoring
    others = np.array([hit.onset for hit in hits if hit.drum.scoring in {"KD", "TT"} - {name}])
    within = sum((np.abs(others - hit.onset) < SAME).any() for hit in part)
    return bool(within >= _WITHIN * len(part))


def _without_shadows(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Leave out toms with a kick where that is all they do.

    Of the 247 performances of the training split with toms one would lose some by it. Where kicks
    run on in a row, any fill has kicks, and says nothing.
    """
    kicks = np.array([hit.onset for hit in hits if hit.drum is KICK])
    shadows, alone, judged = set(), 0, 0
    for hit in (hit for hit in hits if hit.drum.scoring == "TT"):
        away = np.abs(kicks - hit.onset)
        if (away < SAME).any():
            shadows.add(hit)
            judged += int((away < _ROW).sum() == 1)
        else:
            alone += 1
    share = judged / max(1, judged + alone)
    often = len(shadows) >= _OF_KICKS * len(kicks)
    if judged + alone < FEWEST or share < (_SHADOW if often else _ALWAYS):
        return tuple(hits)
    return tuple(hit for hit in hits if hit not in shadows)


def _struck_once(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Leave out the less sure of two strokes of a cymbal, hat or kick that are alone so near.

    Of 296 pairs so near in performances on kits that trained nothing 49 were two strokes.
    Nobody plays flams there; more than two in a row are a roll, as of drum machines' hats.
    """
    dropped = set()
    for drum in {hit.drum for hit in hits if hit.drum.scoring in _NO_FLAMS}:
        part = [hit for hit in hits if hit.drum is drum]
        gaps = np.diff([-np.inf, *(hit.onset for hit in part), np.inf])
        for index, gap in enumerate(gaps[1:-1].tolist(), 1):
            if gap <= GRACE_GAP and min(gaps[index - 1], gaps[index + 1]) > _ROLLING:
                dropped.add(min(part[index - 1], part[index], key=attrgetter("confidence")))
    return tuple(hit for hit in hits if hit not in dropped)


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
