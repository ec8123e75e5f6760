"""Strokes into their written places: quantisation as inference.

For every beat the subdivision that explains the timing best is chosen, under a noise
model for how far strokes lie from their place and a prior for simple rhythm that
does not change from beat to beat: maximum a posteriori transcription as in Cemgil,
Desain & Kappen (Computer Music Journal 2000) and Raphael (Artificial Intelligence
2002), decoded with Viterbi's algorithm over the beats. Swing is estimated first and
taken out, so that swung eighths are written as eighths; strokes that lean on a
stronger one become grace notes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.drums import Drum
from drum2midi.errors import InputError
from drum2midi.gestures import GRACE_GAP, Onset, group_onsets
from drum2midi.rolls import Roll, find_rolls, place_roll
from drum2midi.swing import estimate_swing
from drum2midi.transcription import EIGHTH, SIXTEENTH, STRAIGHT, Grid, Hit, Metre, Note, Swing

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cost in nats of dividing a quarter so: what is rarer in written drum parts costs more.
_DIVISIONS: Final[dict[int, float]] = {1: 0.0, 2: 0.1, 4: 0.5, 3: 2.0, 6: 4.5, 8: 4.5}
# Where eighths swing, triplets are at home and sixteenths are not.
_SWUNG_DIVISIONS: Final[dict[int, float]] = {1: 0.0, 2: 0.1, 3: 0.5, 4: 2.0, 6: 3.0, 8: 6.0}
_VALUES: Final[dict[str, tuple[int, ...]]] = {
    "4": (1,),
    "8": (1, 2),
    "16": (1, 2, 4),
    "32": (1, 2, 4, 8),
    "8t": (1, 3),
    "16t": (1, 3, 6),
}
"""Note values that a user may know, and into how many parts they divide a quarter."""

# Into how many parts those triplets divide a quarter that a shuffle of these notes sounds like:
# where triplets are known to be written, such a shuffle is.
_TRIPLETS: Final = {EIGHTH: 3, SIXTEENTH: 6}

_CHANGE: Final = 1.2  # cost of going from twos to threes or back between beats
_SWUNG_CHANGE: Final = 0.5  # likewise where eighths swing, which to the ear are thirds already
_HABIT: Final = 0.7  # weight of what the same beat of other bars does
_CLASH: Final = 5.0  # cost of two strokes of one drum on one place
_BESIDE: Final = 2.0  # of a beat that has its first thirty-second and not itself,
_ASTRAY: Final = 6.0  # and of one with two places or more, all beside its halves
_OUTLIER: Final = 9.0  # cost of an onset from which on it may as well be misplayed or misheard,
_STRAY: Final = 0.05  # and then it costs one more for every so many seconds
_NOISE: Final = (0.008, 0.022)  # seconds; bounds of the estimated standard deviation
_FINE: Final = 6  # parts of a quarter from which on that is asked
_EARLY: Final = 1 / 16  # of the span divided: so far ahead of it an onset belongs to it
_FINEST: Final = Fraction(1, 8)  # of a quarter: where a stroke goes whose place is taken


def parse_values(text: str) -> frozenset[int]:
    """Read note values such as ``"16"``, ``"8t"`` or ``"16,8t"``.

    Parameters
    ----------
    text : str
        One or more of 4, 8, 16, 32 and, for triplets, 8t, 16t, with commas between; each
        brings the longer ones of its kind along.

    Returns
    -------
    frozenset of int
        Into how many parts a quarter may be divided.

    Raises
    ------
    InputError
        If there is anything else.
    """
    divisions: set[int] = set()
    for value in text.split(","):
        if value.strip() not in _VALUES:
            raise InputError(
                f"grid {text!r} is not one or more of {', '.join(_VALUES)}, such as 16 or 16,8t"
            )
        divisions.update(_VALUES[value.strip()])
    return frozenset(divisions)


def quantise(
    hits: Sequence[Hit],
    grid: Grid,
    *,
    swing: Swing | None = None,
    divisions: Collection[int] | None = None,
) -> tuple[tuple[Note, ...], Swing]:
    """Write strokes down on a grid.

    Parameters
    ----------
    hits : sequence of Hit
        In any order.
    grid : Grid
    swing : Swing, optional
        Estimated from the strokes if not given.
    divisions : collection of int, optional
        Into how many parts a quarter may be divided, if known: see `parse_values`.

    Returns
    -------
    notes : tuple of Note
        One for every hit, in order of place. No two notes of one drum share a place,
        grace notes aside.
    swing : Swing
        What was given, or estimated.
    """
    unit = min(Fraction(1), grid.metre.beat)
    allowed = _DIVISIONS if divisions is None else divisions
    parts = _parts(unit, allowed, _DIVISIONS)
    finest = _FINEST if divisions is None else unit / max(parts)
    rolls = find_rolls(hits, grid) if finest <= _FINEST else ()
    inner = {hit for roll in rolls for hit in roll.hits[1:]}
    onsets = group_onsets([hit for hit in hits if hit not in inner], grid)
    if swing is None:
        values = [
            value
            for value, triplets in _TRIPLETS.items()
            if finest <= value and (divisions is None or triplets not in divisions)
        ]
        swing = estimate_swing(onsets, grid, values=values)
    if _eighths_swing(swing):
        parts = _parts(unit, allowed, _SWUNG_DIVISIONS)
    places = _decode(onsets, grid, unit, swing, parts)
    return _notes(onsets, places, rolls, grid, finest, swing), swing


def check_divides(divisions: Collection[int], metre: Metre) -> None:
    """Raise `InputError` if no note of some values divides the beats of a metre."""
    if not _dividing(min(Fraction(1), metre.beat), divisions):
        raise InputError(f"the note values of --grid do not divide the beats of {metre}")


def _eighths_swing(swing: Swing) -> bool:
    return swing != STRAIGHT and swing.value == EIGHTH


def _parts(
    unit: Fraction, divisions: Collection[int], costs: Mapping[int, float]
) -> dict[int, float]:
    """Into how many parts a beat can be divided, and what each costs; not at all if none fits."""
    return {int(division * unit): costs[division] for division in _dividing(unit, divisions)} or {
        1: 0.0
    }


def _dividing(unit: Fraction, divisions: Iterable[int]) -> list[int]:
    """Of so many parts of a quarter those that whole numbers of fill a beat."""
    return [division for division in divisions if (division * unit).denominator == 1]


def _noise(phases: NDArray[np.float64], grid: Grid, swing: Swing) -> float:
    """Standard deviation of onsets around sixteenths or triplets, in seconds."""
    written = swing.written(phases)

    def spread(parts: int) -> float:
        places = swing.played(np.round(parts * written) / parts)
        return 1.48 * float(np.median(np.abs(grid.seconds(phases) - grid.seconds(places))))

    # Fast triplets would else be sloppy sixteenths.
    return min(max(min(spread(4), spread(3)), _NOISE[0]), _NOISE[1])


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch that is divided evenly, and the onsets in it.

    Attributes
    ----------
    start : Fraction
        Quarters since the first bar.
    habit : tuple
        What other spans share its place in the bar: metre and start in the bar.
    indices : list of int
        Of its onsets.
    choices : list of (int, float, array of int)
        Division, cost, and the slot of each onset.
    """

    start: Fraction
    habit: tuple[str, Fraction]
    indices: list[int]
    choices: list[tuple[int, float, NDArray[np.int64]]]


