"""Evaluation: how close an estimated transcription comes to a reference.

Conventions
-----------
Strokes are matched one to one within a window (50 ms unless said) by mir_eval
(Raffel et al., *mir_eval: A Transparent Implementation of Common MIR Metrics*,
ISMIR 2014), class by class, in the field's five classes KD SD TT HH CY. Beats and
downbeats are those of a ``.mid``'s own tempo map and metres, or of a text file
with a line "seconds number-in-bar" for every beat, and are matched within 70 ms.

Metrics
-------
strokes : precision, recall and F by class, pooled (micro), and of onsets whatever the drum
beats, downbeats : F
metre : whether the time signature that covers most of each is the same
placement : share of the reference's strokes found, and in the same place of the bar
velocity : Pearson correlation of the velocities of matched strokes
confusion : what each stroke of the reference was taken for
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.drums import SCORING_CLASSES
from drum2midi.errors import InputError
from drum2midi.references import Performance

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW: Final = 0.05
_ONE_ONSET: Final = 0.03
_PLACE_TOLERANCE: Final = 0.125
_BEAT_WINDOW: Final = 0.07


@dataclass(frozen=True)
class Score:
    """Matched strokes, those of the reference and those of the estimate."""

    matched: int
    reference: int
    estimated: int

    def __add__(self, other: Score) -> Score:
        return Score(
            self.matched + other.matched,
            self.reference + other.reference,
            self.estimated + other.estimated,
        )

    @property
    def precision(self) -> float:
        return self.matched / self.estimated if self.estimated else 0.0

    @property
    def recall(self) -> float:
        return self.matched / self.reference if self.reference else 0.0

    @property
    def f(self) -> float:
        total = self.reference + self.estimated
        return 2.0 * self.matched / total if total else 0.0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All metrics of one pair; None for what one of the two does not tell."""

    strokes: Mapping[str, Score]
    onsets: Score
    confusion: NDArray[np.int64]
    beats: float | None = None
    downbeats: float | None = None
    metre: bool | None = None
    placement: float | None = None
    velocity: float | None = None
    micro: Score = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "micro", sum(self.strokes.values(), Score(0, 0, 0)))


CONFUSION_LABELS: Final = (*SCORING_CLASSES, "none")
"""Rows (reference) and columns (estimate) of a confusion matrix."""


def evaluate(
    reference: Performance, estimate: Performance, *, window: float = WINDOW
) -> Evaluation:
    """Compare an estimate with a reference; see the module for conventions and metrics.

    Raises
    ------
    InputError
        If `window` is not positive or the reference has no stroke.
    """
    if not window > 0:
        raise InputError(f"window {window} s is not positive")
    if not len(reference.seconds):
        raise InputError("the reference has no stroke to compare with")
    pairs = {name: _pairs(reference, estimate, name, window) for name in SCORING_CLASSES}
    strokes: dict[str, Score] = {
        name: Score(len(pairs[name]), len(reference.of(name)), len(estimate.of(name)))
        for name in SCORING_CLASSES
    }
    matched = [pair for found in pairs.values() for pair in found]
    return Evaluation(
        strokes=strokes,
        onsets=_onsets(reference, estimate, window),
        confusion=_confusion(reference, estimate, matched, window),
        beats=_beat_f(reference.beats, estimate.beats),
        downbeats=_beat_f(reference.downbeats, estimate.downbeats),
        metre=_same_metre(reference, estimate),
        placement=_placement(reference, estimate, matched),
        velocity=_velocity(reference, estimate, matched),
    )


def _match(
    one: NDArray[np.float64], other: NDArray[np.float64], window: float
) -> list[tuple[int, int]]:
    import mir_eval

    if not len(one) or not len(other):
        return []
    return [(int(i), int(j)) for i, j in mir_eval.util.match_events(one, other, window)]


def _pairs(
    reference: Performance, estimate: Performance, name: str, window: float
) -> list[tuple[int, int]]:
    ref, est = reference.of(name), estimate.of(name)
    pairs = _match(reference.seconds[ref], estimate.seconds[est], window)
    return [(int(ref[i]), int(est[j])) for i, j in pairs]


