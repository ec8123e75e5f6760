"""Rolls as tremolos: one note for a beat's strokes, or for half a bar's or a bar's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from drum2midi.sheet.chord import Chord, Events, write_chords
from drum2midi.sheet.rhythm import QUARTER, Span, Value

_STEP: Final = 3  # ticks between the strokes of a roll; it may miss one
_LEAST: Final = 3  # strokes
_SHORTEST: Final = QUARTER // 2
_LINES: Final = 3  # of beams and tremolo together: 32nd notes
_BEAMS: Final = {"eighth": 1}


@dataclass(frozen=True, slots=True)
class _Run:
    """Strokes of a roll within a beat, which one note may stand for."""

    ticks: tuple[int, ...]
    end: int

    @property
    def start(self) -> int:
        return self.ticks[0]


def fold_rolls(
    chords: Mapping[int, Chord], spans: Sequence[Span], halves: bool, beside: Collection[int]
) -> Events:
    """Write the chords of one voice of a bar, each roll as notes with tremolo lines.

    Three lines, beams included, mean 32nd notes. A roll with more strokes than that, or one
    fewer, is written in the same way: it is how every reader plays a roll.

    Parameters
    ----------
    chords, spans, halves, beside
        See `drum2midi.sheet.chord.write_chords`.
    """
    runs = [run for span in spans for run in _runs(chords, span) if len(run.ticks) >= _LEAST]
    while True:
        inner = {tick for run in runs for tick in run.ticks[1:]}
        kept = {tick: chord for tick, chord in chords.items() if tick not in inner}
        events = write_chords(kept, spans, halves, beside)
        values = {value.start: value for value, chord in events if chord is not None}
        fitting = [run for run in runs if _fits(run, values[run.start])]
        if len(fitting) == len(runs):
            break
        runs = fitting  # the others are written stroke by stroke
    rolls = {run.start: _tremolo(chords, run, values[run.start]) for run in runs}
    folded = [(value, rolls.get(value.start, chord)) for value, chord in events]
    return _in_halves(folded, spans) if halves else folded


def _runs(chords: Mapping[int, Chord], span: Span) -> Iterator[_Run]:
    start, end = span[0], sum(span)
    ticks = sorted(tick for tick in chords if start <= tick < end)
    following = dict(pairwise([*ticks, end]))
    groups: list[list[int]] = []
    for tick in ticks:
        before = groups[-1][-1] if groups else None
        if before is not None and _goes_on(chords[before], chords[tick], tick - before):
            groups[-1].append(tick)
        else:
            groups.append([tick])
    for group in groups:
        last = group[-1]
        if following[last] - last <= 2 * _STEP:
            yield _Run(tuple(group), following[last])
        elif len(group) > 1:  # what it leads to stands for itself
            yield _Run(tuple(group[:-1]), last)


def _is_roll(chord: Chord) -> bool:
    """Whether it is one stroke of a roll, alone."""
    return len(chord.strokes) == 1 and chord.strokes[0].roll


def _goes_on(before: Chord, chord: Chord, gap: int) -> bool:
    return (
        gap in (_STEP, 2 * _STEP)
        and _is_roll(before)
        and _is_roll(chord)
        and before.strokes[0].drum == chord.strokes[0].drum
        and all(grace.roll for grace in chord.graces)
    )


def _fits(run: _Run, value: Value) -> bool:
    return (
        value.start + value.length == run.end and value.length >= _SHORTEST and value.tuplet is None
    )


def _tremolo(chords: Mapping[int, Chord], run: _Run, value: Value) -> Chord:
    """The roll's first stroke, as loud as all of them on average."""
    first = chords[run.start]
    strokes = [chords[tick].strokes[0] for tick in run.ticks]
    velocity = round(sum(stroke.velocity for stroke in strokes) / len(strokes))
    return Chord(
        [replace(first.strokes[0], velocity=velocity)],
        [grace for grace in first.graces if not grace.roll],
        _LINES - _BEAMS.get(value.kind, 0),
    )


def _in_halves(events: Events, spans: Sequence[Span]) -> Events:
    """The same with a roll through both beats of half a bar as one note."""
    beats = {spans[0][0]: spans[1], spans[2][0]: spans[3]}
    joined: Events = []
    for value, chord in events:
        before, roll = joined[-1] if joined else (value, None)
        if (
            roll is not None
            and chord is not None
            and roll.tremolo == chord.tremolo == _LINES
            and beats.get(before.start) == (value.start, value.length)
            and _goes_on_as(roll, chord)
        ):
            length = before.length + value.length
            joined[-1] = replace(before, length=length, kind="half"), roll
        else:
            joined.append((value, chord))
    if [value.kind for value, _ in joined] == ["half", "half"]:
        (value, roll), (_, other) = joined
        if roll and other and roll.tremolo == other.tremolo == _LINES and _goes_on_as(roll, other):
            return [(replace(value, length=4 * QUARTER, kind="whole"), roll)]
    return joined


def _goes_on_as(roll: Chord, other: Chord) -> bool:
    return roll.strokes[0].drum == other.strokes[0].drum and not other.graces