def _decode(
    onsets: Sequence[Onset],
    grid: Grid,
    unit: Fraction,
    swing: Swing,
    divisions: Mapping[int, float],
) -> list[Fraction]:
    """Quarters from the first bar to the written place of every onset."""
    if not onsets:
        return []
    phases = np.array([onset.phase for onset in onsets])
    phases = np.clip(phases, 0, float(grid.bar_quarters[-1]))
    index = np.floor(phases / float(unit) + _EARLY).astype(int)
    noise = _noise(phases, grid, swing)
    spans = [
        _span(
            onsets,
            phases,
            np.flatnonzero(index == k),
            int(k) * unit,
            unit,
            grid,
            noise,
            swing,
            divisions,
        )
        for k in np.unique(index)
    ]
    change = _SWUNG_CHANGE if _eighths_swing(swing) else _CHANGE
    chosen = _viterbi(spans, [np.zeros(len(span.choices)) for span in spans], change)
    chosen = _viterbi(spans, _habits(spans, chosen), change)
    places = [Fraction(0)] * len(onsets)
    for span, choice in zip(spans, chosen, strict=True):
        division, _, slots = span.choices[choice]
        if _eighths_swing(swing):
            division, slots = _as_swung(division, slots)
        for onset, slot in zip(span.indices, slots, strict=True):
            places[onset] = span.start + int(slot) * unit / division
    return places