def _onsets(reference: Performance, estimate: Performance, window: float) -> Score:
    ref, est = (_merged(performance.seconds) for performance in (reference, estimate))
    return Score(len(_match(ref, est, window)), len(ref), len(est))


def _merged(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Onsets of chords once."""
    kept: list[float] = []
    for time in seconds.tolist():
        if not kept or time - kept[-1] > _ONE_ONSET:
            kept.append(time)
    return np.array(kept)


def _confusion(
    reference: Performance,
    estimate: Performance,
    matched: Sequence[tuple[int, int]],
    window: float,
) -> NDArray[np.int64]:
    """Matched strokes on the diagonal; the others by what else was found at their time."""
    names = {name: i for i, name in enumerate(CONFUSION_LABELS)}
    table = np.zeros((len(names), len(names)), np.int64)
    for i, _ in matched:
        table[names[reference.classes[i]], names[reference.classes[i]]] += 1
    found, used = {i for i, _ in matched}, {j for _, j in matched}
    ref = [int(i) for name in SCORING_CLASSES for i in reference.of(name) if int(i) not in found]
    est = [int(j) for name in SCORING_CLASSES for j in estimate.of(name) if int(j) not in used]
    ref.sort(key=lambda i: reference.seconds[i])
    est.sort(key=lambda j: estimate.seconds[j])
    rest = _match(reference.seconds[ref], estimate.seconds[est], window)
    for i, j in rest:
        table[names[reference.classes[ref[i]]], names[estimate.classes[est[j]]]] += 1
    missed = set(range(len(ref))) - {i for i, _ in rest}
    false = set(range(len(est))) - {j for _, j in rest}
    for i in missed:
        table[names[reference.classes[ref[i]]], -1] += 1
    for j in false:
        table[-1, names[estimate.classes[est[j]]]] += 1
    return table


def _beat_f(
    reference: NDArray[np.float64] | None, estimate: NDArray[np.float64] | None
) -> float | None:
    import mir_eval

    if reference is None or estimate is None or not len(reference):
        return None
    inside = estimate[(estimate > reference[0] - 1.0) & (estimate < reference[-1] + 1.0)]
    # What `mir_eval.beat.f_measure` does, which refuses recordings of more than 30,000 s.
    matched = len(_match(reference, inside, _BEAT_WINDOW))
    if not matched:
        return 0.0
    return float(mir_eval.util.f_measure(matched / len(inside), matched / len(reference)))


def _same_metre(reference: Performance, estimate: Performance) -> bool | None:
    if reference.metre is None or estimate.metre is None:
        return None
    return reference.metre == estimate.metre


def _placement(
    reference: Performance, estimate: Performance, matched: Sequence[tuple[int, int]]
) -> float | None:
    """Strokes less than an eighth of a beat from their place, up to a shift by whole bars."""
    if reference.places is None or estimate.places is None or reference.metre is None:
        return None
    if not matched:
        return 0.0
    pairs = np.array(matched)
    away = estimate.places[pairs[:, 1]] - reference.places[pairs[:, 0]]
    bar = float(reference.metre.length)
    shifts = np.unique(np.round(away / bar)) * bar
    right = max(int(np.sum(np.abs(away - shift) < _PLACE_TOLERANCE)) for shift in shifts)
    return right / sum(len(reference.of(name)) for name in SCORING_CLASSES)


def _velocity(
    reference: Performance, estimate: Performance, matched: Sequence[tuple[int, int]]
) -> float | None:
    if len(matched) < 3:
        return None
    pairs = np.array(matched)
    one, other = reference.velocities[pairs[:, 0]], estimate.velocities[pairs[:, 1]]
    if not np.isfinite(one).all() or not np.isfinite(other).all():
        return None
    return float(np.corrcoef(one, other)[0, 1]) if one.std() and other.std() else 0.0
