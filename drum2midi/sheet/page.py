"""What stands on the page, before any notation library: measures, chords, marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import accumulate
from typing import Final

from drum2midi.drums import FEET, HANDS, KICK, OPEN_HAT, SNARE
from drum2midi.form import section_letters
from drum2midi.sheet.chord import Chord, ChordWriter, Events, Stroke, write_chords
from drum2midi.sheet.rhythm import QUARTER, Span, beats, groupings, notatable
from drum2midi.sheet.tempo import TempoMark, tempo_marks
from drum2midi.sheet.touch import accents, ghosts
from drum2midi.sheet.tremolo import fold_rolls
from drum2midi.transcription import EIGHTH, SIXTEENTH, Bar, Metre, Note, Transcription

_EIGHTH: Final = QUARTER // 2
_OPEN: Final = 0.75  # openness from which a hi-hat is open, no longer half-open
_SWINGS: Final = 0.54  # from here on the off-beats are late enough to be heard as swing
_SWING: Final = {EIGHTH: "Swing", SIXTEENTH: "Swing 16ths"}


@dataclass(frozen=True, slots=True)
class Measure:
    """One bar of the page.

    Attributes
    ----------
    is_first : bool
    number : int
        As printed; 0 for a pickup.
    length : int
        Ticks.
    metre : Metre or None
        If it is to be printed here.
    tempo : TempoMark or None
    words : str
        Above the staff; empty for none.
    letter : str
        Rehearsal letter of the section that begins here; empty for none.
    voices : dict of int to list of (Value, Chord or None)
        Voices that have something to show. A bar without any is silent.
    begins_repeat : bool
        Whether a passage that is played more than once begins here.
    times : int
        How often the passage that ends here is played; 1 if none does.
    """

    is_first: bool
    number: int
    length: int
    metre: Metre | None
    tempo: TempoMark | None
    words: str
    letter: str
    voices: dict[int, Events]
    begins_repeat: bool = False
    times: int = 1

    @property
    def is_pickup(self) -> bool:
        """Whether it is an incomplete first bar."""
        return self.number == 0


def lay_out(transcription: Transcription, *, tremolos: bool = False) -> list[Measure]:
    """Write a transcription's bars; rolls as tremolos, or else stroke by stroke."""
    bars, swing = transcription.grid.bars, transcription.swing
    chords = _chords(transcription)
    groups = _groupings(transcription)
    tempi = tempo_marks(transcription.grid)
    letters = section_letters(transcription)
    first_number = transcription.grid.first_number
    words = _SWING[swing.value] if swing.ratio > _SWINGS else ""
    write = fold_rolls if tremolos else write_chords
    measures = []
    metre_before: Metre | None = None
    for index, bar in enumerate(bars):
        is_pickup = first_number == index == 0
        metre = bar.metre if is_pickup else _metre_as_it_is(bar)
        length = int(bar.length * QUARTER)
        measures.append(
            Measure(
                is_first=index == 0,
                number=index + first_number,
                length=length,
                metre=metre if metre != metre_before else None,
                tempo=tempi.get(index),
                words=words if index == 0 else "",
                letter=letters.get(index, ""),
                voices=_voices(
                    chords.get(index, {}), beats(groups[metre], length), is_pickup, write
                ),
            )
        )
        metre_before = metre
    _say_how_open(measures)
    if tremolos:
        _join_tremolos(measures)
    return measures


def _metre_as_it_is(bar: Bar) -> Metre:
    """A bar's metre by its beats: a 2/4 bar amid 4/4 is written as one."""
    return Metre(len(bar.beats), bar.metre.denominator)


Slots = dict[int, dict[int, Chord]]
"""Chords by voice and tick."""


def _chords(transcription: Transcription) -> dict[int, Slots]:
    """Strokes by bar, voice and tick."""
    soft = ghosts(transcription.notes)
    hard = accents(transcription.notes, soft)
    lengths = [int(bar.length * QUARTER) for bar in transcription.grid.bars]
    bars: dict[int, Slots] = {}
    for grace in (False, True):  # main strokes first: a grace stroke needs one to lean on
        for note in sorted(transcription.notes, key=_place):
            if note.grace != grace:
                continue
            slots = bars.setdefault(note.bar, {}).setdefault(note.drum.voice, {})
            tick = min(round(note.position * QUARTER), lengths[note.bar] - 1)
            chord = slots.get(tick)
            stroke = Stroke(
                note.drum, note.velocity, note in soft, note in hard, note.roll, _is_half_open(note)
            )
            if chord is None:
                slots[tick] = Chord([stroke])
            elif grace:
                chord.graces.append(stroke)
            else:
                chord.add(stroke)
    return bars