def _span(
    onsets: Sequence[Onset],
    phases: NDArray[np.float64],
    members: NDArray[np.int64],
    start: Fraction,
    unit: Fraction,
    grid: Grid,
    noise: float,
    swing: Swing,
    divisions: Mapping[int, float],
) -> _Span:
    """The divisions of one span and what each costs."""
    within = phases[members] - float(start)
    ends = grid.seconds([float(start), float(start + unit)])
    scale = float(ends[1] - ends[0]) / float(unit)
    choices = []
    for division, cost in divisions.items():
        per_quarter = float(division / unit)
        feel = STRAIGHT if unit / division % swing.value else swing
        slots = np.maximum(np.round(feel.written(within) * per_quarter), 0).astype(np.int64)
        error = np.abs(within - feel.played(slots / per_quarter)) * scale
        total = cost + float(_misfit(error, noise).sum())
        struck = [
            (slot, hit.drum)
            for i, slot in zip(members, slots, strict=True)
            for hit in onsets[i].hits
        ]
        total += _CLASH * (len(struck) - len(set(struck))) + _oddity(per_quarter, division, slots)
        if _eighths_swing(swing) and _is_ambiguous(division, slots):
            total = np.inf
        choices.append((division, total, slots))
    bar = bisect_right(grid.bar_quarters, start) - 1
    bar = min(bar, len(grid.bars) - 1)
    # Counted from the end of the bar, so that a pickup lines up with full bars.
    to_end = grid.bar_quarters[bar + 1] - start
    return _Span(start, (str(grid.bars[bar].metre), to_end), [int(i) for i in members], choices)


def _oddity(per_quarter: float, division: int, slots: NDArray[np.int64]) -> float:
    """Cost of a fine division whose own places are used without those that they stand between.

    Timing alone would have it where a drummer is late or early for a whole beat.
    """
    used = set(slots.tolist())
    if per_quarter < _FINE:
        return 0.0
    beside = _BESIDE * (1 in used and 0 not in used and division % 3 > 0)
    astray = len(used) > 1 and all(2 * slot % division for slot in used)
    return max(beside, _ASTRAY * astray)


