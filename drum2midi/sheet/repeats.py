"""Repeats: passages that look the same, written once between repeat barlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from drum2midi.sheet.chord import Chord, Events, Stroke
from drum2midi.sheet.page import Measure

_LONGEST: Final = 16  # bars of a passage
_WORTH: Final = 2  # bars that a repeat must save


def fold(measures: Sequence[Measure]) -> list[Measure]:
    """Write passages that follow themselves once, with the number of times to play them.

    Nothing that can be seen is lost: bars are the same if their values, noteheads, ghost
    notes, accents and grace notes are, and no passage goes on past a tempo mark, a change
    of metre or a rehearsal letter. How loud each stroke is, beyond its marks, is that of
    the first time.
    """
    looks = [_look(measure) for measure in measures]
    folded: list[Measure] = []
    index = 0
    while index < len(measures):
        length, times = _best_passage(measures, looks, index)
        passage = list(measures[index : index + length])
        if times > 1:
            passage[0] = replace(passage[0], begins_repeat=True)
            passage[-1] = replace(passage[-1], times=times)
        folded += passage
        index += length * times
    first = measures[0].number if measures else 1
    return [replace(measure, number=first + i) for i, measure in enumerate(folded)]


def _best_passage(
    measures: Sequence[Measure], looks: Sequence[object], start: int
) -> tuple[int, int]:
    """Bars of the passage from `start` that saves most, and how often it is played."""
    best = (1, 1)
    for length in range(1, _LONGEST + 1):
        if start + length > len(measures) or (
            length > 1 and _is_marked(measures[start + length - 1])
        ):
            break
        times = 1
        while _comes_again(measures, looks, start, length, start + times * length):
            times += 1
        saved = length * (times - 1)
        if saved >= _WORTH and saved > best[0] * (best[1] - 1):
            best = length, times
    return best


def _comes_again(
    measures: Sequence[Measure], looks: Sequence[object], start: int, length: int, again: int
) -> bool:
    copy = range(again, again + length)
    return (
        copy.stop <= len(measures)
        and not measures[start].is_pickup
        and not _is_tied(measures[start], measures[start + length - 1])
        and any(measures[i].voices for i in copy)  # silence is counted, not repeated
        and all(looks[i] == looks[i - again + start] for i in copy)
        and not any(_is_marked(measures[i]) for i in copy)
    )


def _is_marked(measure: Measure) -> bool:
    """Whether something stands at a bar that a repeat must not pass."""
    return bool(measure.metre or measure.tempo or measure.letter)


def _is_tied(first: Measure, last: Measure) -> bool:
    """Whether a note of a passage is tied to one outside it."""
    begins = [chord.tie for _, chord in _chords(first, 0) if chord]
    ends = [chord.tie for _, chord in _chords(last, -1) if chord]
    return any(tie in ("continue", "stop") for tie in begins) or any(
        tie in ("continue", "start") for tie in ends
    )


def _chords(measure: Measure, place: int) -> Events:
    """What stands at a place of each voice."""
    return [events[place] for events in measure.voices.values() if events]


def _look(measure: Measure) -> object:
    """What can be seen of a bar."""
    voices = {
        voice: [(value, chord and _chord_look(chord)) for value, chord in events]
        for voice, events in measure.voices.items()
    }
    return measure.length, voices


def _chord_look(chord: Chord) -> object:
    graces = [_stroke_look(stroke) for stroke in chord.graces]
    heads = sorted(map(_stroke_look, chord.strokes))
    return heads, graces, chord.tremolo, chord.tie, chord.words


def _stroke_look(stroke: Stroke) -> tuple[int, bool, bool]:
    return stroke.drum.midi, stroke.ghost, stroke.accent
