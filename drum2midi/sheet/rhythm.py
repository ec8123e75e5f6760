"""How a bar is written: note values, rests, tuplets and beams. Knows no drums.

A drum's stroke has no length of its own, so a note lasts until the next stroke of its
voice or to the end of its beat, whichever comes first, and nothing is ever tied. Each
beat is written by itself, which is what lets a reader see where the beats are.

Places are counted in ticks, 24 to the quarter note: the least number that holds 32nd
notes (3 ticks) and the 32nds of a triplet (2 ticks).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from drum2midi.transcription import Metre

QUARTER: Final = 24
_EIGHTH: Final = QUARTER // 2
_16TH: Final = QUARTER // 4
_FIVE_16THS: Final = 5 * _16TH
_STRAIGHT: Final = 3  # ticks of a 32nd note
_TERNARY: Final = 2  # ticks of a 32nd note in a triplet
_16TH_TRIPLET: Final = 2 * _TERNARY  # ticks of a 16th note in one

Edge = Literal["start", "stop"]
Span = tuple[int, int]
"""Start and length in ticks."""


@dataclass(frozen=True, slots=True)
class Tuplet:
    """So many notes of a kind in the time of so many: 3 eighths in the time of 2."""

    actual: int
    normal: int
    kind: str


_TRIPLET: Final = Tuplet(3, 2, "eighth")
_WIDE_TRIPLET: Final = Tuplet(3, 2, "quarter")
_SEXTUPLET: Final = Tuplet(6, 4, "16th")
_HALF_TRIPLET: Final = Tuplet(3, 2, "16th")


@dataclass(frozen=True, slots=True)
class Value:
    """One written note or rest.

    Attributes
    ----------
    start, length : int
        Ticks from the start of the bar, and as it sounds.
    kind, dots : str, int
        The written value, by its MusicXML name: ``"eighth"`` and one dot.
    is_rest : bool
    tuplet, edge
        The tuplet it belongs to, and whether it is its first or last.
    bracket : bool
        On the first value of a tuplet: no single beam shows which notes belong together.
    beams : tuple of str
        MusicXML's words for each beam from the stem's end inwards; empty for a flag.
    """

    start: int
    length: int
    kind: str
    dots: int
    is_rest: bool
    tuplet: Tuplet | None = None
    edge: Edge | None = None
    bracket: bool = False
    beams: tuple[str, ...] = ()

    @property
    def is_short(self) -> bool:
        """Whether it is a note with a flag or beam."""
        return not self.is_rest and self.kind in _BEAMS


_BEAMS: Final = {"eighth": 1, "16th": 2, "32nd": 3}

# Written values by their length in 32nd notes, longest first: name and dots.
_KINDS: Final = {
    24: ("half", 1),
    16: ("half", 0),
    12: ("quarter", 1),
    8: ("quarter", 0),
    6: ("eighth", 1),
    4: ("eighth", 0),
    3: ("16th", 1),
    2: ("16th", 0),
    1: ("32nd", 0),
}

_16THS: Final = (0, 2, 4, 6, 8, 10)

# Where in a beat of so many 32nds a note of so many 32nds may start. A triplet is
# written like the dotted beat that its notes would fill without the 3.
_NOTE_STARTS: Final[dict[int, dict[int, tuple[int, ...]]]] = {
    12: {12: (0,), 8: (0, 4), 6: (0, 6), 4: (0, 4, 8), 3: (0, 1, 4, 5, 8, 9), 2: _16THS},
    8: {8: (0,), 6: (0, 2), 4: (0, 2, 4), 3: (0, 1, 4, 5), 2: _16THS[:4]},
    6: {6: (0,), 4: (0, 2), 3: (0, 3), 2: (0, 2, 4)},
    4: {4: (0,), 3: (0, 1), 2: (0, 2)},
    3: {3: (0,), 2: (0, 1)},
    2: {2: (0,)},
}
# Further places for a note that reaches just to the next stroke.
_TIGHT_STARTS: Final[dict[int, dict[int, tuple[int, ...]]]] = {
    12: {6: (4,), 4: (2, 6), 2: (1, 5, 9)},
    8: {2: (1, 5)},
    4: {2: (1,)},
}
# Rests show the beat's inner parts more strictly than notes do.
_REST_STARTS: Final[dict[int, dict[int, tuple[int, ...]]]] = {
    12: {12: (0,), 8: (0,), 4: (0, 4, 8), 2: _16THS},
    8: {8: (0,), 4: (0, 4), 2: _16THS[:4]},
    6: {6: (0,), 4: (0,), 2: (0, 2, 4)},
    4: {4: (0,), 2: (0, 2)},
    3: {3: (0,), 2: (0,)},
    2: {2: (0,)},
}


# Eighths in each beat of the metres that can be counted in more ways than one. MuseScore
# breaks a beam that ends where it would begin one, so what it does by itself comes first.
_UNEVEN: Final = {5: ((2, 3), (3, 2)), 7: ((3, 2, 2), (2, 2, 3), (2, 3, 2))}


def groupings(metre: Metre) -> list[tuple[int, ...]]:
    """Ways to divide a full bar into beats, as lengths in ticks; the usual one first."""
    unit = QUARTER * 4 // metre.denominator
    if metre.denominator <= 4:
        return [(QUARTER,) * (metre.numerator * unit // QUARTER)]
    if metre.denominator == 8 and metre.numerator in _UNEVEN:
        ways = _UNEVEN[metre.numerator]
        return [tuple(count * unit for count in counts) for counts in ways]
    if metre.numerator % 3 == 0:
        return [(3 * unit,) * (metre.numerator // 3)]
    quarters, left = divmod(metre.numerator * unit, QUARTER)
    sizes = [QUARTER] * quarters
    if left == _EIGHTH and sizes:
        sizes[-1] += left  # no eighth stands alone
    elif left:
        sizes.append(left)
    return [tuple(sizes)]


def beats(grouping: Sequence[int], length: int) -> list[Span]:
    """The beats of a bar.

    Parameters
    ----------
    grouping : sequence of int
        One of the metre's `groupings`.
    length : int
        Ticks in the bar. A pickup's beats are the last ones of a full bar.
    """
    spans: list[Span] = []
    start = length - sum(grouping)
    for size in grouping:
        end, first = start + size, max(start, 0)
        if end - first == _FIVE_16THS:  # no note or rest lasts so long
            spans.append((first, _16TH))
            first += _16TH
        if end > 0:
            spans.append((first, end - first))
        start = end
    return spans


def notatable(ticks: Iterable[int]) -> bool:
    """Whether strokes at these ticks can share an eighth note's time on paper.

    The odd 32nds are nowhere in a triplet, whose smallest notes are 2 ticks long.
    """
    inside = list(ticks)
    straight_only = any(tick % 6 == 3 for tick in inside)
    ternary = any(tick % 3 for tick in inside)
    return not (straight_only and ternary) and all(t % 2 == 0 or t % 3 == 0 for t in inside)


def write_voice(
    spans: Sequence[Span],
    onsets: Sequence[int],
    *,
    halves: bool,
    beside: Collection[int] = (),
) -> list[Value]:
    """Write one voice of a bar.

    Parameters
    ----------
    spans : sequence of (start, length)
        The bar's beats.
    onsets : sequence of int
        Ticks of the strokes in order, at least one.
    halves : bool
        Whether the bar has two halves of two beats, so that a silent half is one rest.
    beside : collection of int
        Ticks of the strokes of the other voice: both divide a beat in one way where they can.
    """
    inside = [[t for t in onsets if start <= t < start + length] for start, length in spans]
    others = [[t for t in beside if start <= t < start + length] for start, length in spans]
    written = [
        _write_beat(*span, ticks, also)
        for span, ticks, also in zip(spans, inside, others, strict=True)
    ]
    for beat in {beat for clash in _clashes(written) for beat in clash}:
        if len(inside[beat]) > 1 and _is_loose(written[beat]):
            written[beat] = _write_beat(*spans[beat], inside[beat], others[beat], short=True)
    clashes = _clashes(written)
    if halves:
        for first in (0, 2):
            ticks, also = (beats[first] + beats[first + 1] for beats in (inside, others))
            written[first : first + 2] = _write_half(
                written[first : first + 2], spans[first], ticks, also
            )
    return [value for group in _joined(written, clashes) for value in _beamed(group)]


def _write_half(
    written: list[list[Value]], span: Span, onsets: Sequence[int], beside: Sequence[int]
) -> list[list[Value]]:
    """Half a bar, of two beats of one length: a rest, three notes in their time, or as they are.

    Three notes hide the second beat, which the other voice must not show.
    """
    start, length = span
    if not onsets:
        return [[_value(start, 2 * length // _STRAIGHT, _STRAIGHT, is_rest=True)], []]
    third = 2 * length // 3
    places = [start + third * index for index in range(3)]
    if length != QUARTER or not set(places[1:]) <= set(onsets) <= set(places):
        return written
    if not set(beside) <= set(places):
        return written
    edges: tuple[Edge | None, ...] = ("start", None, "stop")
    triplet = [
        Value(place, third, "quarter", 0, place not in onsets, _WIDE_TRIPLET, edge)
        for place, edge in zip(places, edges, strict=True)
    ]
    return [triplet, []]


def _is_loose(beat: Sequence[Value]) -> bool:
    """Whether the beat has a flagged note, with none to beam it to."""
    return sum(value.is_short for value in beat) == 1


def _clashes(written: Sequence[Sequence[Value]]) -> list[range]:
    """Beats that share a quarter note's time with short notes which no beam joins.

    In 6/8 the third eighth and the fourth share a quarter though not a beat. Where one
    of them has a flag of its own, the eye takes the two for a beat of their own.
    """
    beats_at: dict[int, list[int]] = {}
    for index, beat in enumerate(written):
        for value in beat:
            if value.is_short:
                beats_at.setdefault(value.start // QUARTER, []).append(index)
    return [
        range(found[0], found[-1] + 1)
        for found in beats_at.values()
        if found[0] != found[-1] and any(_is_loose(written[index]) for index in found)
    ]


def _joined(written: Sequence[list[Value]], clashes: Iterable[range]) -> list[list[Value]]:
    """Beats to be beamed, those of a clash as one."""
    starts = set(range(len(written))) - {beat for clash in clashes for beat in clash[1:]}
    groups: list[list[Value]] = []
    for index, beat in enumerate(written):
        if index in starts:
            groups.append([])
        groups[-1] += beat
    return groups


def _write_beat(
    start: int, length: int, onsets: Sequence[int], beside: Sequence[int], *, short: bool = False
) -> list[Value]:
    """Write one beat; with `short`, in nothing longer than an eighth."""
    if not onsets:
        return _fill(start, length, [])
    places = [onset - start for onset in onsets]
    if all(place % _STRAIGHT == 0 for place in places):
        return _fill(start, length, places, short=short)
    both = [*places, *(tick - start for tick in beside)]
    if length == QUARTER and not _splits(both if _is_triplet(both) else places):
        return _fill(start, length, places, tuplet=_quarter_tuplet(places))
    values: list[Value] = []
    for part in range(0, length, _EIGHTH):
        size = min(_EIGHTH, length - part)
        inside = [place - part for place in places if part <= place < part + size]
        ternary = any(place % _STRAIGHT for place in inside)
        values += _fill(start + part, size, inside, tuplet=_HALF_TRIPLET if ternary else None)
    return values


def _splits(places: Sequence[int]) -> bool:
    """Whether a beat with ternary strokes reads better as two eighths' time.

    It must if it holds odd 32nds; it does if one half is straight and says so, by a
    stroke on the half or a 16th, or by ending the figure there.
    """
    if any(place % 6 == 3 for place in places):
        return True
    first = [place for place in places if place < _EIGHTH]
    second = [place for place in places if place >= _EIGHTH]
    ternary_halves = [any(place % _STRAIGHT for place in half) for half in (first, second)]
    if all(ternary_halves) or all(place % 8 == 0 for place in places):
        return False
    return not second or any(place in (6, 12, 18) for place in places)


def _is_triplet(places: Sequence[int]) -> bool:
    """Whether all strokes of a beat are in its triplet, and none shows its half."""
    return _EIGHTH not in places and all(place % _16TH_TRIPLET == 0 for place in places)


def _quarter_tuplet(places: Sequence[int]) -> Tuplet:
    """A sextuplet where the beat is felt in two, else a triplet."""
    return _SEXTUPLET if _EIGHTH in places else _TRIPLET


def _fill(
    start: int,
    length: int,
    places: Sequence[int],
    *,
    tuplet: Tuplet | None = None,
    short: bool = False,
) -> list[Value]:
    """Write strokes into a span of one kind, each up to the next as far as reads well."""
    tick = _TERNARY if tuplet else _STRAIGHT
    size = length // tick
    if not places:
        return _rests(start, size, tick, 0, size)
    steps = [place // tick for place in places]
    values = _rests(start, size, tick, 0, steps[0])
    for step, following in zip(steps, [*steps[1:], size], strict=True):
        value = _note_length(size, step, following - step, tight=following < size, short=short)
        values.append(_value(start + step * tick, value, tick, is_rest=False))
        values += _rests(start, size, tick, step + value, following)
    if tuplet is None:
        return values
    values = [replace(value, tuplet=tuplet) for value in values]
    values[0] = replace(values[0], edge="start")
    values[-1] = replace(values[-1], edge="stop")
    return values


def _value(start: int, steps: int, tick: int, *, is_rest: bool) -> Value:
    kind, dots = _KINDS[steps]
    return Value(start, steps * tick, kind, dots, is_rest)


def _note_length(size: int, step: int, room: int, *, tight: bool, short: bool) -> int:
    """The longest note of at most `room` 32nds that may start at `step` of the beat."""
    for value, starts in _NOTE_STARTS[size].items():
        further = _TIGHT_STARTS.get(size, {}).get(value, ()) if tight and value == room else ()
        if value <= room and step in (*starts, *further) and not (short and value > 4):
            return value
    return 1


def _rests(start: int, size: int, tick: int, begin: int, end: int) -> list[Value]:
    """Rests for the 32nds from `begin` to `end` of a beat of `size` that starts at `start`."""
    rests = []
    while begin < end:
        fitting = (
            value
            for value, starts in _REST_STARTS[size].items()
            if begin in starts and value <= end - begin
        )
        value = next(fitting, 1)
        rests.append(_value(start + begin * tick, value, tick, is_rest=True))
        begin += value
    return rests


def _beamed(beat: Sequence[Value]) -> list[Value]:
    """The same values with their beams, and tuplets with a bracket where no beam shows them."""
    values = list(beat)
    for run in _runs(values):
        for place, index in enumerate(run):
            values[index] = replace(values[index], beams=_beams(values, run, place))
    return [_with_bracket(values, index) for index in range(len(values))]


def _runs(values: Sequence[Value]) -> list[list[int]]:
    """Indices of short notes that share a beam. Rests may lie between, longer notes not."""
    runs: list[list[int]] = [[]]
    for index, value in enumerate(values):
        if value.is_short:
            runs[-1].append(index)
        elif not value.is_rest:
            runs.append([])
    return [run for run in runs if len(run) > 1]


def _beams(values: Sequence[Value], run: Sequence[int], place: int) -> tuple[str, ...]:
    """The beams of one note of a run."""
    index = run[place]
    value = values[index]
    before = values[run[place - 1]] if place > 0 else None
    after = values[run[place + 1]] if place + 1 < len(run) else None
    breaks = _inner_breaks(values, run)
    words = []
    for level in range(1, _BEAMS[value.kind] + 1):
        left = before is not None and _share_beam(before, value, level, breaks)
        right = after is not None and _share_beam(value, after, level, breaks)
        if left and right:
            words.append("continue")
        elif left or right:
            words.append("end" if left else "begin")
        else:
            words.append(_hook(value, level, first=before is None, last=after is None))
    return tuple(words)


def _inner_breaks(values: Sequence[Value], run: Sequence[int]) -> frozenset[int]:
    """Where inner beams stop in a run with 32nds: at each eighth of the beat."""
    if all(values[index].kind != "32nd" for index in run):
        return frozenset()
    first, last = values[0], values[-1]
    return frozenset(range(first.start, last.start + last.length, _EIGHTH))


def _share_beam(left: Value, right: Value, level: int, breaks: Collection[int]) -> bool:
    """Whether two notes, neighbours in a run, share the beam of a level.

    The first beam goes through; the inner ones stop at a rest and where a tuplet begins
    or ends, so that it can be seen, and at `breaks`.
    """
    if level == 1:
        return True
    adjacent = left.start + left.length == right.start
    at_edge = left.edge == "stop" or right.edge == "start"
    at_edge |= right.start in breaks and left.tuplet is None and right.tuplet is None
    return adjacent and not at_edge and min(_BEAMS[left.kind], _BEAMS[right.kind]) >= level


def _hook(value: Value, level: int, *, first: bool, last: bool) -> str:
    """A beam that no neighbour shares points into the value that the note divides."""
    tick = _TERNARY if value.tuplet else _STRAIGHT
    divided = tick * (4 if level == 2 else 2)
    forward = first or (not last and value.start % divided == 0)
    return "forward hook" if forward else "backward hook"


def _with_bracket(values: Sequence[Value], index: int) -> Value:
    value = values[index]
    if value.edge != "start":
        return value
    stop = next(i for i in range(index, len(values)) if values[i].edge == "stop")
    inside = values[index : stop + 1]
    one_beam = (
        all(member.beams for member in inside)
        and inside[0].beams[0] == "begin"
        and inside[-1].beams[0] == "end"
    )
    return replace(value, bracket=not one_beam)