def _as_swung(division: int, slots: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
    """Eighths for a beat's first and last third: where eighths swing these are the same."""
    if division % 3 or not set(slots.tolist()) <= {0, 2 * division // 3, division}:
        return division, slots
    return 2, 2 * slots // division


def _is_ambiguous(division: int, slots: NDArray[np.int64]) -> bool:
    """Whether a beat has its half beside its thirds, which where eighths swing look the same."""
    parts = set((6 * slots // division).tolist()) if division % 3 == 0 else set()
    return 3 in parts and bool(parts & {2, 4})


def _misfit(error: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Cost of strokes so many seconds beside their places; strays, too, are best put near by."""
    far = noise * np.sqrt(2 * _OUTLIER)
    normal = 0.5 * (np.minimum(error, far) / noise) ** 2
    return np.asarray(normal + np.maximum(error - far, 0.0) / _STRAY)


def _family(division: int) -> int:
    """0 for no division, 2 for halves of halves, 3 for thirds."""
    return 0 if division == 1 else 3 if division % 3 == 0 else 2


def _viterbi(
    spans: Sequence[_Span], extra: Sequence[NDArray[np.float64]], change: float
) -> list[int]:
    """Cheapest choice for every span, with `change` for each from twos to threes or back."""
    best: NDArray[np.float64] = np.zeros(1)
    families = [0]
    back: list[NDArray[np.int64]] = []
    for span, more in zip(spans, extra, strict=True):
        now = [_family(division) for division, _, _ in span.choices]
        changes = np.array([[change * (a and b and a != b) for b in now] for a in families])
        total = best[:, None] + changes
        back.append(total.argmin(0))
        best = total.min(0) + np.array([cost for _, cost, _ in span.choices]) + more
        families = now
    choice = int(best.argmin())
    chosen = []
    for pointers in reversed(back):
        chosen.append(choice)
        choice = int(pointers[choice])
    return chosen[::-1]


def _habits(spans: Sequence[_Span], chosen: Sequence[int]) -> list[NDArray[np.float64]]:
    """Cost of each choice from what the same beat of all bars was divided into."""
    counts: dict[tuple[str, Fraction], NDArray[np.float64]] = {}
    for span, choice in zip(spans, chosen, strict=True):
        count = counts.setdefault(span.habit, np.ones(len(span.choices)))
        count[choice] += 1
    return [-_HABIT * np.log(counts[s.habit] / counts[s.habit].sum()) for s in spans]


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A stroke, the place that its onset has, and quarters since the first bar to where it is."""

    hit: Hit
    place: Fraction
    phase: float
    grace: bool


def _notes(
    onsets: Sequence[Onset],
    places: Sequence[Fraction],
    rolls: Sequence[Roll],
    grid: Grid,
    finest: Fraction,
    swing: Swing,
) -> tuple[Note, ...]:
    """Notes in order of place; strokes whose place is another's move or become grace notes."""
    edges = grid.bar_quarters
    last = edges[-1] - finest
    starts = {
        hit: place
        for onset, place in zip(onsets, places, strict=True)
        for hit in (*onset.graces, *onset.hits)
    }
    notes = _roll_notes(rolls, starts, grid, swing)
    rolled = {roll.hits[0] for roll in rolls}
    strokes = [
        _Stroke(hit, min(place, last) if place >= edges[-1] else place, onset.phase, grace)
        for onset, place in zip(onsets, places, strict=True)
        for grace, hits in ((True, onset.graces), (False, onset.hits))
        for hit in hits
        if hit not in rolled
    ]
    taken = {(edges[n.bar] + n.position, n.drum): n.onset for n in notes if not n.grace}
    owners = _owners(strokes, taken, swing)
    taken.update({(strokes[i].place, strokes[i].hit.drum): strokes[i].hit.onset for i in owners})
    for index, stroke in enumerate(strokes):
        hit, grace, place = stroke.hit, stroke.grace, stroke.place
        if not grace and index not in owners:
            ahead = taken[place, hit.drum] - hit.onset
            other = None
            if not 0 <= ahead <= GRACE_GAP:  # only what comes before another leans on it
                # What comes right after it must not go as far as the next place of a coarse grid.
                reach = finest if abs(ahead) > GRACE_GAP else min(finest, _FINEST)
                other = _free(stroke.phase, hit.drum, taken, last, finest, swing, reach=reach)
            grace = other is None
            place = _leaned_on(stroke, taken, finest) if other is None else other
            if not grace:
                taken[place, hit.drum] = hit.onset
        bar = bisect_right(edges, place) - 1
        notes.append(Note(bar, place - edges[bar], hit.drum, hit.velocity, hit.onset, grace))
    return tuple(sorted(notes, key=lambda note: (note.bar, note.position, note.onset)))


def _owners(
    strokes: Sequence[_Stroke], taken: Mapping[tuple[Fraction, Drum], float], swing: Swing
) -> set[int]:
    """Of the strokes of one drum at one place the one whose it is, unless it is a roll's.

    That is the nearest, or the loudest of those that lean on it. It has its place before others
    look for theirs: a stray stroke must not push all that follow it along.
    """
    claims: dict[tuple[Fraction, Drum], list[int]] = {}
    for index, stroke in enumerate(strokes):
        if not stroke.grace and (stroke.place, stroke.hit.drum) not in taken:
            claims.setdefault((stroke.place, stroke.hit.drum), []).append(index)
    owners = set()
    for (place, _), claim in claims.items():
        sounds = _sounds(place, swing)
        near = sorted(claim, key=lambda i: abs(strokes[i].phase - sounds))
        first = strokes[near[0]].hit.onset
        leaning = [i for i in near if abs(strokes[i].hit.onset - first) <= GRACE_GAP]
        owners.add(max(leaning, key=lambda i: strokes[i].hit.velocity))
    return owners


def _sounds(place: Fraction, swing: Swing) -> float:
    """Quarters since the first bar to where a written place is played."""
    return float(place if place % swing.value else swing.played(float(place)))


def _roll_notes(
    rolls: Sequence[Roll], starts: Mapping[Hit, Fraction], grid: Grid, swing: Swing
) -> list[Note]:
    """The strokes of rolls that begin at given places, no two of one drum at one place."""
    notes: list[Note] = []
    ends: dict[Drum, Fraction] = {}
    for roll in rolls:
        drum = roll.hits[0].drum
        placed = place_roll(roll, starts[roll.hits[0]], grid, swing, after=ends.get(drum))
        ends[drum] = grid.bar_quarters[placed[-1].bar] + placed[-1].position
        notes += placed
    return notes


def _free(
    phase: float,
    drum: Drum,
    taken: Mapping[tuple[Fraction, Drum], float],
    last: Fraction,
    finest: Fraction,
    swing: Swing,
    *,
    reach: Fraction,
) -> Fraction | None:
    """The free place nearest to a stroke, unless none is within reach of where it was played."""
    top = int(last / finest)
    nearest = min(max(round(phase / float(finest)), 0), top)
    steps = range(max(nearest - 2, 0), min(nearest + 2, top) + 1)
    away = {step * finest: abs(_sounds(step * finest, swing) - phase) for step in steps}
    free = [place for place in away if (place, drum) not in taken and away[place] <= reach]
    return min(free, key=away.__getitem__, default=None)


def _leaned_on(
    stroke: _Stroke, taken: Mapping[tuple[Fraction, Drum], float], finest: Fraction
) -> Fraction:
    """The place of the stroke that one without a place of its own leads into, if any is near."""
    after = ceil(stroke.phase / float(finest)) * finest
    return after if (after, stroke.hit.drum) in taken else stroke.place