def _is_half_open(note: Note) -> bool:
    return note.drum == OPEN_HAT and note.openness is not None and note.openness < _OPEN


def _say_how_open(measures: Sequence[Measure]) -> None:
    """Words where open hi-hats begin to be half-open, and where they are open again."""
    half_open = False
    for measure in measures:
        for _, chord in measure.voices.get(HANDS, []):
            for stroke in chord.strokes if chord else ():
                if chord and stroke.drum == OPEN_HAT and stroke.half_open != half_open:
                    half_open = stroke.half_open
                    chord.words = "half-open" if half_open else "open"


def _join_tremolos(measures: Sequence[Measure]) -> None:
    """Tie the notes of one roll, and take away its own last strokes before what follows it."""
    for voice in (HANDS, FEET):
        before: Chord | None = None
        for measure in measures:
            for _, chord in measure.voices.get(voice, [(None, None)]):
                if chord and before and before.tremolo:
                    chord.graces = [grace for grace in chord.graces if not grace.roll]
                    fresh = chord.graces or any(stroke.accent for stroke in chord.strokes)
                    if chord.tremolo and chord.shares(before) and not fresh:
                        before.tie = "continue" if before.tie else "start"
                        chord.tie = "stop"
                before = chord


def _place(note: Note) -> tuple[int, Fraction, float]:
    return note.bar, note.position, note.onset


def _groupings(transcription: Transcription) -> dict[Metre, tuple[int, ...]]:
    """How each metre is counted: where the kick and the snare mark its beats."""
    bars = transcription.grid.bars
    metres = {bar.metre for bar in bars} | {_metre_as_it_is(bar) for bar in bars}
    weights: dict[Metre, Counter[int]] = {metre: Counter() for metre in metres}
    for note in transcription.notes:
        if note.drum in (KICK, SNARE) and not note.grace:
            metre = _metre_as_it_is(bars[note.bar])
            weights[metre][round(note.position * QUARTER)] += note.velocity
    return {
        metre: max(groupings(metre), key=partial(_weight_on_beats, weights=weights[metre]))
        for metre in metres
    }


def _weight_on_beats(grouping: tuple[int, ...], weights: Counter[int]) -> int:
    return sum(weights[tick] for tick in accumulate(grouping[:-1]))


def _voices(
    slots: Slots, spans: Sequence[Span], is_pickup: bool, write: ChordWriter
) -> dict[int, Events]:
    """Write the voices of a bar that have strokes."""
    halves = not is_pickup and len(spans) == 4 and len({length for _, length in spans}) == 1
    voices: dict[int, Events] = {}
    for voice in (HANDS, FEET):
        if voice in slots:
            chords = _notatable_chords(slots[voice], spans)
            beside = [tick for other in slots if other != voice for tick in slots[other]]
            voices[voice] = write(chords, spans, halves, beside)
    if HANDS not in voices and is_pickup:  # a whole bar's rest would be too long
        voices[HANDS] = write_chords({}, spans, False, ())
    return voices


def _notatable_chords(chords: dict[int, Chord], spans: Sequence[Span]) -> dict[int, Chord]:
    """Move the few chords that no reader could place, by at most a 64th note or so."""
    placed: dict[int, Chord] = {}
    for start, length in spans:
        for begin in range(start, start + length, _EIGHTH):
            part = range(begin, min(begin + _EIGHTH, start + length))
            inside = {tick: chord for tick, chord in chords.items() if tick in part}
            placed |= inside if notatable(inside) else _moved(inside, part)
    return placed


def _moved(chords: dict[int, Chord], part: range) -> dict[int, Chord]:
    """Chords of an eighth's time on one grid, each grace stroke beside its drum's stroke.

    The grid is the triplet's if any is ternary.
    """
    step = 2 if any(tick % 6 in (2, 4) for tick in chords) else 3
    placed = {tick: chord for tick, chord in chords.items() if tick % step == 0}
    for tick, chord in chords.items():
        if tick % step == 0:
            continue
        near = sorted(part[::step], key=lambda place: (abs(place - tick), place))
        # One by one: what stands in one stroke's way need not move the others.
        for stroke in chord.strokes:
            free = [place for place in near if not placed.get(place, Chord()).has(stroke.drum)]
            target = placed.setdefault(free[0] if free else near[0], Chord())
            target.graces += [grace for grace in chord.graces if grace.drum == stroke.drum]
            target.add(stroke)
        target.graces += [grace for grace in chord.graces if not chord.has(grace.drum)]
    return placed
