"""What stands on one stem."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from drum2midi.drums import Drum
from drum2midi.sheet.rhythm import Span, Value, write_voice

Tie = Literal["start", "continue", "stop"]


@dataclass(frozen=True, slots=True)
class Stroke:
    """One notehead.

    Attributes
    ----------
    drum, velocity
    ghost, accent : bool
    roll : bool
        Whether it is one of a roll's.
    half_open : bool
        Whether it is a hi-hat that is neither open nor closed.
    """

    drum: Drum
    velocity: int
    ghost: bool = False
    accent: bool = False
    roll: bool = False
    half_open: bool = False


@dataclass(slots=True)
class Chord:
    """Strokes of one voice at one place, and the grace strokes that lead to them.

    Attributes
    ----------
    strokes, graces : list of Stroke
    tremolo : int
        Lines through the stem, each of which doubles the strokes that the value stands for.
    words : str
        Above the staff; empty for none.
    tie : {"start", "continue", "stop"}, optional
        Of a roll that one note is too short for.
    """

    strokes: list[Stroke] = field(default_factory=list)
    graces: list[Stroke] = field(default_factory=list)
    tremolo: int = 0
    words: str = ""
    tie: Tie | None = None

    def add(self, stroke: Stroke) -> None:
        """Add a stroke; one of the same drum that is there already becomes its grace stroke."""
        self.graces += [other for other in self.strokes if other.drum == stroke.drum]
        self.strokes = [other for other in self.strokes if other.drum != stroke.drum] + [stroke]

    def shares(self, other: Chord) -> bool:
        """Whether a drum is struck in both."""
        return any(self.has(stroke.drum) for stroke in other.strokes)

    def has(self, drum: Drum) -> bool:
        """Whether a drum is struck here."""
        return any(stroke.drum == drum for stroke in self.strokes)


Events = list[tuple[Value, Chord | None]]
"""Written values in order; a rest has no chord."""

ChordWriter = Callable[[Mapping[int, Chord], Sequence[Span], bool, Collection[int]], Events]
"""Writes chords by tick into a bar's beats, which may have halves, beside another voice's ticks."""


def write_chords(
    chords: Mapping[int, Chord], spans: Sequence[Span], halves: bool, beside: Collection[int]
) -> Events:
    """Write the chords of one voice of a bar, every stroke for itself.

    Parameters
    ----------
    chords : mapping of int to Chord
        By tick.
    spans, halves, beside
        See `drum2midi.sheet.rhythm.write_voice`.
    """
    values = write_voice(spans, sorted(chords), halves=halves, beside=beside)
    return [(value, None if value.is_rest else chords[value.start]) for value in values]
